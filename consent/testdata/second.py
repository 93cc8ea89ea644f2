"""A second verifier of the vectors, written from FORMAT.md alone.

It needs Python 3.11 and nothing else, and shares no line with the program.
Usage: python3 second.py TESTDATA. It checks rules and decisions, not signatures.
"""
import json
import sys
from calendar import monthrange
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo
import tomllib

PERMITS = {"given", "narrowed", "renewed"}
NEXT = {  # FORMAT.md 3
    "none": {"requested", "given", "refused", "deferred"},
    "requested": {"given", "refused", "deferred"},
    "deferred": {"given", "refused"},
    **{s: {"narrowed", "renewed", "withdrawn", "revoked", "invalidated"}
       for s in ("given", "narrowed", "renewed", "not-yet")},
    "expired": {"requested", "withdrawn", "revoked", "invalidated"},
    "refused": {"requested"}, "withdrawn": {"requested"}, "invalidated": {"requested"},
    "revoked": set(),
}
SCOPE = ("from", "to", "purposes", "cats", "onward")
STAGES = ["subject", "version", "status", "case", "sender", "recipient", "purpose", "category", "time", "grantor"]


def act(s):
    return s["ev"].removeprefix("consent.")


def codes(named):
    return {n["code"] for n in named}


def add(pack, start, term):
    """FORMAT.md 2, adding a term."""
    n, unit = term["amount"], term["unit"]
    if unit in ("min", "h"):
        return start + n * {"min": 60_000, "h": 3_600_000}[unit]
    zone = ZoneInfo(pack["zone"])
    day = datetime.fromtimestamp(start // 1000, zone).date()
    if unit == "mo":
        months = day.year * 12 + day.month - 1 + n
        year, month = months // 12, months % 12 + 1
        day = day.replace(year=year, month=month, day=min(day.day, monthrange(year, month)[1]))
    else:
        day += timedelta(days=n)
    day += timedelta(days=1)
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000


def grantor_rule(pack, s):
    age = pack["consent"]["child_band"] if s["age"] == "unknown" else s["age"]
    for g in pack["consent"]["grantor"]:
        if age in g["age"] and s["grantor"]["rel"] in g["relations"]:
            return g


def unknown(pack, s):
    c = pack["consent"]
    for member, value, known, optional in (
            ("age", s["age"], c["age"], False), ("opinion", s.get("opinion"), c["opinion"], True),
            ("form", s.get("form"), c["form"], True), ("method", s.get("method"), c["method"], True),
            ("channel", s["channel"], c["channel"], False), ("interp", s["interp"], c["interpreter"], False),
            ("grantor.rel", s["grantor"]["rel"], c["relation"], False)):
        if value not in codes(known) and not (optional and value is None):
            return member
    for member, known in (("purposes", pack["purpose"]), ("told", c["told"]), ("cats", pack["category"])):
        if not set(s[member]) <= codes(known):
            return member


def check(pack, s):
    """FORMAT.md 2: (member, fault), or two empty strings."""
    c, a = pack["consent"], act(s)
    if a in ("withdrawn", "revoked", "invalidated"):
        return "", ""
    if a in PERMITS and not s["understood"]:
        return "understood", "understood"
    if a == "narrowed":
        return "", ""
    if member := unknown(pack, s):
        return member, "unknown"
    if a in ("refused", "deferred"):
        return "", ""
    if not codes(c["told"]) <= set(s["told"]):
        return "told", "told"
    rule = grantor_rule(pack, s)
    if rule is None:
        return "grantor", "grantor"
    if a != "requested":
        o = s["opinion"]
        if rule.get("agreement") and o != "agrees" or rule.get("opinion") and o == "not-asked" or o == "disagrees":
            return "opinion", "opinion"
    moment = s.get("occurred", s["at"])
    morning = datetime.fromtimestamp(moment // 1000, ZoneInfo(pack["zone"])).replace(hour=0, minute=0, second=0)
    if a == "given" and s["nb"] < int(morning.timestamp()) * 1000:
        return "nb", "validity"
    terms = [c["longest"]] + ([c["guardian_longest"]] if rule.get("guardian") else [])
    if any(s["na"] > add(pack, moment, t) for t in terms):
        return "na", "validity"
    return "", ""


def state(versions, now):
    if not versions:
        return "none"
    s = versions[-1]["s"]
    if act(s) in PERMITS:
        if now >= s["na"]:
            return "expired"
        if now < s["nb"]:
            return "not-yet"
    return act(s)


def follows(pack, versions, s, now):
    """FORMAT.md 3: the reason, or an empty string."""
    n, a, was = len(versions), act(s), state(versions, now)
    p = versions[-1]["s"] if versions else None
    if p and s["id"] != p["id"]:
        return "identity"
    if s["ver"] != n + 1:
        return "version"
    if p and (s["subj"], s["case"]) != (p["subj"], p["case"]):
        return "identity"
    if a not in NEXT[was]:
        return "transition"
    if check(pack, s)[1]:
        return "check"
    if a in PERMITS and now >= s["na"]:
        return "time"
    if not p:
        return ""
    if a == "requested":
        early = was == "refused" and now < add(pack, versions[-1]["at"], pack["consent"]["reask"])
        return "reask" if early else ""
    if not all(set(s[m]) <= set(p[m]) for m in SCOPE):
        return "widening"
    if a == "narrowed":
        if s["grantor"] != p["grantor"]:
            return "grantor"
        if s["nb"] < p["nb"] or s["na"] > p["na"]:
            return "widening"
        if all(set(s[m]) == set(p[m]) for m in SCOPE) and (s["nb"], s["na"]) == (p["nb"], p["na"]):
            return "unchanged"
    if a == "renewed":
        if s["nb"] < p["nb"]:
            return "widening"
        if s["na"] <= p["na"]:
            return "time"
    return ""


def refuse(code, desk):
    return {"allow": False, "code": code} | ({"desk": desk} if desk else {})


def decide(pack, book, req, now):
    """FORMAT.md 6."""
    to, subj = sorted(req["to"], key=lambda t: t["desk"]), sorted(req["subj"])
    first = to[0]["desk"] if to else ""
    types = codes(pack["type"])
    basis = {b["code"]: b for b in pack["basis"]}.get(req["basis"]["code"])
    if basis is None:
        return refuse("basis", first)

    def joins(listed, typ):
        return typ in types and (typ in listed or "*" in listed)

    for t in to:
        if not any(m["kind"] == req["kind"] and joins(m["from"], req["from"]["type"]) and joins(m["to"], t["type"])
                   and basis["code"] in m["bases"] for m in pack["matrix"]):
            return refuse("basis", t["desk"])
    need, consents = req["basis"].get("necessity", ""), req["basis"].get("consents", [])
    known = {r["code"] for r in pack["reason"] if "necessity" in r["for"]}
    if (basis.get("ref") and not req["basis"].get("ref", "").strip() or basis.get("necessity") and not need
            or need and need not in known or consents and not basis.get("consent")):
        return refuse("basis", first)

    def excluded(who, s):
        return any(x["who"] == who and s in x["subj"] and (not x.get("lifted_at") or now < x["lifted_at"])
                   for x in book["exclusions"])

    for t in to:
        if any(excluded(t["desk"], s) for s in subj):
            return refuse("excluded", t["desk"])
    if not basis.get("consent"):
        return {"allow": True}
    if not subj:
        return refuse("consent_subject", first)

    def stage(ref, t, s, c):
        versions = book["records"].get(ref["id"], [])
        k = versions[-1]["s"] if versions else None
        tests = (
            lambda: k is not None and k["subj"] == s,
            lambda: k["ver"] == ref["ver"],
            lambda: act(k) in PERMITS,
            lambda: k["case"] == req["case"] or {k["case"], req["case"]} in map(set, book["links"]),
            lambda: req["from"]["inst"] in k["from"],
            lambda: t["desk"] in k["to"] or t["inst"] in k["to"] and t["type"] != "representative",
            lambda: req["basis"]["purpose"] in k["purposes"],
            lambda: c is None or c in k["cats"],
            lambda: k["nb"] <= now < k["na"],
            lambda: not excluded(k["grantor"]["h"], s),
        )
        return next((i for i, passes in enumerate(tests) if not passes()), len(tests))

    used, furthest, answer = set(), -1, None
    for t in to:
        for s in subj:
            for c in sorted(req["cats"]) or [None]:
                reached = [(stage(ref, t, s, c), ref["id"], ref["ver"]) for ref in consents]
                used |= {(i, v) for n, i, v in reached if n == len(STAGES)}
                best = max((n for n, _, _ in reached), default=0)
                if best < len(STAGES) and best > furthest:
                    furthest, answer = best, refuse("consent_" + STAGES[best], t["desk"])
    if answer:
        return answer
    refs = [{"id": i, "ver": v, "idx": book["records"][i][-1]["idx"]} for i, v in sorted(used)]
    return {"allow": True} | ({"used": refs} if refs else {})


def opened(versions):
    return [v | {"s": json.loads(v["payload"])} for v in versions]


def main(root):
    pack = tomllib.loads((root / "pack.toml").read_text("utf-8"))
    failures, counts = [], {}

    def expect(file, name, got, want):
        counts[file] = counts.get(file, 0) + 1
        if got != want:
            failures.append(f"{file}: {name}: {got}, want {want}")

    def read(file):
        return json.loads((root / "vectors" / file).read_text("utf-8"))

    for v in read("checks.json"):
        expect("checks", v["name"], check(pack, json.loads(v["statement"]["payload"])), (v["member"], v["expect"]))
    for v in read("transitions.json"):
        got = follows(pack, opened(v["record"]), json.loads(v["next"]["payload"]), v["now"])
        expect("transitions", v["name"], got, v["expect"])
    for v in read("decisions.json"):
        records = [opened(r) for r in v["records"]]
        book = {"records": {r[0]["s"]["id"]: r for r in records}, "exclusions": v["exclusions"], "links": v["links"]}
        expect("decisions", v["name"], decide(pack, book, v["request"], v["now"]), v["expect"])
    s11 = read("s11.json")
    from base64 import b64decode
    versions = opened([v | {"payload": b64decode(v["dsse"]["payload"])} for v in s11["versions"]])
    for i, v in enumerate(versions):
        expect("s11", f"version {i + 1}", follows(pack, versions[:i], v["s"], v["at"]), "")
    for v in s11["messages"]:
        book = {"records": {versions[0]["s"]["id"]: versions[:v["on_file"]]}, "exclusions": [], "links": []}
        expect("s11", v["name"], decide(pack, book, v["request"], v["now"]), v["expect"])
    print(counts)
    for f in failures:
        print(f)
    return 1 if failures or len(counts) != 4 else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
