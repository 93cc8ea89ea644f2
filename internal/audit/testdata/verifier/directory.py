"""The replay of the directory (keys/directory/FORMAT.md): its state, who may
sign what (section 3), its rules (section 5), its answers (section 6)."""

import hashlib
import itertools
from collections import Counter

from .canon import key_id, need, unb64
from .dirforms import Leaf


def of_key(text):
    return key_id(unb64(text))


def rcp_hash(rcp):
    return hashlib.sha256(rcp.encode()).hexdigest()


class Directory:
    """The state after self.n leaves. A refused leaf leaves it half changed:
    nobody goes on after one."""

    def __init__(self):
        self.n, self.chains, self.index = 0, {}, {}
        self.charter, self.genesis, self.name, self.demo = None, "", "", False
        self.owners = {}                      # key -> who it belongs to for ever
        self.revoked, self.undelegated = {}, set()  # KEYIDs: as an officer's (leaf), as a delegate's
        self.insts, self.desks, self.epochs = {}, {}, {}
        self.officers, self.person = {}, {}   # by KEYID; u -> KEYIDs in order
        self.cards, self.packs, self.days, self.grants, self.rotas = {}, [], {}, [], {}
        self.fresh = set()                    # hashes of recipients and epochs that were
        self.charters = []                    # payloads of genesis and policies
        self.escrows = {}                     # (desk, epoch) -> recipients of the custodians it is sealed to

    # ---- one leaf ----

    def apply(self, raw, value):
        leaf = Leaf(value)
        p = leaf.payload
        self._head(leaf, p)
        groups = getattr(self, "_" + leaf.t.replace(".", "_"))(p)
        self._signers(leaf.statement, groups)
        if leaf.t == "desk.epoch":
            self.epochs[p["d"]][-1]["by"] = leaf.statement.keys[0]
        if leaf.t == "desk.epoch.ack":
            self.epochs[p["d"]][p["e"] - 1]["acks"].append(leaf.statement.keys[0])
        digest = hashlib.sha256(raw).hexdigest()
        self.chains[leaf.subject], self.index[digest] = digest, self.n
        if self.n == 0:
            self.genesis = digest
        self.n += 1

    def _head(self, leaf, p):
        need((leaf.t == "genesis") == (self.n == 0), "genesis is leaf 0, and nothing else is")
        need(p["prev"] == self.chains.get(leaf.subject, ""), "prev is not the latest leaf about its subject")
        before = self.index[p["prev"]] if p["prev"] else -1
        need(before < p["dirn"] <= self.n, "dirn")
        if not (self.demo or p.get("demo")):
            need(all(k >= 2 for k, _ in leaf.thresholds()), "a threshold of one")

    def _signers(self, statement, groups):
        keys = {}
        for least, members in groups:
            for m in members:
                keys[of_key(m)] = unb64(m)
        need(all(k in keys for k in statement.keys), "signed by somebody who may not")
        statement.verify([keys[k] for k in statement.keys])
        signed = [sum(of_key(m) in statement.keys for m in set(members)) for _, members in groups]
        need(all(have >= least for have, (least, _) in zip(signed, groups)), "not signed by all who must")
        for k in statement.keys:
            spare = all(
                have > least for have, (least, members) in zip(signed, groups) if k in map(of_key, members)
            )
            need(not spare, "a signature too many")

    def _own(self, key, *owner):
        need(self.owners.setdefault(key, owner) == owner, "the key belongs to somebody else")

    def _delegates(self, least=2):
        gone = self.undelegated | set(self.revoked)
        return least, [d["key"] for d in self.charter["delegates"] if of_key(d["key"]) not in gone]

    def _registrars(self, i, least):
        return least, [k for k in self.inst(i)["registrars"] if of_key(k) not in self.revoked]

    def _root(self, i):
        root = self.inst(i)["root"]
        return root["k"], root["keys"]

    # ---- rules, by kind of statement: each returns its groups of signers ----

    def _charter(self, p):
        for k in p["council"]["keys"]:
            self._own(k, "council")
        for d in p["delegates"]:
            self._own(d["key"], "person", d["i"])
        need(len({d["key"] for d in p["delegates"]}) == len(p["delegates"]), "a delegate stands twice")
        self.charter = {k: p[k] for k in ("council", "delegates", "logs", "quorum", "witnesses")}
        self.charters.append(p)

    def _genesis(self, p):
        self.name, self.demo = p["name"], "demo" in p
        self._charter(p)
        return [(len(p["council"]["keys"]), p["council"]["keys"])]

    def _policy(self, p):
        old, new = self.charter["council"], p["council"]
        gone = self.undelegated | set(self.revoked)
        need(not any(of_key(d["key"]) in gone for d in p["delegates"]), "a revoked key as a delegate's")
        self._charter(p)
        return changed(old, new)

    def _delegate_revoke(self, p):
        present = self._delegates()[1]
        need(p["key"] in map(of_key, present), "no present delegate")
        self.undelegated.add(p["key"])
        return [(1, present + self.charter["council"]["keys"])]

    def _inst_join(self, p):
        need(p["i"] not in self.insts, "the institution has joined")
        for k in p["root"]["keys"]:
            self._own(k, "root", p["i"])
        self.insts[p["i"]] = {
            "i": p["i"], "root": p["root"], "registrars": [], "custodians": {"k": 0, "rcps": []}, "observer": [],
            "type": "", "level": "", "territory": [], "escalates_to": "", "emergency": False, "nb": 0, "na": 0, "pred": "",
        }
        return [self._delegates(), (p["root"]["k"], p["root"]["keys"])]

    def inst(self, i):
        need(i in self.insts, "an institution that has not joined")
        return self.insts[i]

    def _inst_profile(self, p):
        inst = self.inst(p["i"])
        need(p["i"] not in (p["escalates_to"], p.get("pred")), "an institution that names itself")
        inst.update({k: p[k] for k in ("type", "level", "territory", "escalates_to", "emergency", "nb", "na")})
        inst["pred"] = p.get("pred", "")
        above, seen = p["escalates_to"], set()
        while above and above not in seen:
            need(above != p["i"], "escalation leads back")
            seen.add(above)
            above = self.insts.get(above, {}).get("escalates_to", "")
        return [self._delegates()]

    def _inst_root(self, p):
        inst = self.inst(p["i"])
        old, new = inst["root"], {"k": p["k"], "keys": p["keys"]}
        need(old["k"] != new["k"] or set(old["keys"]) != set(new["keys"]), "a root that changes nothing")
        for k in p["keys"]:
            self._own(k, "root", p["i"])
        inst["root"] = new
        return [(old["k"], old["keys"]), (new["k"], new["keys"])]

    def _inst_registrars(self, p):
        inst = self.inst(p["i"])
        need(not any(of_key(k) in self.revoked for k in p["keys"]), "a revoked key as a registrar's")
        for k in p["keys"]:
            self._own(k, "person", p["i"])
        inst["registrars"] = p["keys"]
        return [self._root(p["i"])]

    def _inst_custodians(self, p):
        inst = self.inst(p["i"])
        for k in p.get("keys", []):
            self._own(k, "custodian", p["i"])
        inst["custodians"] = {k: p[k] for k in ("k", "keys", "rcps") if k in p}
        return [self._root(p["i"])]

    def _inst_observer(self, p):
        self.inst(p["i"])["observer"] = [p["key"]]
        self._own(p["key"], "observer", p["i"])
        return [self._root(p["i"])]

    def _officer_enrol(self, p):
        self.inst(p["i"])
        need(p["key"] == of_key(p["ed"]), "the key id is not that of the key")
        need(p["key"] not in self.revoked, "a revoked key")
        self._own(p["ed"], "person", p["i"])
        known, mine = self.officers.get(p["key"]), self.person.setdefault(p["u"], [])
        need(all(self.officers[k]["i"] == p["i"] for k in mine), "an officer of another institution")
        if known:
            need(known["u"] == p["u"], "a key of another officer")
        else:
            need(all(k in self.revoked for k in mine), "the old key is not revoked")
            mine.append(p["key"])
        if not known or known["rcp"] != p["rcp"]:
            need(not known and rcp_hash(p["rcp"]) not in self.fresh, "a recipient that is not fresh")
        self.fresh.add(rcp_hash(p["rcp"]))
        self.officers[p["key"]] = {k: p[k] for k in ("ed", "i", "key", "na", "nb", "rcp", "roles", "u")}
        return [self._registrars(p["i"], 2)]

    def current(self, u):
        need(self.person.get(u), "an officer who is not enrolled")
        return self.officers[self.person[u][-1]]

    def _officer_revoke(self, p):
        officer = self.current(p["u"])
        need(p["key"] == officer["key"] and p["key"] not in self.revoked, "not the key of the officer")
        signers = self._registrars(officer["i"], 1)
        self.revoked[p["key"]] = {"at": p["at"], "from": p["from"]}
        return [signers]

    def _card(self, p):
        home = {"u": lambda u: self.current(u)["i"], "d": lambda d: self.desk(d)["i"], "i": lambda i: self.inst(i)["i"]}
        i = home[p["of"][0]](p["of"])
        self.cards[p["of"]] = p["c"]
        return [self._registrars(i, 1)]

    def desk(self, d):
        need(d in self.desks, "a desk that is not known")
        return self.desks[d]

    def _desk_profile(self, p):
        self.inst(p["i"])
        old = self.desks.get(p["d"])
        need(not old or old["i"] == p["i"], "a desk of another institution")
        members = old["members"] if old else []
        need(p["fn"] != "rep" or len(members) <= 1, "a representative's desk with several members")
        rep = p["fn"] == "rep" or (old and old["fn"] == "rep")
        self.desks[p["d"]] = {**{k: p[k] for k in ("d", "fn", "i", "na", "nb")}, "members": members}
        return [self._registrars(p["i"], 2 if rep else 1)]

    def _desk_members(self, p):
        desk = self.desk(p["d"])
        added = set(p["members"]) - set(desk["members"])
        need(set(p["members"]) != set(desk["members"]), "members as they were")
        for u in added:
            officer = self.current(u)
            need(officer["i"] == desk["i"] and officer["key"] not in self.revoked, "a member of another institution, or revoked")
        need(desk["fn"] != "rep" or len(p["members"]) <= 1, "a representative's desk with several members")
        desk["members"] = p["members"]
        return [self._registrars(desk["i"], 2 if added else 1)]

    def active(self, d, at):
        """The keys of a desk's members who are active at a time."""
        found = []
        for u in self.desk(d)["members"]:
            officer = self.current(u)
            if officer["key"] not in self.revoked and officer["nb"] <= at < officer["na"]:
                found.append(officer)
        return found

    def _desk_rota(self, p):
        desk = self.desk(p["d"])
        need(len({c["u"] for c in p["contacts"]}) == len(p["contacts"]), "a contact stands twice")
        for c in p["contacts"]:
            officer = self.current(c["u"])
            need(officer["i"] == desk["i"] and officer["key"] not in self.revoked, "a contact of another institution, or revoked")
            need("card" not in c or c["card"] == self.cards.get(c["u"]), "not the latest card")
        self.rotas[p["d"]] = {k: p[k] for k in ("contacts", "d", "from", "to")}
        return [(1, [o["ed"] for o in self.active(p["d"], p["at"]) if {"head", "duty"} & set(o["roles"])])]

    def _desk_epoch(self, p):
        active = self.active(p["d"], p["at"])
        epochs = self.epochs.setdefault(p["d"], [])
        need(p["e"] == len(epochs) + 1, "not the next epoch")
        need(p["rk"] not in self.fresh, "a key that is not fresh")
        self.fresh.add(p["rk"])
        need(Counter(x["key"] for x in p["pkg"]) == Counter(o["key"] for o in active), "packages do not cover the members")
        custodians = self.inst(self.desk(p["d"])["i"])["custodians"]
        subsets = itertools.combinations(range(len(custodians["rcps"])), custodians["k"]) if custodians["k"] else []
        need([x["cust"] for x in p["esc"]] == [list(s) for s in subsets], "escrow does not cover the custodians")
        self.escrows[(p["d"], p["e"])] = custodians["rcps"] if p["esc"] else []
        epochs.append({**{k: p[k] for k in ("at", "d", "e", "esc", "pkg", "rk")}, "acks": [], "by": "", "disputed": False, "n": self.n})
        return [(1, [o["ed"] for o in active])]

    def _epoch(self, p):
        epochs = self.epochs.get(p["d"], [])
        need(p["e"] <= len(epochs), "an epoch that is not known")
        epoch = epochs[p["e"] - 1]
        need(not epoch["disputed"], "a disputed epoch")
        packed = {x["key"] for x in epoch["pkg"]}
        if len(packed) == 1:
            checkers = self._registrars(self.desk(p["d"])["i"], 1)[1]
        else:
            checkers = [o["ed"] for o in self.active(p["d"], p["at"]) if o["key"] in packed]
        return epoch, [k for k in checkers if of_key(k) != epoch["by"]]

    def _desk_epoch_ack(self, p):
        epoch, checkers = self._epoch(p)
        return [(1, [k for k in checkers if of_key(k) not in epoch["acks"]])]

    def _desk_epoch_dispute(self, p):
        epoch, checkers = self._epoch(p)
        epoch["disputed"] = True
        return [(1, checkers)]

    def _pack_adopt(self, p):
        need(all(x["hash"] == p["hash"] for x in self.packs if x["id"] == p["id"]), "another hash for the same pack")
        self.packs.append({k: p[k] for k in ("from", "hash", "id")})
        return [self._delegates()]

    def _calendar_day(self, p):
        self.days[(p["zone"], p["date"])] = {k: p[k] for k in ("date", "off", "ref", "zone")}
        return [self._delegates()]

    def _audit_grant(self, p):
        self.desk(p["d"])
        self.grants.append({k: p[k] for k in ("d", "from", "scope", "to")})
        return [self._delegates()]

    # ---- answers about the directory as it is now ----

    def key_of(self, keyid, at):
        """The key of an officer: enrolled, not revoked, in term at a time."""
        need(keyid in self.officers and keyid not in self.revoked, "a key that is not enrolled, or revoked")
        officer = self.officers[keyid]
        need(officer["nb"] <= at < officer["na"], "an officer not in term")
        return officer

    def custodian_key(self, by):
        """What a custodian of a desk's institution signs with."""
        need(self.desk(by["desk"])["i"] == by["inst"], "a desk of another institution")
        keys = [k for k in self.inst(by["inst"])["custodians"].get("keys", []) if of_key(k) == by["key"]]
        need(keys, "a key of no custodian of the desk's institution")
        return keys[0]

    def escrow_files(self, d, e, signers):
        """The escrow files of an epoch that are sealed only to some of these
        custodians: by the recipients that are paired with their keys now."""
        need(e <= len(self.epochs.get(d, [])), "an epoch that is not known")
        now, then = self.inst(self.desk(d)["i"])["custodians"], self.escrows[(d, e)]
        mine = [r for k, r in zip(now.get("keys", []), now["rcps"]) if of_key(k) in signers]
        seats = {then.index(r) for r in mine if r in then}
        return [{**f, "e": e} for f in self.epochs[d][e - 1]["esc"] if seats.issuperset(f["cust"])]

    def check_actor(self, by, at):
        officer, desk = self.key_of(by["key"], at), self.desk(by["desk"])
        need(officer["i"] == by["inst"] == desk["i"], "an officer or a desk of another institution")
        need(officer["u"] in desk["members"], "an officer who is no member of the desk")
        need(self.open(by["desk"], at), "a desk or institution out of term")

    def open(self, d, at):
        desk = self.desk(d)
        inst = self.inst(desk["i"])
        return desk["nb"] <= at < desk["na"] and inst["nb"] <= at < inst["na"]

    def type_of(self, d):
        desk = self.desk(d)
        return "representative" if desk["fn"] == "rep" else self.inst(desk["i"])["type"]

    def active_epoch(self, d):
        usable = [e for e in self.epochs.get(d, []) if e["acks"] and not e["disputed"]]
        need(usable, "a desk without an active epoch")
        return usable[-1]

    def pack_in_force(self, family, at):
        found = None
        for x in self.packs:
            if x["id"].split("@")[0] == family and x["from"] <= at and (not found or x["from"] >= found["from"]):
                found = x
        return found

    # ---- the dump (section 7) ----

    def dump(self):
        charter = dict(self.charter or {
            "council": {"k": 0, "keys": []}, "delegates": [], "logs": {"dir": "", "ev": ""},
            "quorum": {"dir": "", "ev": ""}, "witnesses": [],
        })
        gone = self.undelegated | set(self.revoked)
        charter["delegates"] = [d for d in charter["delegates"] if of_key(d["key"]) not in gone]
        charter.update({"demo": self.demo, "genesis": self.genesis, "name": self.name})
        officers = [
            {**o, "revoked_at": self.revoked.get(k, {}).get("at", 0), "revoked_from": self.revoked.get(k, {}).get("from", 0)}
            for k, o in sorted(self.officers.items())
        ]
        epochs = sorted((e for es in self.epochs.values() for e in es), key=lambda e: f"{e['d']}/{e['e']:05}")
        return {
            "cards": [{"c": c, "of": of} for of, c in sorted(self.cards.items())],
            "chains": [{"hash": h, "subject": s} for s, h in sorted(self.chains.items())],
            "charter": charter,
            "days": [self.days[k] for k in sorted(self.days, key=" ".join)],
            "desks": [{**x, "members": sorted(x["members"])} for _, x in sorted(self.desks.items())],
            "epochs": epochs,
            "grants": sorted(self.grants, key=lambda g: g["d"]),
            "insts": [x for _, x in sorted(self.insts.items())],
            "n": self.n,
            "officers": officers,
            "packs": sorted(self.packs, key=lambda x: x["id"].split("@")[0]),
            "rotas": [x for _, x in sorted(self.rotas.items())],
            "v": 1,
        }


def changed(old, new):
    groups = [(old["k"], old["keys"])]
    if old["k"] != new["k"] or set(old["keys"]) != set(new["keys"]):
        groups.append((new["k"], new["keys"]))
    return groups
