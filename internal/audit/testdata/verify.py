#!/usr/bin/env python3
"""Verifies what an exchange hands out, by the FORMAT.md files alone.

  verify.py [--genesis HASH] [--policy FILE] FILE...         evidence, receipts, bundles
  verify.py --entry FILE --vkey KEY [--policy FILE] PROOF    a .tlog-proof
  verify.py --batch                                          one case a line, for tests

Two bundles are also compared. One line of JSON for each file; exit code 1 if
one of them does not verify."""

import argparse
import base64
import hashlib
import json
import sys

from verifier.bundle import Bundle, same_history
from verifier.canon import Refused, decode, encode
from verifier.directory import Directory
from verifier.files import verify_file, verify_proof
from verifier.log import Policy


def verdict(case):
    """case: {"data":b64,"genesis"?,"policy"?, "entry"? and "vkey"?, "other"?:b64},
    or {"leaves":[b64,…]}: a directory alone."""
    data = base64.b64decode(case.get("data") or "")
    genesis = case.get("genesis")
    try:
        policy = Policy(case["policy"]) if "policy" in case else None
        if "leaves" in case:
            facts = verify_directory([base64.b64decode(leaf) for leaf in case["leaves"]])
        elif "entry" in case:
            facts = verify_proof(data, base64.b64decode(case["entry"]), case["vkey"], policy)
        elif data[:2] == b"PK":
            bundle = Bundle(data, genesis, policy)
            facts = bundle.facts()
            if "other" in case:
                facts["same"] = same_history(bundle, Bundle(base64.b64decode(case["other"]), genesis, policy))
        else:
            facts = verify_file(data, genesis, policy)
        return {"facts": facts, "ok": True}
    except Refused as why:
        return {"ok": False, "why": str(why)}


def verify_directory(leaves):
    directory = Directory()
    for raw in leaves:
        directory.apply(raw, decode(raw, 65_535, "leaf"))
    return {"digest": hashlib.sha256(encode(directory.dump())).hexdigest(), "kind": "directory"}


def write(value):
    print(json.dumps(value, sort_keys=True, ensure_ascii=False), flush=True)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--genesis", "--policy", "--entry", "--vkey"):
        parser.add_argument(option)
    parser.add_argument("--batch", action="store_true")
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    if args.batch:
        for line in sys.stdin:
            write(verdict(json.loads(line)))
        return 0
    common = {"genesis": args.genesis} if args.genesis else {}
    if args.policy:
        common["policy"] = read(args.policy).decode()
    if args.entry:
        common.update({"entry": base64.b64encode(read(args.entry)).decode(), "vkey": args.vkey})
    ok, bundles = True, []
    for path in args.files:
        data = read(path)
        found = verdict({"data": base64.b64encode(data).decode(), **common})
        write({"file": path, **found})
        ok = ok and found["ok"]
        if found["ok"] and found["facts"]["kind"] == "bundle":
            bundles.append((path, Bundle(data)))
    for (a, one), (b, two) in zip(bundles, bundles[1:]):
        same = same_history(one, two)
        write({"file": a, "ok": all(same.values()), "other": b, "same": same})
        ok = ok and all(same.values())
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
