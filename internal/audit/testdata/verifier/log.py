"""Trees, checkpoints, proofs, tiles and quorums (ledger/FORMAT.md; the policy
of witnesses in internal/audit/FORMAT.md)."""

import hashlib
import re

from .canon import MAX_INT, Refused, need, signed, unb64

MAX_NOTE = 131_072
MAX_LINES = 100
NUMBER = re.compile("0|[1-9][0-9]{0,15}")
EMPTY = hashlib.sha256(b"").digest()


def number(text):
    need(NUMBER.fullmatch(text) is not None and int(text) <= MAX_INT, f"{text[:20]!r} is no number")
    return int(text)


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes):
    """MTH over hashes of leaves, or of whole subtrees of one size."""
    if not hashes:
        return EMPTY
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node_hash(root_of(hashes[:k]), root_of(hashes[k:]))


def root_by_path(index, size, leaf, path):
    """The root that an audit path of RFC 6962 leads to."""
    need(index < size, "the entry lies beyond the checkpoint")
    h, rest, last = leaf, list(path), size - 1
    while last > 0:
        if index & 1:
            need(rest, "the path is too short")
            h = node_hash(rest.pop(0), h)
        elif index < last:
            need(rest, "the path is too short")
            h = node_hash(h, rest.pop(0))
        index, last = index >> 1, last >> 1
    need(not rest, "the path is too long")
    return h


# ---- keys of notes ----


class Vkey:
    """A verifier key of signed-note: name, key id, algorithm, Ed25519 key."""

    def __init__(self, text, algorithms=(1,)):
        self.text = text
        parts = text.split("+", 2)
        need(len(text) <= 256 and len(parts) == 3, "no verifier key")
        self.name, raw = parts[0], unb64(parts[2])
        need(origin_ok(self.name), "no name of a key")
        need(len(raw) == 33 and raw[0] in algorithms, "a verifier key of another kind")
        self.id = hashlib.sha256(self.name.encode() + b"\n" + raw).digest()[:4]
        need(self.id.hex() == parts[1], "the key id is not that of the key")
        self.algorithm, self.key = raw[0], raw[1:]


def origin_ok(name):
    return 0 < len(name) <= 255 and all(0x21 <= ord(c) <= 0x7E and c != "+" for c in name)


# ---- checkpoints ----


class Note:
    """A signed note with a checkpoint in it; nothing is verified yet."""

    def __init__(self, raw):
        need(len(raw) <= MAX_NOTE, "a note too long")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("a note that is no UTF-8") from None
        need(not any(ord(c) < 0x20 and c != "\n" for c in text), "a control character in a note")
        body, cut, signatures = text.rpartition("\n\n")
        need(cut and signatures.endswith("\n"), "no note")
        self.text = body + "\n"
        lines = self.text.split("\n")
        need(len(lines) == 4 and lines[3] == "", "a checkpoint has three lines")
        need(origin_ok(lines[0]), "the origin of a checkpoint")
        self.origin, self.size, self.root = lines[0], number(lines[1]), unb64(lines[2])
        need(len(self.root) == 32, "the root of a checkpoint")
        need(self.size > 0 or self.root == EMPTY, "the root of no entries")
        self.lines = [self._line(line) for line in signatures[:-1].split("\n")]
        need(len(self.lines) <= MAX_LINES, "too many signatures")

    @staticmethod
    def _line(line):
        words = line.split(" ")
        need(len(words) == 3 and words[0] == "\u2014", "no signature line")
        name, raw = words[1], unb64(words[2])
        need(name and "+" not in name and not any(c.isspace() for c in name), "no name of a signer")
        need(len(raw) >= 5, "a signature too short")
        return name, raw[:4], raw[4:]

    def of(self, vkey):
        return [sig for name, key, sig in self.lines if (name, key) == (vkey.name, vkey.id)]

    def verify(self, vkey):
        """Section 3: exactly one signature of the log's key, and it verifies."""
        need(self.origin == vkey.name, f"a checkpoint of {self.origin}, not of {vkey.name}")
        mine = self.of(vkey)
        need(len(mine) == 1 and signed(vkey.key, mine[0], self.text.encode()), "the log did not sign the checkpoint")

    def cosigned(self, vkey):
        """None, or the time a witness put there (ms; 0 of a plain signature).
        Of several lines of one key the first counts."""
        mine = self.of(vkey)
        if not mine:
            return None
        sig, text = mine[0], self.text.encode()
        if vkey.algorithm == 1:
            return 0 if signed(vkey.key, sig, text) else None
        if len(sig) != 72:
            return None
        seconds = int.from_bytes(sig[:8], "big")
        ok = signed(vkey.key, sig[8:], b"cosignature/v1\ntime %d\n" % seconds + text)
        return seconds * 1000 if ok else None


class Proof:
    """A .tlog-proof file (section 4)."""

    def __init__(self, raw):
        head, cut, note = raw.partition(b"\n\n")
        need(cut, "no proof file")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise Refused("no proof file") from None
        need(lines[0] == "c2sp.org/tlog-proof@v1", "no proof file")
        need(len(lines) >= 2 and lines[1].startswith("index "), "a proof without an index")
        self.index, self.note = number(lines[1][6:]), Note(note)
        need(len(lines) <= 2 + 53, "a path of more than 53 hashes")
        self.path = [unb64(line) for line in lines[2:]]
        need(all(len(h) == 32 for h in self.path), "a hash of a path")

    def verify(self, entry, vkey):
        self.note.verify(vkey)
        root = root_by_path(self.index, self.note.size, leaf_hash(entry), self.path)
        need(root == self.note.root, "the path does not lead to the root of the checkpoint")


# ---- witnesses ----


class Policy:
    """Who must cosign (C2SP tlog-policy)."""

    def __init__(self, text):
        self.witnesses, self.groups, self.logs, self.quorum = {}, {}, [], None
        need(len(text.encode()) <= 8192, "a policy too long")
        if text == "none":
            self.quorum = "none"
            return
        for line in text.split("\n"):
            words = line.split("#")[0].split()
            if words:
                self._line(words)
        need(self.quorum is not None, "a policy without a quorum")

    def _line(self, words):
        kind, rest = words[0], words[1:]
        if kind == "log" and rest:
            self.logs.append(rest[0])
            return
        if kind == "witness" and len(rest) in (2, 3):
            self._new(rest[0])
            self.witnesses[rest[0]] = Vkey(rest[1], (1, 4))
        elif kind == "group" and len(rest) >= 3:
            members = rest[2:]
            least = {"any": 1, "all": len(members)}.get(rest[1]) or number(rest[1])
            need(1 <= least <= len(members), "a threshold beyond its group")
            need(len(set(members)) == len(members) and all(self._known(m) for m in members), "members of a group")
            self._new(rest[0])
            self.groups[rest[0]] = (least, members)
        elif kind == "quorum" and len(rest) == 1 and self.quorum is None:
            need(rest[0] == "none" or self._known(rest[0]), "a quorum of nobody known")
            self.quorum = rest[0]
        else:
            raise Refused("a line of a policy")

    def _known(self, name):
        return name in self.witnesses or name in self.groups

    def _new(self, name):
        need(name != "none" and not self._known(name), "a name in a policy is taken")
        need(len(self.witnesses) + len(self.groups) < 128, "too many names in a policy")

    def _met(self, name, who):
        if name in self.groups:
            least, members = self.groups[name]
            return sum(self._met(m, who) for m in members) >= least
        return name in who

    def check(self, vkey, note):
        """What a policy that the verifier brings along asks of a checkpoint."""
        need(not self.logs or vkey.text in self.logs, "the policy names other logs")
        need(self.standing(note)[0] != "provisional", "the policy asks for more cosignatures")

    def standing(self, note):
        """The standing of a checkpoint, and when each witness cosigned."""
        times = {name: note.cosigned(v) for name, v in self.witnesses.items()}
        who = {name: at for name, at in times.items() if at is not None}
        if self.quorum == "none":
            return "unwitnessed", who
        return ("confirmed" if self._met(self.quorum, who) else "provisional"), who
