"""Evidence files, consent receipts and proof files (internal/audit/FORMAT.md,
sections 1 and 2; ledger/FORMAT.md, section 4)."""

from .canon import anything, const, decode, ident, integer, need, obj, several
from .entry import Evidence
from .evforms import opening_form
from .log import Policy, Proof, Vkey

MAX_FILE = 16 << 20
EVIDENCE = "application/vnd.odziv.evidence.v1+json"
RECEIPT = "application/vnd.odziv.receipt.v1+json"

proof_text = lambda v: need(isinstance(v, str), "no proof")
links = several(obj({"idx": integer(0), "leaf": anything, "proof": proof_text}), 1, 512, distinct=False)
item = {"idx": integer(0), "opening": opening_form, "proof": proof_text}
evidence_form = obj({"dir": links, **item, "type": const(EVIDENCE), "v": const(1)})
receipt_form = obj(
    {
        "consent": ident("k"), "dir": links, "items": several(obj(item), 1, 256, distinct=False),
        "type": const(RECEIPT), "v": const(1),
    }
)


def facts(entry, standing, who):
    meta = entry.meta
    return {
        "at": meta["at"], "by": meta["by"], "ev": meta["ev"], "idx": entry.index, "obj": meta["obj"],
        "signers": sorted(entry.statement.keys) if entry.statement else [], "standing": standing,
        "witnesses": [{"at": who[name], "name": name} for name in sorted(who)],
    }


def verify_evidence(data, genesis=None, policy=None):
    file = decode(data, MAX_FILE, "evidence file")
    evidence_form(file)
    chain = Evidence(file["dir"], genesis)
    entry, standing, who = chain.entry(file["idx"], file["opening"], file["proof"], policy)
    return {"demo": chain.demo, "entries": [facts(entry, standing, who)], "genesis": chain.genesis, "kind": "evidence"}


def verify_receipt(data, genesis=None, policy=None):
    file = decode(data, MAX_FILE, "consent receipt")
    receipt_form(file)
    chain = Evidence(file["dir"], genesis)
    found, before = [], None
    for n, x in enumerate(file["items"], 1):
        entry, standing, who = chain.entry(x["idx"], x["opening"], x["proof"], policy)
        need(entry.meta["ev"].startswith("consent.") and entry.statement is not None, "no version of a consent")
        said = entry.statement.payload
        need(said["id"] == file["consent"] and said["ver"] == n and said["prev"] == n - 1, "versions with a gap")
        if before is not None:
            need(x["idx"] > before and entry.meta["prev"] >= before, "versions out of order")
        found.append(facts(entry, standing, who))
        before = x["idx"]
    return {"demo": chain.demo, "entries": found, "genesis": chain.genesis, "kind": "receipt"}


def verify_proof(data, entry, vkey, policy=None):
    need(len(data) <= 1 << 18, "a proof file too long")
    proof = Proof(data)
    proof.verify(entry, Vkey(vkey))
    if policy:
        policy.check(Vkey(vkey), proof.note)
    standing, who = (policy or Policy("none")).standing(proof.note)
    return {
        "idx": proof.index, "kind": "proof", "origin": proof.note.origin, "size": proof.note.size, "standing": standing,
        "witnesses": [{"at": who[name], "name": name} for name in sorted(who)],
    }


def verify_file(data, genesis=None, policy=None):
    """Whichever of the two files it is."""
    kind = decode(data, MAX_FILE, "file")
    need(isinstance(kind, dict), "neither an evidence file nor a receipt")
    if kind.get("type") == RECEIPT:
        return verify_receipt(data, genesis, policy)
    return verify_evidence(data, genesis, policy)
