"""What a statement of the directory looks like (keys/directory/FORMAT.md,
sections 1, 2 and 4)."""

import functools
import re
import unicodedata

from .canon import (
    b64, boolean, code, const, digest, ident, integer, keyid, ms, need, obj, pattern, several, unb64,
)
from .canon import Refused, Statement
from .log import Vkey

TYPE = "application/vnd.odziv.dir.v1+json"
MAX_LEAF = 65_535
ROLES = ("member", "duty", "head", "supervisor", "dpo", "desk-key", "registrar", "auditor")
FUNCTIONS = (
    "intake", "case", "legal", "duty", "head", "prosecutor", "registry", "judge", "office", "supervision", "audit", "rep",
)
SMALL_ORDER = {
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    *(bytes([first]) + b"\xff" * 30 + b"\x7f" for first in (0xEC, 0xED, 0xEE)),
}
BECH32 = {c: i for i, c in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def large_order(raw):
    need(raw[:31] + bytes([raw[31] & 0x7F]) not in SMALL_ORDER, "a key of small order")


def key(v):
    b64(32)(v)
    large_order(unb64(v))


def recipient(v):
    """A hybrid age recipient: X-Wing, in Bech32."""
    need(isinstance(v, str) and len(v) == 1959 and v.startswith("age1pq1"), "no hybrid recipient")
    _recipient(v)


@functools.lru_cache(maxsize=256)
def _recipient(v):
    data = [BECH32.get(c) for c in v[7:]]
    need(None not in data, "no Bech32")
    prefix, check = "age1pq", 1
    for x in [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + data:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ x
        for i, g in enumerate(GENERATOR):
            check ^= g if top >> i & 1 else 0
    need(check == 1, "the checksum of a recipient")
    bits = len(data[:-6]) * 5
    value = 0
    for x in data[:-6]:
        value = value << 5 | x
    spare = bits - 1216 * 8
    need(0 <= spare < 5 and value & (1 << spare) - 1 == 0, "the padding of a recipient")
    raw = (value >> spare).to_bytes(1216, "big")
    for i in range(0, 1152, 3):  # 768 coefficients of 12 bits; then a seed of 32 bytes, and X25519
        a, b, c = raw[i : i + 3]
        need((a | (b & 15) << 8) < 3329 and (b >> 4 | c << 4) < 3329, "no ML-KEM key in a recipient")


def printable(v):
    need(isinstance(v, str) and 1 <= len(v) <= 64, "a text of 1 to 64 characters")
    need(all(c == " " or unicodedata.category(c)[0] in "LMNPS" for c in v), "a character that does not print")


def vkey(*algorithms):
    def check(v):
        need(isinstance(v, str), "no verifier key")
        large_order(Vkey(v, algorithms).key)

    return check


def quorum(v):
    need(isinstance(v, str), "no quorum")
    if v == "none":
        return
    need(len(v.encode()) <= 8192, "a quorum too long")
    words = [line.split()[0] if line.split() else "" for line in v.split("\n") if not line.startswith("#")]
    need(all(w in ("", "log", "witness", "group", "quorum") for w in words), "a line of a quorum")
    need(words.count("quorum") == 1, "a quorum without its line")


def date(v):
    need(isinstance(v, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", v) is not None and v >= "1970", "no date")
    year, month, day = map(int, v.split("-"))
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    need(1 <= month <= 12 and 1 <= day <= [31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1], "no date")


inst, desk, officer = ident("i"), ident("d"), ident("u")
keys9 = several(key, 1, 9)
council = obj({"k": integer(1), "keys": keys9})
charter = {
    "council": council,
    "delegates": several(obj({"i": inst, "key": key}), 0, 32),
    "logs": obj({"dir": vkey(1), "ev": vkey(1)}),
    "quorum": obj({"dir": quorum, "ev": quorum}),
    "witnesses": several(obj({"operator": printable, "vkey": vkey(1, 4)}), 0, 32),
}
term = {"nb": ms, "na": ms}
span = {"from": ms, "to": ms}
epoch = integer(1, 99_999)
zone = pattern(r"[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")


def short_zone(v):
    zone(v)
    need(len(v) <= 64, "a zone too long")


def either(*checks):
    def check(v):
        for one in checks:
            try:
                return one(v)
            except Refused:
                continue
        raise Refused("none of what it may be")

    return check


# subject, members, optional members
KINDS = {
    "genesis": (None, {"name": printable, **charter}, {"demo": const(True)}),
    "policy": (None, charter, {}),
    "delegate.revoke": (None, {"key": keyid, "reason": code}, {}),
    "inst.join": ("i", {"i": inst, "root": council}, {}),
    "inst.profile": (
        "i",
        {
            "i": inst, "type": code, "level": code, "territory": several(code, 0, 256),
            "escalates_to": either(const(""), inst), "emergency": boolean, **term,
        },
        {"pred": inst},
    ),
    "inst.root": ("i", {"i": inst, "k": integer(1), "keys": keys9}, {}),
    "inst.registrars": ("i", {"i": inst, "keys": several(key, 2, 16)}, {}),
    "inst.custodians": ("i", {"i": inst, "k": integer(1), "rcps": several(recipient, 1, 5)}, {"keys": several(key, 1, 5)}),
    "inst.observer": ("i", {"i": inst, "key": key}, {}),
    "officer.enrol": (
        "u",
        {
            "u": officer, "i": inst, "key": keyid, "ed": key, "rcp": recipient,
            "roles": several(const(*ROLES), 1, 8), **term,
        },
        {},
    ),
    "officer.revoke": ("u", {"u": officer, "key": keyid, "from": ms, "reason": code}, {}),
    "card": ("of", {"of": ident("u", "d", "i"), "c": b64(32)}, {}),
    "desk.profile": ("d", {"d": desk, "i": inst, "fn": const(*FUNCTIONS), **term}, {}),
    "desk.members": ("d", {"d": desk, "members": several(officer, 0, 64)}, {}),
    "desk.rota": ("d", {"d": desk, "contacts": several(obj({"u": officer}, {"card": b64(32)}), 1, 16), **span}, {}),
    "desk.epoch": (
        "d",
        {
            "d": desk, "e": epoch, "rk": digest, "why": code,
            "pkg": several(obj({"key": keyid, "sha256": digest}), 1, 64),
            "esc": several(obj({"cust": several(integer(0, 4), 1, 5), "sha256": digest}), 0, 10),
        },
        {},
    ),
    "desk.epoch.ack": ("d", {"d": desk, "e": epoch}, {}),
    "desk.epoch.dispute": ("d", {"d": desk, "e": epoch, "why": code}, {}),
    "pack.adopt": ("id", {"id": pattern("[a-z0-9-]{1,40}@[1-9][0-9]{0,8}"), "hash": digest, "from": ms}, {}),
    "calendar.day": ("zone", {"zone": short_zone, "date": date, "off": boolean, "ref": printable}, {}),
    "audit.grant": ("d", {"d": desk, "scope": const("meta"), **span}, {}),
}


class Leaf:
    """One well-formed statement of the directory."""

    def __init__(self, value):
        self.statement = Statement(value, MAX_LEAF)
        need(self.statement.type == TYPE, "not a statement of the directory")
        p = self.payload = self.statement.payload
        need(isinstance(p, dict) and p.get("t") in KINDS, "a kind of statement that is not known")
        self.t = p["t"]
        subject, members, optional = KINDS[self.t]
        seen = const(0) if self.t == "genesis" else integer(1)
        head = {"at": ms, "dirn": seen, "prev": either(const(""), digest), "t": const(self.t), "v": const(1)}
        obj({**head, **members}, optional)(p)
        self.subject = p[subject] if subject else "policy"
        if "nb" in p:
            need(p["nb"] < p["na"], "a term that ends before it begins")
        if "to" in p and "from" in p:
            need(p["from"] < p["to"], "a time that ends before it begins")
        for k, keys in self._thresholds():
            need(k <= len(keys), "a threshold beyond its keys")
        if "logs" in p:
            need(p["logs"]["dir"] != p["logs"]["ev"], "one key for both logs")
        if self.t == "inst.custodians" and "keys" in p:
            need(len(p["keys"]) == len(p["rcps"]), "a key for each custodian")
        if self.t == "officer.revoke":
            need(p["from"] <= p["at"], "revoked from a time to come")

    def _thresholds(self):
        p = self.payload
        for part in (p.get("council"), p.get("root"), p if "k" in p else None):
            if part is not None:
                yield part["k"], part.get("keys") or part["rcps"]

    def thresholds(self):
        return list(self._thresholds())
