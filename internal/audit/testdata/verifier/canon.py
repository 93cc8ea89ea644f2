"""Canonical JSON, DSSE and small forms (internal/statement/FORMAT.md)."""

import base64
import binascii
import functools
import hashlib
import json
import re
import unicodedata

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MAX_INT = 2**53 - 1
MAX_DEPTH = 32
MAX_PAYLOAD = 32_768
MAX_STATEMENT = 65_536
MAX_SIGNATURES = 20


class Refused(Exception):
    """What does not verify, and why."""


def need(condition, why):
    if not condition:
        raise Refused(why)


# ---- canonical JSON (section 1) ----


def _object(pairs):
    seen = {}
    for name, value in pairs:
        need(name not in seen, "a member stands twice")
        seen[name] = value
    return seen


def _no_fraction(_text):
    raise Refused("a number is not an integer")


def _check(value, depth):
    if isinstance(value, str):
        if value.isascii():
            return
        need(not any(0xD800 <= ord(c) <= 0xDFFF for c in value), "an unpaired surrogate")
        need(unicodedata.is_normalized("NFC", value), "a string is not NFC")
    elif isinstance(value, (list, dict)):
        need(depth < MAX_DEPTH, "nested too deep")
        for inner in value.values() if isinstance(value, dict) else value:
            _check(inner, depth + 1)
        if isinstance(value, dict):
            for name in value:
                _check(name, depth + 1)
    elif value is None:
        raise Refused("null")
    elif not isinstance(value, bool):
        need(-MAX_INT <= value <= MAX_INT, "an integer out of range")


def encode(value):
    """The one spelling of a value, as bytes."""

    def sort(v):
        if isinstance(v, dict):
            return {k: sort(v[k]) for k in sorted(v, key=lambda s: s.encode("utf-16-be", "surrogatepass"))}
        return [sort(x) for x in v] if isinstance(v, list) else v

    return json.dumps(sort(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def decode(data, limit, what):
    """Reads canonical JSON of at most limit bytes."""
    need(len(data) <= limit, f"{what}: longer than {limit} bytes")
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_object, parse_float=_no_fraction, parse_constant=_no_fraction
        )
    except Refused as e:
        raise Refused(f"{what}: {e}") from None
    except (ValueError, RecursionError):
        raise Refused(f"{what}: not JSON") from None
    try:
        _check(value, 0)
    except Refused as e:
        raise Refused(f"{what}: {e}") from None
    need(encode(value) == data, f"{what}: not in canonical form")
    return value


# ---- small forms (section 3), as checks of one value ----


def b64(n=None):
    def check(v):
        need(isinstance(v, str), "not base64")
        raw = unb64(v)
        need(n is None or len(raw) == n, f"not base64 of {n} bytes")

    return check


def unb64(text):
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raise Refused("not base64") from None
    need(base64.b64encode(raw).decode() == text, "base64 in another spelling")
    return raw


def pattern(regexp):
    compiled = re.compile(regexp)

    def check(v):
        need(isinstance(v, str) and compiled.fullmatch(v) is not None, f"not of the form {regexp}")

    return check


def ident(*prefixes):
    form = re.compile(f"({'|'.join(prefixes)})_[a-z2-7]{{25}}[aeimquy4]")  # 130 bits for 128: two are zero

    def check(v):
        need(isinstance(v, str) and form.fullmatch(v) is not None, f"not an identifier of {', '.join(prefixes)}")

    return check


def integer(low, high=MAX_INT):
    def check(v):
        need(isinstance(v, int) and not isinstance(v, bool) and low <= v <= high, f"not an integer from {low} on")

    return check


def const(*values):
    def check(v):
        need(any(type(v) is type(c) and v == c for c in values), f"not one of {values}")

    return check


def boolean(v):
    need(isinstance(v, bool), "not true or false")


def string(limit):
    def check(v):
        need(isinstance(v, str) and 0 < len(v.encode()) <= limit, "not a text, or too long")
        need(not any(unicodedata.category(c) == "Cc" for c in v), "a control character")

    return check


def several(inner, low, high, distinct=True):
    def check(v):
        need(isinstance(v, list) and low <= len(v) <= high, f"not a list of {low} to {high}")
        for x in v:
            inner(x)
        need(not distinct or len({encode(x) for x in v}) == len(v), "a value stands twice")

    return check


def obj(required, optional=None):
    """An object of exactly these members. An optional one is never empty."""
    optional = optional or {}

    def check(v):
        need(isinstance(v, dict), "not an object")
        for name in required:
            need(name in v, f"{name} is missing")
        for name, value in v.items():
            inner = required.get(name) or optional.get(name)
            need(inner is not None, f"{name} is unknown")
            if name in optional:
                need(value not in ("", 0, [], {}) and value is not False, f"{name} is empty")
            try:
                inner(value)
            except Refused as e:
                raise Refused(f"{name}: {e}") from None

    return check


def mapping(key, value, limit):
    def check(v):
        need(isinstance(v, dict) and len(v) <= limit, f"not an object of at most {limit}")
        for k, x in v.items():
            key(k)
            value(x)

    return check


def anything(_v):
    pass


code = pattern("[a-z0-9-]{1,40}")
digest = pattern("[0-9a-f]{64}")
keyid = pattern("ed25519:[0-9a-f]{64}")
ms = integer(1)
pack_id = pattern("[a-z0-9-]{1,32}@[1-9][0-9]{0,4}")

# ---- DSSE (section 2) ----

dsse_form = obj(
    {
        "payload": b64(),
        "payloadType": string(256),
        "signatures": several(obj({"keyid": keyid, "sig": b64(64)}), 1, MAX_SIGNATURES, distinct=False),
    }
)


def key_id(raw):
    return "ed25519:" + hashlib.sha256(raw).hexdigest()


class Statement:
    """A DSSE statement: its type, its payload, who signed it as it claims."""

    def __init__(self, value, limit=MAX_STATEMENT):
        dsse_form(value)
        self.bytes = encode(value)
        need(len(self.bytes) <= limit, f"a statement longer than {limit} bytes")
        self.type = value["payloadType"]
        self.raw = unb64(value["payload"])
        self.payload = decode(self.raw, MAX_PAYLOAD, "payload")
        self.signatures = [(s["keyid"], unb64(s["sig"])) for s in value["signatures"]]
        self.keys = [k for k, _ in self.signatures]
        need(len(set(self.keys)) == len(self.keys), "a key signed twice")

    def verify(self, keys):
        """Wants one valid signature of each key (base64 or bytes), and no more."""
        raw = {key_id(k): k for k in keys}
        need(set(self.keys) == set(raw), "other signatures than it needs")
        kind = self.type.encode()
        pae = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.raw), self.raw)
        for who, sig in self.signatures:
            need(signed(raw[who], sig, pae), f"the signature of {who[:20]} does not verify")


@functools.lru_cache(maxsize=4096)
def signed(key, sig, data):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(sig, data)
        return True
    except (InvalidSignature, ValueError):
        return False
