"""Audit bundles (internal/audit/FORMAT.md, section 3): everything but what rule
packs and consents decide, for which messaging/obligation and consent have
second programs of their own."""

import hashlib
import io
import re
import struct
import zipfile
import zlib

from .canon import Refused, anything, b64, const, decode, digest, integer, need, obj, string, unb64
from .directory import Directory
from .entry import Opening, host_of
from .evforms import ESCROW, ESCROW_TERM, ask_of, read_leaf
from .log import Note, Policy, leaf_hash, root_of

TYPE = "application/vnd.odziv.bundle.v1+zip"
MAX_FILES, MAX_TABLE = 131_072, 16 << 20
log_form = obj({"root": b64(32), "size": integer(0)})
manifest_form = obj(
    {"dir": log_form, "ev": log_form, "genesis": digest, "host": string(255), "made": integer(0), "type": const(TYPE), "v": const(1)}
)
with_priv = obj({"idx": integer(0), "meta": anything, "priv": anything, "rm": b64(32), "rp": b64(32)})
meta_only = obj({"idx": integer(0), "meta": anything, "rm": b64(32)})


class Archive:
    """A zip of stored files, every one of which must be asked for."""

    def __init__(self, data):
        try:
            self.data, self.zip = data, zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
            raise Refused("no zip archive") from None
        infos = self.zip.infolist()
        need(len(infos) <= MAX_FILES, "too many files")
        need(len(data) - self.zip.start_dir <= MAX_TABLE, "a table of contents too long")
        self.infos = {i.filename: i for i in infos}
        need(len(self.infos) == len(infos), "a file stands twice")
        for i in infos:
            need(i.compress_type == zipfile.ZIP_STORED and i.compress_size == i.file_size, "a compressed file")
            need(not i.flag_bits & 1, "an encrypted file")
        need(sum(i.file_size for i in infos) <= len(data), "files longer than the archive")
        self.unread = set(self.infos)

    def read(self, name, limit=1 << 26):
        need(name in self.infos, f"{name} is missing")
        need(self.infos[name].file_size <= limit, f"{name} is too long")
        self.unread.discard(name)
        info = self.infos[name]
        head = self.data[info.header_offset : info.header_offset + 30]
        need(len(head) == 30 and head[:4] == b"PK\3\4", f"{name} is not where the table of contents says")
        start = info.header_offset + 30 + sum(struct.unpack("<HH", head[26:30]))
        data = self.data[start : start + info.file_size]
        need(len(data) == info.file_size, f"{name} is cut short")
        need(zlib.crc32(data) == info.CRC, f"{name} has another checksum")
        return data


def tile_path(n, width):
    text = f"{n % 1000:03}"
    while n >= 1000:
        n //= 1000
        text = f"x{n % 1000:03}/{text}"
    return text + (f".p/{width}" if width < 256 else "")


class Log:
    """One tree, computed from its entries; every tile must agree."""

    def __init__(self, archive, name, size):
        self.archive, self.name, self.size, self.hashes = archive, name, size, []
        for n, width in self._tiles(size):
            self.hashes += [leaf_hash(e) for e in self.bundle(n, width)]
        level, hashes = 0, self.hashes
        while hashes:
            for n, width in self._tiles(len(hashes)):
                want = b"".join(hashes[256 * n : 256 * n + width])
                file = f"{name}/tile/{level}/{tile_path(n, width)}"
                need(archive.read(file) == want, f"{file} is not what the entries give")
            level, hashes = level + 1, [root_of(hashes[i : i + 256]) for i in range(0, len(hashes) // 256 * 256, 256)]
        self.root = root_of(self.hashes)

    @staticmethod
    def _tiles(size):
        return [(n, min(256, size - 256 * n)) for n in range((size + 255) // 256)]

    def bundle(self, n, width):
        file = f"{self.name}/tile/entries/{tile_path(n, width)}"
        data, at, entries = self.archive.read(file), 0, []
        while len(entries) < width:
            length = int.from_bytes(data[at : at + 2], "big")
            need(length > 0 and at + 2 + length <= len(data), f"{file} ends early")
            entries.append(data[at + 2 : at + 2 + length])
            at += 2 + length
        need(at == len(data), f"{file} is too long")
        return entries

    def entries(self):
        for n, width in self._tiles(self.size):
            yield from self.bundle(n, width)


def policy_text(vkey, quorum):
    """The policy file of a log, out of what the directory says."""
    text = f"log {vkey}\n"
    for line in ["quorum none"] if quorum == "none" else quorum.split("\n"):
        words = line.split("#")[0].split()
        if words and words[0] != "log":
            text += " ".join(words) + "\n"
    return text.encode()


class Bundle:
    def __init__(self, data, genesis=None, policy=None):
        archive = self.archive = Archive(data)
        m = self.manifest = decode(archive.read("bundle.json", 4096), 4096, "bundle.json")
        manifest_form(m)
        need(genesis is None or m["genesis"] == genesis, "another genesis")
        self.logs, notes = {}, {}
        for name in ("dir", "ev"):
            need(m[name]["size"] <= MAX_FILES * 256, "a log that no archive holds")
            self.logs[name] = log = Log(archive, name, m[name]["size"])
            notes[name] = note = Note(archive.read(name + "/checkpoint", 1 << 17))
            need(log.root == unb64(m[name]["root"]) == note.root, f"{name}: another root")
            need(note.size == log.size, f"{name}: another size")
        self.directory = Directory()
        self.lines = self._read_lines()
        self._replay(m)
        self.standing = {}
        for name, note in notes.items():
            self._checkpoint(name, note, policy)
        self._packs()
        need(not archive.unread, f"{min(archive.unread, default='')} must not be there")

    def _checkpoint(self, name, note, policy):
        keys, host = host_of(self.directory.charters[-1:], name)
        need(host == self.manifest["host"], "another host")
        note.verify(keys[0])
        quorum = self.directory.charter["quorum"][name]
        file = self.archive.read(name + "/policy", 1 << 14)
        need(file == policy_text(keys[0].text, quorum), f"{name}/policy is not that of the directory")
        if policy:
            policy.check(keys[0], note)
        standing, who = Policy(quorum).standing(note)
        self.standing[name] = {"standing": standing, "witnesses": [{"at": who[n], "name": n} for n in sorted(who)]}

    # ---- openings ----

    def _read_lines(self):
        lines, size = {}, self.logs["ev"].size
        for n in range((size + 255) // 256):
            name = f"openings/{n:06}.jsonl"
            if name not in self.archive.infos:
                continue
            data, last = self.archive.read(name), -1
            need(data.endswith(b"\n"), f"{name} does not end with a line")
            for raw in data[:-1].split(b"\n"):
                line = decode(raw, 1 << 19, name)
                (with_priv if isinstance(line, dict) and "priv" in line else meta_only)(line)
                need(max(last, 256 * n - 1) < line["idx"] < min(size, 256 * n + 256), f"{name}: out of order")
                last = line["idx"]
                lines[last] = line
        return lines

    def _replay(self, m):
        """Both trees in their order: the directory as it was at META.dirn."""
        leaves = list(self.logs["dir"].entries())
        self.last, self.feeds, self.objects = None, {}, {}
        self.asked, self.releases, self.holes = {}, {}, False
        self.full = {i for i in self.lines if "priv" in self.lines[i]}
        self.erased = {}
        for index, raw in enumerate(self.logs["ev"].entries()):
            m_, p_ = read_leaf(raw)
            if index in self.lines:
                opening = Opening(index, self.lines[index])
                need(opening.is_in(m_, p_), f"entry {index}: the opening is not of this leaf")
                self._forward(leaves, opening.meta["dirn"])
                self._opening(index, opening)
            if index not in self.full:
                self.holes = True
        self._forward(leaves, len(leaves))
        need(self.directory.genesis == m["genesis"], "leaf 0 is another genesis")
        self._complete()

    def _forward(self, leaves, n):
        need(n <= len(leaves), "META.dirn beyond the directory")
        while self.directory.n < n:
            raw = leaves[self.directory.n]
            self.directory.apply(raw, decode(raw, 65_535, "leaf of the directory"))

    def _opening(self, index, opening):
        """Steps 4 and 5."""
        d, meta, priv = self.directory, opening.meta, opening.priv
        if self.last is not None:
            need(self.last["at"] <= meta["at"] and self.last["dirn"] <= meta["dirn"], "a time or directory that falls")
        self.last = meta
        before = self.objects.get(meta["obj"], -1)
        need(
            meta["prev"] == before or before < meta["prev"] < index and meta["prev"] not in self.lines,
            f"entry {index}: META.prev",
        )
        self.objects[meta["obj"]] = index
        if priv is None:
            return
        if opening.statement is not None:
            opening.verify(d)
            self._signed(opening, d, meta, priv)
        if meta["ev"] in ESCROW:
            self._escrow(index, opening, d, meta, priv)
        for place in priv["to"]:
            self._feed(place["desk"], index, place["n"])
        if meta["ev"] == "erasure.done":
            for gone in priv["data"]["erased"]:
                need(gone["idx"] < index and gone["idx"] not in self.lines, "an erasure of what is shown, or comes later")
                self.erased[gone["idx"]] = gone["to"]

    def _signed(self, opening, d, meta, priv):
        said, at = opening.said, meta["at"]
        need(meta.get("from") == d.type_of(said.by["desk"]), "META.from is another type")
        used = d.pack_in_force(said.pack.split("@")[0], at)
        need(used is not None and used["id"] == said.pack, "a pack that is not in force")
        adopted = [x["hash"] for x in d.packs if said.core is None or x["id"] == said.pack]
        need("pack" not in priv or priv["pack"] in adopted, "PRIV.pack was not adopted")
        if said.core is None:
            return
        need("pack" in priv, "a message without its pack")
        others = [t for t in said.core["to"] if t["role"] == "to"]
        need(meta["to"] == sorted({d.type_of(t["desk"]) for t in others}), "META.to are other types")
        for t in said.core["to"]:
            epoch = d.active_epoch(t["desk"])
            need((epoch["e"], epoch["rk"]) == (t["epoch"], t["rk"]), "a recipient's epoch or key")

    def _escrow(self, index, opening, d, meta, priv):
        """Every release is of what custodians asked for, and of no more."""
        if meta["ev"] == "escrow.released":
            self._released(d, meta, priv["data"])
            self.releases[index] = priv["data"]
            return
        p, key = opening.statement.payload, opening.said.by["key"]
        if meta["ev"] == "escrow.requested":
            self.asked[index] = (ask_of(p), key, meta["at"])
        if meta["ev"] == "escrow.refused":
            self.asked = {i: r for i, r in self.asked.items() if r[:2] != (ask_of(p), key)}
        if meta["ev"] == "escrow.opened" and (p["release"] in self.releases or not self.holes):
            need(p["release"] in self.releases, "a report on no release")
            data = self.releases[p["release"]]
            need(ask_of(data) == ask_of(p) and key in [r["key"] for r in data["requests"]], "a report on another release")

    def _released(self, d, meta, data):
        for r in data["requests"]:
            asked = self.asked.pop(r["idx"], None)
            if asked is None:
                need(self.holes, "a request that does not count")
                continue
            ask, key, at = asked
            need(ask == ask_of(data) and key == r["key"], "a request for something else")
            need(at > meta["at"] - ESCROW_TERM, "a request that is too old")
        keys = [r["key"] for r in data["requests"]]
        k = d.inst(d.desk(data["desk"])["i"])["custodians"]["k"]
        need(1 <= k <= len(keys), "fewer custodians than the institution wants")
        files = [d.escrow_files(data["desk"], e, keys) for e in data["epochs"]]
        need(all(files) and [f for fs in files for f in fs] == data["files"], "files that are not sealed to those who asked")

    def _feed(self, desk, index, n):
        places = self.feeds.setdefault(desk, [])
        last, at = places[-1] if places else (0, -1)
        hidden = sum(i not in self.full for i in range(at + 1, index))
        need(last < n <= last + 1 + hidden, f"a feed with a hole at entry {index}")
        places.append((n, index))

    def _complete(self):
        size = self.logs["ev"].size
        self.hidden = [i for i in range(size) if i not in self.lines and i not in self.erased]
        if self.hidden or len(self.full) < len(self.lines):
            return
        for desk, places in self.feeds.items():
            numbers = [n for n, _ in places]
            numbers += [t["n"] for to in self.erased.values() for t in to if t["desk"] == desk]
            need(sorted(numbers) == list(range(1, len(numbers) + 1)), f"a hole in the feed of {desk}")

    def _packs(self):
        """What a pack says is left to a reader of rule packs."""
        adopted = {(x["id"], x["hash"]) for x in self.directory.packs}
        for name in [n for n in self.archive.infos if re.fullmatch("packs/[^/]+\\.toml", n)]:
            found = hashlib.sha256(self.archive.read(name)).hexdigest()
            need((name[6:-5], found) in adopted, f"{name} was never adopted")

    # ---- verdicts ----

    def facts(self):
        return {
            "complete": not self.hidden, "demo": self.directory.demo, "erased": len(self.erased),
            "genesis": self.directory.genesis, "hidden": len(self.hidden), "kind": "bundle",
            "logs": {
                name: {"root": self.manifest[name]["root"], "size": log.size, **self.standing[name]}
                for name, log in self.logs.items()
            },
            "meta_only": len(self.lines) - len(self.full), "shown": len(self.lines),
        }


def same_history(one, two):
    """Whether in each log the smaller tree is the beginning of the larger."""
    result = {}
    for name in ("dir", "ev"):
        a, b = sorted((one.logs[name], two.logs[name]), key=lambda log: log.size)
        result[name] = root_of(b.hashes[: a.size]) == a.root
    return result
