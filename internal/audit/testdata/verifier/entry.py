"""One entry of the evidence tree, and the key chain of a file
(internal/audit/FORMAT.md, section 1)."""

import hashlib
import hmac

from .canon import Refused, encode, need, unb64
from .dirforms import Leaf
from .directory import Directory, of_key
from .evforms import DATA, ESCROW, ESCROW_TERM, half, leaf_of, meta_form, priv_form, read_signed
from .log import Policy, Proof, Vkey


class Opening:
    """META and PRIV, checked against each other (steps 4 and 5); PRIV may be
    missing. self.m and self.p are what a leaf must hold."""

    def __init__(self, index, value):
        self.index, self.meta, self.priv = index, value["meta"], value.get("priv")
        self.m = half(self.meta, value["rm"], meta_form, "META")
        need(self.meta["idx"] == index, "META.idx is another index")
        self.statement = self.said = self.p = None
        if self.priv is not None:
            self.p = half(self.priv, value["rp"], priv_form, "PRIV")
            self._agree()

    def _agree(self):
        meta, priv, ev = self.meta, self.priv, self.meta["ev"]
        if ev in DATA:
            need("data" in priv and "stmt" not in priv, "an event of the exchange without its data")
            DATA[ev](priv["data"])
            need(meta["by"] == "system" or ev == "message.refused", "made by the exchange, says somebody else")
            if ev == "message.refused":
                need(meta["dec"] == "refuse:" + priv["data"]["code"], "META.dec is another refusal")
            if ev == "escrow.released":
                data = priv["data"]
                need(meta["obj"] == data["desk"] and data["until"] == meta["at"] + ESCROW_TERM, "a release of another desk or term")
                need(all(r["idx"] < meta["idx"] for r in data["requests"]), "a request that comes later")
            if ev == "silence":
                need(priv["data"].get("size") == meta["idx"], "silence about another tree")
            return
        need("stmt" in priv and "data" not in priv, "a signed event without its statement")
        self.statement, self.said = read_signed(ev, priv["stmt"])
        by = self.said.by
        need(meta["by"] == f"{by['inst']}/{by['desk']}", "META.by is another desk")
        need(meta["obj"] == self.said.about, "META.obj is something else")
        need(meta["dec"] == "allow", "on record, and refused")
        need(self.said.case in (None, priv.get("case")), "PRIV.case is another case")
        core = self.said.core
        if core is not None:
            need(meta.get("kind") == core["kind"] and meta.get("re") == core.get("re"), "META.kind or re")
            need(priv.get("env") == hashlib.sha256(self.statement.bytes).hexdigest(), "PRIV.env")
            need(priv.get("case") == self.said.case, "PRIV.case is another case")

    def leaf(self):
        return leaf_of(self.m, self.p)

    def is_in(self, m, p):
        return hmac.compare_digest(m, self.m) and (self.p is None or hmac.compare_digest(p, self.p))

    def verify(self, keys):
        """Step 6, with whoever knows the keys at META.dirn: a chain or a
        directory."""
        if self.statement is None:
            return
        names, by = self.statement.keys, self.said.by
        if self.meta["ev"] in ESCROW:
            need(names == [by["key"]], "a custodian signs alone")
            self.statement.verify([unb64(keys.custodian_key(by))])
            return
        need(1 <= len(names) <= 2 and by["key"] in names, "signed by others than it says")
        officers = [keys.key_of(k, self.meta["at"]) for k in names]
        self.statement.verify([unb64(o["ed"]) for o in officers])
        keys.check_actor(by, self.meta["at"])


class Chain(Directory):
    """A key chain: a directory of which only some leaves are shown, each at its
    index. What is not shown cannot be asked."""

    KINDS = (
        "genesis", "policy", "delegate.revoke", "inst.join", "inst.profile", "inst.root", "inst.registrars",
        "inst.custodians", "officer.enrol", "officer.revoke", "desk.profile", "desk.members",
    )

    def add(self, index, value):
        need(Leaf(value).t in self.KINDS, "a statement that no key chain holds")
        need(index >= self.n and (index == 0) == (self.n == 0), "a key chain out of order")
        self.n = index
        self.apply(encode(value), value)

    def _head(self, leaf, p):
        if leaf.subject == "policy":
            super()._head(leaf, p)
        need(p["dirn"] <= self.n, "dirn")
        if not (self.demo or p.get("demo")):
            need(all(k >= 2 for k, _ in leaf.thresholds()), "a threshold of one")

    def _inst_profile(self, p):
        self.inst(p["i"]).update({"nb": p["nb"], "na": p["na"], "type": p["type"]})
        return [self._delegates()]

    def _officer_enrol(self, p):
        self.inst(p["i"])
        need(p["key"] == of_key(p["ed"]), "the key id is not that of the key")
        need(p["key"] not in self.revoked, "a revoked key")
        self._own(p["ed"], "person", p["i"])
        known = self.officers.get(p["key"])
        need(not known or (known["u"], known["i"]) == (p["u"], p["i"]), "a key of another officer")
        mine = self.person.setdefault(p["u"], [])
        if p["key"] not in mine:
            mine.append(p["key"])
        self.officers[p["key"]] = p
        return [self._registrars(p["i"], 2)]

    def _officer_revoke(self, p):
        need(p["key"] in self.person.get(p["u"], []) and p["key"] not in self.revoked, "not the key of the officer")
        signers = self._registrars(self.officers[p["key"]]["i"], 1)
        self.revoked[p["key"]] = {"at": p["at"]}
        return [signers]

    def _desk_members(self, p):
        desk = self.desk(p["d"])
        added = set(p["members"]) - set(desk["members"])
        desk["members"] = p["members"]
        return [self._registrars(desk["i"], 2 if added else 1)]

    def check_actor(self, by, at):
        officer, desk = self.key_of(by["key"], at), self.desk(by["desk"])
        need(officer["i"] == by["inst"] == desk["i"], "an officer or a desk of another institution")
        need(officer["u"] in desk["members"], "an officer who is no member of the desk")


def host_of(charters, log):
    """The verifier keys of one log in all charters, and the host they share."""
    keys = [Vkey(c["logs"][log]) for c in charters]
    hosts = {k.name.removesuffix("/" + log) for k in keys if k.name.endswith("/" + log)}
    need(len(hosts) == 1 and all(k.name.endswith("/" + log) for k in keys), "logs of several hosts")
    return keys, hosts.pop()


def prove(text, index, entry, keys):
    proof = Proof(text.encode())
    need(proof.index == index, "a proof of another entry")
    faults = []
    for key in keys:
        try:
            proof.verify(entry, key)
            return proof.note
        except Refused as fault:
            faults.append(fault)
    raise faults[0]


class Evidence:
    """Entries over one key chain: what an evidence file and a receipt share."""

    def __init__(self, chain_values, genesis=None):
        self.values = chain_values
        chain = Chain()
        for link in chain_values:
            chain.add(link["idx"], link["leaf"])
        need(genesis is None or chain.genesis == genesis, "another genesis")
        self.genesis, self.demo, self.charters = chain.genesis, chain.demo, chain.charters
        dir_keys, host = host_of(chain.charters, "dir")
        self.ev_keys, same = host_of(chain.charters, "ev")
        need(host == same, "logs of several hosts")
        for link in chain_values:
            prove(link["proof"], link["idx"], encode(link["leaf"]), dir_keys)

    def cut(self, dirn):
        chain = Chain()
        for link in self.values:
            if link["idx"] < dirn:
                chain.add(link["idx"], link["leaf"])
        return chain

    def entry(self, index, value, proof, policy=None):
        opening = Opening(index, value)
        note = prove(proof, index, opening.leaf(), self.ev_keys)
        chain = self.cut(opening.meta["dirn"])
        need(chain.charter is not None, "an entry before its genesis")
        opening.verify(chain)
        if policy:
            policy.check(Vkey(chain.charter["logs"]["ev"]), note)
        standing, who = Policy(chain.charter["quorum"]["ev"]).standing(note)
        return opening, standing, who
