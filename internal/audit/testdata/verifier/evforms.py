"""What the evidence tree holds: leaf, META, PRIV, the data of the exchange's
own leaves (internal/evidence/FORMAT.md), and what officers sign: messages and
statements on them (messaging/FORMAT.md), consents and conflicts
(consent/FORMAT.md), grants and documents."""

import base64
import hashlib
import hmac

from .canon import (
    anything, b64, boolean, code, const, decode, digest, encode, ident, integer, keyid, mapping, ms, need, obj,
    pack_id, pattern, several, string, unb64, Statement,
)
from .dirforms import either

NOTICE = "application/vnd.odziv.notice.v1+json"
EV = "application/vnd.odziv.ev.%s.v1+json"
MAX_HALF = 131_072

msg, case, person, consent_id = ident("m"), ident("c"), ident("p"), ident("k")
inst, desk, obligation = ident("i"), ident("d"), ident("o")
desk_or_person, party = ident("d", "p"), ident("i", "d")
refusal = pattern("[a-z0-9_-]{1,64}")

# ---- opening (sections 1 to 3) ----

moved = obj(
    {"ee": either(inst, const("person")), "o": obligation, "op": code, "or": either(inst, const("person")), "rule": code},
    {"due": ms},
)
meta_form = obj(
    {
        "at": ms, "by": either(const("system"), pattern("i_[a-z2-7]{26}/d_[a-z2-7]{26}")),
        "dec": either(const("allow"), pattern("refuse:[a-z0-9_-]{1,64}")), "dirn": integer(0), "ev": string(64),
        "idx": integer(0), "obj": string(64), "obl": several(moved, 0, 4096, distinct=False), "prev": integer(-1),
        "to": several(code, 0, 64), "v": const(1),
    },
    {"from": code, "kind": code, "re": msg},
)
priv_form = obj(
    {"to": several(obj({"desk": desk, "n": integer(1)}), 0, 4096), "v": const(1)},
    {
        "cal": digest, "case": case, "data": anything, "env": digest, "pack": digest, "stmt": anything,
        "cons": several(obj({"id": consent_id, "idx": integer(0), "ver": integer(1)}), 0, 64),
        "hist": obj({"count": integer(0), "sha256": digest}),
        "moves": several(obj({"o": obligation, "op": string(64), "state": code}), 0, 4096, distinct=False),
        "opens": several(
            obj({"due": integer(0), "ee": desk_or_person, "n": integer(0), "o": obligation, "or": desk, "rule": code}), 0, 4096
        ),
    },
)
opening_form = obj({"meta": anything, "priv": anything, "rm": b64(32), "rp": b64(32)})
leaf_form = obj({"m": b64(32), "p": b64(32), "v": const(1)})


def half(value, key, form, what):
    """One half of an opening: its value, and what commits to it."""
    raw = encode(value)
    need(len(raw) <= MAX_HALF, f"{what} too long")
    form(value)
    return hmac.digest(unb64(key), raw, hashlib.sha256)


def read_leaf(raw):
    need(len(raw) == 109, "a leaf is 109 bytes")
    leaf = decode(raw, 109, "leaf")
    leaf_form(leaf)
    return unb64(leaf["m"]), unb64(leaf["p"])


def leaf_of(m, p):
    return encode({"m": base64.b64encode(m).decode(), "p": base64.b64encode(p).decode(), "v": 1})


# ---- escrow: who asks for what (sections 6 and 7) ----

ESCROW = ("escrow.requested", "escrow.refused", "escrow.released", "escrow.opened")
ESCROW_TERM = 7 * 24 * 3600 * 1000
ASK = {
    "desk": desk, "epochs": several(integer(1), 1, 64), "officer": ident("u"), "purpose": const("recovery", "rehearsal"),
}


def ask_of(p):
    return p["desk"], p["officer"], p["purpose"], tuple(p["epochs"])


_released = obj(
    {
        **ASK, "until": ms, "requests": several(obj({"idx": integer(0), "key": keyid}), 1, 5),
        "files": several(obj({"cust": several(integer(0, 4), 1, 5), "e": integer(1), "sha256": digest}), 1, 640),
    }
)


def released(p):
    _released(p)
    need(p["epochs"] == sorted(set(p["epochs"])), "epochs out of order")
    indexes, keys = [r["idx"] for r in p["requests"]], [r["key"] for r in p["requests"]]
    need(indexes == sorted(set(indexes)) and len(set(keys)) == len(keys), "requests out of order, or one custodian twice")
    need(all(f["e"] in p["epochs"] and len(f["cust"]) <= len(keys) for f in p["files"]), "a file of something else")


# ---- data of the exchange (section 6) ----

duty = obj(
    {"due": integer(0), "level": integer(0), "o": obligation, "rule": code},
    {"obligee": desk_or_person, "obligor": desk_or_person, "size": integer(1), "state": code},
)
DATA = {
    "message.refused": obj(
        {"code": refusal, "count": integer(1), "ids": several(msg, 0, 64), "key": keyid}
    ),
    "obligation.overdue": duty, "obligation.escalated": duty, "notice.owed": duty, "notice.reminder": duty,
    "notice.escalation": duty, "silence": duty,
    "obligation.kept": obj(
        {
            "at": ms, "due": integer(0), "o": obligation, "obligee": desk_or_person, "obligor": desk,
            "pack": string(64), "rule": code, "state": code,
        },
        {"answered": const(True), "late": const(True)},
    ),
    "notice.consent_change": obj(
        {"act": code, "consent": consent_id, "due": integer(0), "o": either(const(""), obligation), "ver": integer(1)}
    ),
    "access.read": obj({"day": pattern("[0-9]{4}-[0-9]{2}-[0-9]{2}"), "grant": ident("x"), "officer": keyid}),
    "erasure.done": obj(
        {
            "erased": several(
                obj({"idx": integer(0), "to": several(obj({"desk": desk, "n": integer(1)}), 0, 4096)}), 1, 4096
            ),
            "ground": code,
        }
    ),
    "escrow.released": released,
    "clock.accepted": obj({"jump": integer(-(2**53) + 1)}),
    **{e: anything for e in ("consent.expired", "consent.superseded", "notice.emergency", "audit.exported")},
}

# ---- messages ----

by_form = obj({"desk": desk, "inst": inst, "key": keyid})
part = obj({"len": integer(1, 2**32), "sha256": digest})
by_id, by_rule = {"id": obligation}, {"of": ident("m", "x"), "rule": code}
ACTS = {
    "ack": {}, "interim": {"value": code}, "fulfil": {"value": code}, "extend": {"due": ms, "reason": code},
    "suspend": {"until": ms, "reason": code}, "dispute": {"reason": code}, "waive": {"reason": code},
    "cancel": {"reason": code}, "transfer": {"to": desk},
}


def act(v):
    need(isinstance(v, dict), "no act")
    if v.get("op") == "declare":
        return obj({"op": const("declare"), "rule": code})(v)
    need(v.get("op") in ACTS, "an act that is not known")
    obj({"op": code, **(by_id if "id" in v else by_rule), **ACTS[v["op"]]})(v)


core_form = obj(
    {
        "basis": obj(
            {"code": code, "purpose": code},
            {
                "consents": several(obj({"id": consent_id, "ver": integer(1)}), 1, 64), "necessity": code, "ref": string(64),
            },
        ),
        "cats": several(code, 0, 32), "created": ms, "dir": obj({"n": integer(1), "root": b64(32)}, {"stale": const(True)}),
        "facts": mapping(code, code, 8), "from": by_form, "kind": code, "msg": msg, "obl": several(act, 0, 32),
        "pack": pack_id, "parts": several(part, 0, 64, distinct=False), "subj": several(person, 0, 16),
        "to": several(
            obj({"ack": b64(32), "desk": desk, "epoch": integer(1), "rk": digest, "role": const("to", "self")}), 1, 32
        ),
        "urg": const("I", "U", "R"), "v": const(1),
    },
    {"case": case, "hold": obj({"reason": code, "until": ms}), "occurred": ms, "re": msg, "set": ident("n")},
)
notice_form = obj({"body": part, "core": core_form, "v": const(1)})


class Said:
    """What a signed statement says of itself."""

    def __init__(self, by, about, pack, case, core=None):
        self.by, self.about, self.pack, self.case, self.core = by, about, pack, case, core


def read_notice(statement):
    notice_form(statement.payload)
    core = statement.payload["core"]
    need(statement.payload["body"]["len"] <= 1_114_112, "a body too long")
    need(len(statement.keys) == 1, "a message has one signature")
    desks = [t["desk"] for t in core["to"]]
    need(len(set(desks)) == len(desks), "a recipient stands twice")
    need(all((t["role"] == "self") == (t["desk"] == core["from"]["desk"]) for t in core["to"]), "a role that is not the recipient's")
    need(any(t["role"] == "to" for t in core["to"]), "a message to nobody")
    need("case" in core or not core["subj"], "persons without a case")
    need(core.get("re") != core["msg"], "an answer to itself")
    need(core.get("occurred", 0) <= core["created"], "an act after its message")
    need("hold" not in core or core["hold"]["until"] > core["created"], "a hold that is over")
    cited = [c["id"] for c in core["basis"].get("consents", [])]
    need(len(set(cited)) == len(cited), "a consent cited twice")
    return Said(core["from"], core["msg"], core["pack"], core.get("case"), core)


# ---- evidence statements ----

HEAD = {"at": ms, "by": by_form, "dirn": integer(0), "pack": pack_id, "v": const(1)}
HEAD_MAY = {"case": case, "occurred": ms}
ident_x = ident("x")
parties = several(party, 0, 32)
CONSENT = {
    "age": code, "cats": several(code, 0, 16), "channel": code, "from": several(inst, 0, 32),
    "grantor": obj({"h": ident("p", "g"), "rel": code}), "id": consent_id, "interp": code, "lang": code, "na": ms, "nb": ms,
    "onward": parties, "prev": integer(0), "purposes": several(code, 0, 16), "subj": person,
    "text": obj({"sha256": digest, "ver": integer(1)}), "to": parties, "told": several(code, 0, 16),
    "understood": boolean, "ver": integer(1), "case": case,
}
ANSWER = {"form": code, "method": code, "opinion": code}
FAILURES = const("digest", "header", "stanzas", "key", "payload", "manifest", "core", "ack", "attachment")
persons = several(person, 1, 16)
# members, optional members, which member says what it is about
STATEMENTS = {
    "message.retrieved": ({"desk": desk, "env": digest, "msg": msg}, {}, "msg"),
    "message.decrypted": ({"desk": desk, "msg": msg, "secret": b64(32)}, {}, "msg"),
    "message.decrypt_failed": ({"code": FAILURES, "desk": desk, "msg": msg}, {}, "msg"),
    "fact.mismatch": ({"desk": desk, "facts": several(code, 0, 8), "msg": msg, "rules": several(code, 0, 32)}, {}, "msg"),
    "attested": (
        {
            "channel": code, "facts": mapping(code, code, 8), "obl": several(act, 0, 32),
            "outcome": const("served", "consigned", "attempted"), "subj": several(person, 0, 16),
            "what": const("sent", "received"), "occurred": ms,
        },
        {"doc": digest, "kind": code, "msg": msg, "from": desk_or_person, "to": desk_or_person},
        "id",
    ),
    "case.link": ({"cases": several(case, 2, 16)}, {}, "id"),
    "conflict.set": (
        {
            "case": case, "ground": code, "level": code, "rel": code, "review_by": ms, "subj": persons,
            "who": ident("g", "p", "d"),
        },
        {},
        "id",
    ),
    "conflict.lifted": ({"case": case, "of": ident_x, "reason": code}, {}, "of"),
    "rep.grant": (
        {
            "auth": code, "case": case, "desk": desk, "na": ms, "nb": ms,
            "scope": several(const("consent", "disclosures", "duties"), 1, 3), "subj": persons,
        },
        {},
        "id",
    ),
    "rep.end": ({"grant": ident_x, "reason": code}, {}, "grant"),
    "document.issued": ({"kind": code, "sha256": digest}, {}, "id"),
    "desk.grant": (
        {
            "desk": desk, "officer": ident("u"), "epochs": several(integer(1), 1, 64),
            "pkg": several(obj({"e": integer(1), "sha256": digest}), 1, 64),
        },
        {},
        "id",
    ),
}
STATEMENTS.update({
    "escrow.requested": ({**ASK, "reason": code}, {}, "desk"),
    "escrow.refused": ({**ASK, "reason": code}, {}, "desk"),
    "escrow.opened": ({**ASK, "outcome": const("matched", "failed"), "release": integer(0)}, {}, "desk"),
})
CONSENT_ACTS = ("requested", "given", "refused", "deferred", "narrowed", "renewed", "withdrawn", "revoked", "invalidated")


def read_statement(event, statement):
    p = statement.payload
    need(statement.type == EV % event and isinstance(p, dict) and p.get("ev") == event, "a statement of another event")
    group, _, name = event.partition(".")
    if group == "consent" and name in CONSENT_ACTS:
        asked = name == "requested"
        members, may, about = {**CONSENT, **({} if asked else ANSWER)}, {"doc": digest, **(ANSWER if asked else {})}, "id"
    else:
        need(event in STATEMENTS, "an event that is not known")
        members, may, about = STATEMENTS[event]
    head = {**HEAD, "ev": const(event), "id": ident_x, **members}
    obj(head, {k: v for k, v in {**HEAD_MAY, **may}.items() if k not in head})(p)
    need(p.get("occurred", 0) <= p["at"], "an act after its statement")
    need(p.get("nb", 0) < p.get("na", 1), "a term that ends before it begins")
    check_members(event, p)
    return Said(p["by"], p[about], p["pack"], p.get("case"))


def check_members(event, p):
    if event.startswith("message.") or event == "fact.mismatch":
        need(p["desk"] == p["by"]["desk"], "a receipt for another desk")
    if event == "fact.mismatch":
        need(p["facts"] or p["rules"], "a mismatch of nothing")
    if event in ESCROW:
        need(p["desk"] == p["by"]["desk"] and "case" not in p, "by.desk is the desk to be recovered, and there is no case")
        need(p["epochs"] == sorted(set(p["epochs"])), "epochs out of order")
    if event == "desk.grant":
        need(p["epochs"] == sorted(set(p["epochs"])) == [x["e"] for x in p["pkg"]], "packages of other epochs")
    if event == "conflict.set":
        need(p["who"] not in p["subj"] and p["review_by"] > p["at"], "who is excluded, or until when")
    if event.startswith("consent."):
        need(p["prev"] == p["ver"] - 1, "prev of a version")
        need((p["grantor"]["rel"] == "self") == (p["grantor"]["h"] == p["subj"]), "the grantor")
        if event.split(".")[1] in ("requested", "given", "narrowed", "renewed"):
            need(all(p[k] for k in ("from", "to", "purposes", "cats")), "a consent that names nothing")
    if event == "attested":
        sent = p["what"] == "sent"
        need(("to" in p) == sent and ("from" in p) != sent, "the other side of an act")
        need("kind" in p or "msg" in p or p["obl"], "an attestation of nothing")
        need(sent or p["outcome"] == "served", "what was received is served")
        need(p["outcome"] != "attempted" or not p["obl"], "an attempt has no acts")
        need("case" in p or not p["subj"], "persons without a case")
        need(all(a.get("of", p["id"]) == p["id"] for a in p["obl"]), "an act on another statement")


def read_signed(event, value):
    statement = Statement(value)
    if event == "message.submitted":
        need(statement.type == NOTICE, "no message")
        said = read_notice(statement)
    else:
        said = read_statement(event, statement)
    return statement, said
