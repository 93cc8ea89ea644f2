"""A second verifier of the vectors, written from FORMAT.md alone.

It needs Python 3.11 and nothing else, and shares no line with the program.
Usage: python3 second.py TESTDATA. It replays fold/*.jsonl and calendar.txt.
"""
import base64
import hashlib
import json
import sys
from calendar import monthrange
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

FINAL = {"transferred", "fulfilled", "fulfilled-late", "waived", "cancelled", "ended"}
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def b32(data):
    return base64.b32encode(data).decode().lower().rstrip("=")


def name_id(prefix, name):
    return f"{prefix}_" + b32(hashlib.sha256(f"{prefix} {name}".encode()).digest()[:16])


def duty_id(trigger, rule, obligor, obligee, n):  # FORMAT.md 2
    text = b"odziv/obl/v1\0" + trigger.to_bytes(8, "big") + rule.encode() + b"\0" + obligor.encode() + b"\0"
    return "o_" + b32(hashlib.sha256(text + obligee.encode() + b"\0" + n.to_bytes(4, "big")).digest()[:16])


def orthodox(year):
    golden, weekday = (19 * (year % 19) + 15) % 30, 0
    weekday = (2 * (year % 4) + 4 * (year % 7) - golden + 34) % 7
    sum_ = golden + weekday + 114
    return date(year, sum_ // 31, sum_ % 31 + 1) + timedelta(days=13)


class Calendar:  # FORMAT.md 3
    def __init__(self, rule, zone):
        self.rule, self.zone, self.cache = rule, ZoneInfo(zone), {}

    def local(self, at):
        return datetime.fromtimestamp(at // 1000, self.zone).date()

    def begin(self, day):
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp()) * 1000

    def off(self, year):
        if year not in self.cache:
            days, sundays = {}, []
            for y in (year - 1, year, year + 1):
                for h in self.rule["holidays"]:
                    if h.get("working"):
                        continue
                    day = orthodox(y) + timedelta(days=h["offset"]) if h.get("easter") else date(y, h["month"], h["day"])
                    days.setdefault(day, "holiday")
                    if h.get("state") and day.weekday() == 6:
                        sundays.append(day)
            for day in sorted(set(sundays)):
                nxt = day + timedelta(days=1)
                while nxt in days or DAYS[nxt.weekday()] in self.rule["weekend"]:
                    nxt += timedelta(days=1)
                days[nxt] = "substitute"
            self.cache[year] = {d: why for d, why in days.items() if d.year == year}
        return self.cache[year]

    def works(self, day):
        return day not in self.off(day.year) and DAYS[day.weekday()] not in self.rule["weekend"]

    def due(self, term, start):
        n, unit = term["amount"], term["unit"]
        if unit in ("min", "h"):
            return start + n * {"min": 60_000, "h": 3_600_000}[unit]
        day = self.local(start)
        if unit == "cd":
            day += timedelta(days=n)
        elif unit == "mo":
            months = day.year * 12 + day.month - 1 + n
            year, month = months // 12, months % 12 + 1
            day = date(year, month, min(day.day, monthrange(year, month)[1]))
        else:
            while n:
                day += timedelta(days=1)
                n -= self.works(day)
        while term.get("shift") == "next-working-day" and not self.works(day):
            day += timedelta(days=1)
        return self.begin(day + timedelta(days=1))

    def later(self, due, ms):  # FORMAT.md 4.5
        moved = due + ms
        if self.begin(self.local(due)) != due or self.begin(self.local(moved)) == moved:
            return moved
        return self.begin(self.local(moved) + timedelta(days=1))


class Refused(Exception):
    pass


def passed(o, at):
    return o.get("due", 0) > 0 and at >= o["due"]


def in_time(o):
    return any(not passed(o, s["at"]) for s in o.get("sent", []))


def drop(o, *keys):
    for k in keys:
        o.pop(k, None)


def unsuspended(o):
    drop(o, "prior", "suspended", "suspended_at", "suspended_by", "suspended_due")


def lapse(o, at):
    if o["state"] == "suspended" and at >= o["suspended"]:
        o["state"], o["since"] = o["prior"], o["suspended"]
        unsuspended(o)


class Ledger:
    def __init__(self, world):
        self.world, self.cal = world, Calendar(world["calendar"], world["zone"])
        self.types = {name_id("d", d["name"]): d for d in world["desks"]}
        self.duties, self.links, self.sent, self.handed, self.grants, self.ended = {}, [], {}, set(), [], set()

    # what the book holds
    def linked(self, case):
        seen, size = {case}, 0
        while case and len(seen) != size:
            size = len(seen)
            for link in self.links:
                if seen & set(link):
                    seen |= set(link)
        return seen if case else set()

    def stand(self, cases, person):
        desks = []
        for g in self.grants:
            if g["case"] in cases and person in g["subj"] and g["id"] not in self.ended and "duties" in g["scope"] \
                    and g["nb"] <= self.at < g["na"] and g["desk"] not in desks:
                desks.append(g["desk"])
        return desks

    def stands_for(self, o, desk):
        if desk.startswith("p_"):
            return False
        if "person" not in o:
            return desk == o["obligee"]
        return desk in self.stand(self.linked(o["case"]) if o.get("case") else self.cases, o["person"])

    def rule(self, o):
        return next(r for r in self.world["rules"] if r["code"] == o["rule"])

    def term(self, o):
        return next((d for d in self.rule(o)["due"] if d.get("urgency", o.get("urg", "")) == o.get("urg", "")), None)

    def type(self, desk):
        return self.types.get(desk, {}).get("type", "")

    # recording a step
    def enter(self, o):
        self.duties[o["id"]] = o
        self.opens.append(dict(o))

    def move(self, op, o):
        self.duties[o["id"]] = o
        self.moves.append({"op": op, "o": dict(o)})

    def live(self, cases):
        return [dict(o) for _, o in sorted(self.duties.items()) if o.get("case") in cases and o["state"] not in FINAL]

    # FORMAT.md 4
    def advance(self, ev):
        self.ev, self.at, self.opens, self.moves = ev, ev["at"], [], []
        before = {k: dict(v) for k, v in self.duties.items()}
        self.read(ev)
        try:
            if "kept" in ev:
                self.keep(ev["kept"])
            else:
                if ev.get("pack") or "core" in ev:
                    self.open(), self.act(), self.resume(), self.end()
                self.opened(), self.hand_over(), self.blocked()
        except Refused:
            self.duties = before
            raise
        self.remember(ev)

    def read(self, ev):
        core, att, change = ev.get("core"), ev.get("attested"), ev.get("change")
        n = {"event": ev["ev"], "kind": "", "from": ev.get("desk", ""), "actor": ev.get("desk", ""), "to": [], "subj": ev.get("subj", []),
             "facts": {}, "urg": "", "re": "", "set": "", "occurred": 0, "obl": [], "what": "", "change": change}
        self.case = ev.get("case", "")
        if core:
            to = [r["desk"] for r in core["to"] if r["role"] != "self" and r["desk"] != core["from"]["desk"]]
            n |= {k: core.get(k, n[k]) for k in ("kind", "subj", "facts", "urg", "re", "set", "occurred", "obl")}
            n |= {"from": core["from"]["desk"], "actor": core["from"]["desk"], "to": list(dict.fromkeys(to))}
            self.case = core.get("case", "")
        if att:
            n |= {k: att.get(k, n[k]) for k in ("kind", "facts", "urg", "occurred", "obl", "what", "to")}
            n["from"] = att.get("from", n["from"])
            if att["what"] == "received":
                n["to"] = [ev["desk"]]
            if att["what"] == "attempt":
                n["kind"] = ""
        if change:
            n["subj"], self.case = [change["subj"]], change["case"]
        self.n, self.cases = n, self.linked(self.case)

    def remember(self, ev):
        if self.n["kind"] and ev["obj"] not in self.sent and ("core" in ev or "attested" in ev):
            self.sent[ev["obj"]] = {"case": self.case, "obj": ev["obj"], **{k: self.n[k] for k in ("kind", "from", "set", "to")}}
        self.handed |= {(obj, to) for obj, to, _ in self.handings()}
        if "grant" in ev:
            self.grants.append(ev["grant"])
        self.ended |= set(ev.get("grant_ends", []))
        if "link" in ev:
            self.links.append(ev["link"])

    # 4.2
    def triggers(self, r):
        n = self.n
        if "event" in r:
            return r["event"] == n["event"]
        if not n["kind"] or not {"*", n["kind"]} & set(r["kinds"]):
            return False
        if any(n["facts"].get(k) != v for k, v in r.get("facts", {}).items()):
            return False
        if r.get("fulfil_on") == "opened" and n["what"]:
            return False
        if r.get("from") and self.type(n["from"]) not in r["from"]:
            return False
        return not r.get("declared") or any(a["op"] == "declare" and a.get("rule") == r["code"] for a in n["obl"])

    def open(self):
        if self.n["what"] and any(a["op"] == "fulfil" and "id" in a for a in self.n["obl"]):
            return
        for r in self.world["rules"]:
            if self.triggers(r):
                self.open_rule(r)

    def open_rule(self, r):
        n, count = self.n, {}
        for obligor, _ in self.parties(r["obligor"]):
            for obligee, person in self.parties(r["obligee"]):
                if obligor == obligee or n["what"] == "received" and obligor != n["actor"]:
                    continue
                if n["kind"] and n["occurred"] and self.case and any(
                        o.get("case") in self.cases and o["rule"] == r["code"] and o["obligor"] == obligor and o["trigger"] != self.ev["idx"]
                        and o.get("person", o["obligee"]) == (person or obligee) and o.get("kind") == n["kind"]
                        and o.get("occurred") == n["occurred"] for o in self.duties.values()):
                    continue
                k = count.get((obligor, obligee), 0)
                count[obligor, obligee] = k + 1
                self.enter(self.fresh(r, obligor, obligee, person, k))

    def parties(self, p):
        n, who = self.n, p["who"]
        if who == "person":
            return [((self.stand(self.cases, s) or [s])[0], s) for s in sorted(set(n["subj"]))]
        if who == "sender":
            desks = [n["from"]]
        elif who == "recipient":
            desks = n["to"]
        elif who == "filed":
            desks = sorted({s["from"] for s in self.sent.values() if s["case"] in self.cases and s["kind"] == p["kind"]})
        elif who == "function":
            near = next((d for d in [n["from"], *n["to"]] if self.type(d) == p["type"]), None)
            desks = sorted(k for k, d in self.types.items() if d["type"] == p["type"] and d["fn"] == p["fn"]
                           and (not near or d["inst"] == self.types[near]["inst"]))[:1] or [near or ""]
        elif who == "removed":
            desks = n["change"].get("removed", []) if n["change"] else []
        else:
            desks = (self.stand(self.cases, n["change"]["subj"]) or [n["change"]["recorder"]])[:1] if n["change"] else []
        return [(d, "") for d in dict.fromkeys(desks) if d and not d.startswith("p_")
                and (not p.get("types") or self.type(d) in p["types"]) and self.type(d) not in p.get("not", [])]

    def fresh(self, r, obligor, obligee, person, k):
        ev, n = self.ev, self.n
        o = {"id": duty_id(ev["idx"], r["code"], obligor, obligee, k), "rule": r["code"], "obligor": obligor, "obligee": obligee,
             "trigger": ev["idx"], "trigger_obj": ev["obj"], "n": k, "pack": ev.get("pack") or ev["core"]["pack"],
             "opened_at": self.at, "state": "open", "since": self.at}
        for key, value in (("person", person), ("case", self.case), ("kind", n["kind"]), ("urg", n["urg"]),
                           ("occurred", n["occurred"]), ("attested", bool(n["what"]))):
            if value:
                o[key] = value
        d = self.term(o)
        if d and not (d["start"] == "handed-over" and n["what"] not in ("served", "received")):
            own = d["start"] in ("decided", "served", "event")
            claimed = own and n["occurred"] and n["actor"] == obligor
            self.begin(o, d, min(n["occurred"], self.at) if claimed else self.at, own and not claimed)
        return o

    def begin(self, o, d, start, estimated):
        o |= {"start": start, "due": self.cal.due(d, start), "cal": CAL}
        if estimated:
            o["estimated"] = True

    # 4.3
    def act(self):
        for a in self.n["obl"]:
            if a["op"] == "declare":
                if not any(r["code"] == a["rule"] and r.get("declared") and self.triggers(r) for r in self.world["rules"]):
                    raise Refused("rule")
                continue
            for o in self.targets(a):
                self.perform(a, o)

    def targets(self, a):
        if "id" in a:
            if a["id"] not in self.duties:
                raise Refused("unknown")
            return [dict(self.duties[a["id"]])]
        other = self.sent.get(a["of"])
        if a["of"] != self.ev["obj"] and not (self.n["set"] and other and other["set"] == self.n["set"]):
            raise Refused("unknown")
        found = [dict(o) for _, o in sorted(self.duties.items()) if o.get("trigger_obj") == a["of"] and o["rule"] == a["rule"]
                 and not self.barred(a, o) and o["state"] not in FINAL]
        if not found:
            why = {self.barred(a, o) or "closed" for o in self.duties.values() if o.get("trigger_obj") == a["of"] and o["rule"] == a["rule"]}
            raise Refused(next((r for r in ("closed", "recipient", "not_obligor", "not_obligee") if r in why), "unknown"))
        return found

    def barred(self, a, o):
        obligor, obligee = self.n["actor"] == o["obligor"], self.stands_for(o, self.n["actor"])
        if a["op"] in ("extend", "waive"):
            if not obligee:
                return "not_obligee"
            obligor = False
        elif not obligor and not (a["op"] == "cancel" and obligee):
            return "not_obligor"
        return "" if self.reached(o, obligor) else "recipient"

    def reached(self, o, by_obligor):
        if not by_obligor:
            return [d for d in self.n["to"] if d == o["obligor"]]
        return [d for d in self.n["to"] if self.stands_for(o, d) or self.n["what"] and d == o.get("person", o["obligee"])]

    def perform(self, a, o):
        if o.get("case") and o["case"] not in self.cases:
            raise Refused("case")
        if why := self.barred(a, o):
            raise Refused(why)
        if o["state"] in FINAL:
            raise Refused("closed")
        lapse(o, self.at)
        r, d = self.rule(o), self.term(o)
        if self.n["actor"] == o["obligor"] and d and not o.get("start") and not o.get("kept"):
            self.begin(o, d, self.at, True)
        if a["op"] in ("extend", "suspend", "dispute", "waive", "cancel"):
            if not any(x["code"] == a.get("reason") and a["op"] in x["for"] for x in self.world["reasons"]):
                raise Refused("reason")
            o["reason"] = a["reason"]
        getattr(self, "do_" + a["op"])(a, r, o)

    def do_ack(self, a, r, o):
        if r.get("fulfil_on") == "opened":
            return self.meet("ack", r, o, {"obj": self.ev["obj"], "idx": self.ev["idx"], "at": self.at})
        if o["state"] == "open":
            o["state"], o["since"] = "acknowledged", self.at
        self.move("ack", o)

    def do_interim(self, a, r, o):
        if self.n["kind"] not in r.get("interim_by", []):
            raise Refused("kind")
        if o.get("interims", 0) >= r.get("max_interim", 0):
            raise Refused("count")
        o |= {"interims": o.get("interims", 0) + 1, "answered": self.at}
        self.progress(o)
        self.move("interim", o)

    def progress(self, o):
        if o["state"] == "suspended":
            o["prior"] = "in-progress"
        elif o["state"] != "in-progress":
            o["state"], o["since"] = "in-progress", self.at

    def do_fulfil(self, a, r, o):  # 4.4
        if self.n["kind"] not in r["fulfilled_by"]:
            raise Refused("kind")
        listed = next((k.get("values") for k in self.world["kinds"] if k["code"] == self.n["kind"]), None)
        if listed and a.get("value") not in listed or not listed and a.get("value") and a["value"] not in self.world["values"]:
            raise Refused("value")
        to = sorted(set(self.reached(o, True)))
        self.unsuspend(o)
        s = {"obj": self.ev["obj"], "idx": self.ev["idx"], "at": self.at, "to": to, "value": a.get("value", ""), "attested": bool(self.n["what"])}
        s = {k: v for k, v in s.items() if v}
        o["answered"] = self.at
        if r.get("fulfil_on") != "handed-over" or not o.get("case"):
            return self.meet("fulfil", r, o, s)
        o["sent"] = o.get("sent", []) + [s]
        self.progress(o)
        self.move("fulfil", o)

    def meet(self, op, r, o, s):
        self.unsuspend(o)
        late = passed(o, s["at"])
        o |= {"state": "fulfilled-late" if late else "fulfilled", "since": self.at, "met_at": s["at"], "met_by": s["idx"], "met_obj": s["obj"]}
        drop(o, "sent", "transfer", "prior")
        for key, value in (("late", late), ("value", s.get("value")), ("attested", s.get("attested"))):
            if value:
                o[key] = value
        self.move(op, o)
        if "every" in r and not o.get("kept") and self.n["kind"] not in r.get("ends_with", []):
            self.follow(r, o)

    def follow(self, r, o):
        new = {k: o[k] for k in ("rule", "obligor", "obligee", "person", "case", "trigger", "trigger_obj", "kind", "urg", "occurred", "pack") if k in o}
        new |= {"opened_at": self.at, "state": "open", "since": self.at, "repeats": True}
        if self.n["what"]:
            new["attested"] = True
        if "person" in o:
            new["obligee"] = (self.stand(self.linked(o["case"]), o["person"]) or [o["person"]])[0]
        self.number(new, o["n"] + 1)
        self.begin(new, {**r["every"], "shift": (self.term(o) or {}).get("shift", "")}, self.at, False)
        self.enter(new)

    def number(self, o, n):
        while (i := duty_id(o["trigger"], o["rule"], o["obligor"], o["obligee"], n)) in self.duties:
            n += 1
        o |= {"id": i, "n": n}

    def do_extend(self, a, r, o):
        if r.get("statutory"):
            raise Refused("statutory")
        if passed(o, self.at):
            raise Refused("late")
        if not o.get("due") or a["due"] <= o["due"]:
            raise Refused("extend")
        if o["state"] == "suspended":
            o["state"], o["since"] = o["prior"], self.at
            unsuspended(o)
        o |= {"due": a["due"], "due_by": "extended"}
        self.move("extend", o)

    def do_suspend(self, a, r, o):  # 4.5
        if r.get("statutory"):
            raise Refused("statutory")
        if passed(o, self.at):
            raise Refused("late")
        if not o.get("due") or a["until"] <= self.at or o["state"] == "suspended":
            raise Refused("until")
        o |= {"prior": o["state"], "state": "suspended", "since": self.at, "suspended": a["until"], "suspended_at": self.at,
              "suspended_by": self.ev["obj"], "suspended_due": o["due"], "due_by": "suspended", "answered": self.at,
              "due": self.cal.later(o["due"], a["until"] - self.at)}
        self.move("suspend", o)

    def unsuspend(self, o):
        if o["state"] == "suspended":
            o |= {"due": self.cal.later(o["suspended_due"], self.at - o["suspended_at"]), "state": o["prior"], "since": self.at}
            unsuspended(o)

    def do_dispute(self, a, r, o):
        o |= {"disputed": True, "answered": self.at}
        self.move("dispute", o)

    def do_waive(self, a, r, o):
        self.close("waive", o, "waived")

    def do_cancel(self, a, r, o):
        side = "obligor" if self.n["actor"] == o["obligor"] else "obligee"
        if o.get("cancel_asked", side) == side:
            o["cancel_asked"] = side
            return self.move("cancel", o)
        drop(o, "cancel_asked")
        self.close("cancel", o, "cancelled")

    def do_transfer(self, a, r, o):  # 4.6
        if not a["to"].startswith("d_") or a["to"] in (o["obligor"], o["obligee"]) or o.get("kept"):
            raise Refused("to")
        if not self.n["set"] and a["to"] not in self.n["to"]:
            raise Refused("forward")
        o["transfer"] = {k: v for k, v in (("to", a["to"]), ("msg", self.ev["obj"]), ("set", self.n["set"])) if v}
        o["answered"] = self.at
        self.move("transfer", o)

    def close(self, op, o, state):
        lapse(o, self.at)
        if passed(o, self.at) and not in_time(o):
            o["late"] = True
        o |= {"state": state, "since": self.at}
        unsuspended(o)
        self.move(op, o)

    def resume(self):
        for o in self.live(self.cases) if self.n["re"] else []:
            if o["state"] == "suspended" and o["suspended_by"] == self.n["re"] and self.at < o["suspended"] \
                    and o["obligor"] in self.n["to"] and self.stands_for(o, self.n["actor"]):
                self.unsuspend(o)
                self.move("resume", o)

    def end(self):
        if self.n["kind"] and self.n["what"] != "received":
            for o in self.live(self.cases):
                if self.n["kind"] in self.rule(o).get("ends_with", []) and o["trigger"] != self.ev["idx"]:
                    if self.n["what"]:
                        o["attested"] = True
                    self.close("end", o, "ended")

    # opening, 4.7, 4.8, 7
    def opened(self):
        if self.ev["ev"] != "message.decrypted":
            return
        receipt = self.ev["receipt"]
        for o in [dict(o) for _, o in sorted(self.duties.items())]:
            if o.get("trigger_obj") == receipt["msg"] and o["obligor"] == receipt["desk"] and o["state"] not in FINAL \
                    and self.rule(o).get("fulfil_on") == "opened":
                lapse(o, self.at)
                if self.term(o) and not o.get("start"):
                    self.begin(o, self.term(o), self.at, True)
                self.meet("fulfil", self.rule(o), o, {"obj": self.ev["obj"], "idx": self.ev["idx"], "at": self.at})

    def handings(self):
        if self.ev["ev"] == "message.retrieved":
            return [(self.ev["receipt"]["msg"], self.ev["receipt"]["desk"], 0)]
        att = self.ev.get("attested")
        if not att or att["what"] != "served":
            return []
        served = min(att.get("occurred") or self.at, self.at)
        return [(obj, to, served) for to in att["to"] for obj in ([self.ev["obj"]] if att.get("kind") else []) + ([att["of"]] if "of" in att else [])]

    def hand_over(self):
        for obj, to, served in self.handings():
            own = {"case": self.case, "set": "", "to": self.n["to"]} if obj == self.ev["obj"] else None
            sent = own or self.sent.get(obj)
            if (obj, to) in self.handed or not sent or to not in sent["to"]:
                continue
            for o in self.live(self.linked(sent["case"])):
                lapse(o, self.at)
                self.arrive(o, obj, to, served, sent)

    def arrive(self, o, obj, to, served, sent):
        d = self.term(o)
        starter = next((p for p in (o["obligor"], o["obligee"]) if p in sent["to"]), to)
        if not o.get("start") and d and d["start"] == "handed-over" and o.get("trigger_obj") == obj and starter == to:
            self.begin(o, d, self.at, False)
            return self.move("start", o)
        for s in o.get("sent", []):
            if s["obj"] == obj and to in s["to"]:
                if served:
                    s = next((e for e in o["sent"] if e.get("attested") and to in e["to"]), {**s, "attested": True})
                    o["served"] = served
                o["handed_over"] = self.at
                return self.meet("handed-over", self.rule(o), o, s)
        x = o.get("transfer")
        if x and x["to"] == to and (x["msg"] == obj or x.get("set") and x["set"] == sent["set"]):
            self.carry(o, x)

    def carry(self, o, x):
        self.unsuspend(o)
        new = {k: o[k] for k in ("rule", "obligee", "person", "case", "trigger", "trigger_obj", "kind", "urg", "occurred", "pack", "cal",
                                 "start", "estimated", "due", "due_by", "attested", "repeats") if k in o}
        new |= {"obligor": x["to"], "opened_at": self.at, "state": "open", "since": self.at, "from": o["id"]}
        owed = next((i for i, e in sorted(self.duties.items()) if e.get("trigger_obj") == o.get("trigger_obj") and e["rule"] == o["rule"]
                     and e["obligor"] == x["to"] and e.get("person", e["obligee"]) == o.get("person", o["obligee"]) and e["state"] not in FINAL), None)
        if not owed:
            self.number(new, o["n"])
        o["transfer"] = {**x, "id": owed or new["id"]}
        self.close("transfer", o, "transferred")
        if not owed:
            self.enter(new)

    def blocked(self):
        for b in self.ev.get("blocked", []):
            for o in self.live({self.sent.get(b["msg"], {}).get("case")} - {None, ""}):
                if o.get("trigger_obj") == b["msg"] and o["obligor"] == b["desk"]:
                    o["reason"] = "release_blocked"
                    self.close("cancel", o, "cancelled")

    def keep(self, k):
        o = {"id": k["o"], "rule": k["rule"], "obligor": k["obligor"], "obligee": k["obligee"], "trigger": -1, "n": 0, "pack": k["pack"],
             "opened_at": k["at"], "due": k["due"], "state": k["state"], "since": k["at"], "kept": True}
        if k["obligee"].startswith("p_"):
            o["person"] = k["obligee"]
        if k.get("late"):
            o["late"] = True
        if k.get("answered"):
            o["sent"] = [{"obj": "", "idx": -1, "at": 0, "to": []}]
        self.move("keep", o)

    # FORMAT.md 5
    def view(self, o, now):
        o = dict(o)
        lapse(o, now)
        v = {"o": o["id"], "state": o["state"]}
        if o.get("due"):
            v["due"] = o["due"]
        if o.get("late"):
            v["breach"] = True
        if o["state"] in FINAL:
            return v
        v["silent"] = max(o.get("answered", 0), o["opened_at"])
        v["silent_days"] = max(0, (self.cal.local(now) - self.cal.local(v["silent"])).days)
        if not passed(o, now):
            v["due_soon"] = bool(o.get("due")) and o["state"] != "suspended" and not in_time(o) and self.reminder(o) <= now
        else:
            v["late_days"] = (self.cal.local(now) - self.cal.local(o["due"] - 1)).days
            v["unserved"] = in_time(o)
            v["overdue"] = not v["unserved"]
            v["breach"] = v["overdue"] or bool(o.get("late"))
            v["missing"] = v["overdue"] and bool(self.rule(o).get("missing"))
        return {k: x for k, x in v.items() if x}

    def reminder(self, o):
        chain = next((c for c in self.world["chains"] if c["code"] == self.rule(o)["chain"]), None)
        if not chain:
            return float("inf")
        before = chain["remind_before"]["amount"] * {"min": 60_000, "h": 3_600_000}[chain["remind_before"]["unit"]]
        at = max(o["opened_at"], o["start"] + (o["due"] - o["start"]) // 100 * chain["remind_percent"], o["due"] - before)
        return at if at < o["due"] else float("inf")


def calendar_hash(world):
    rule = world["calendar"]
    used = [{k: h.get(k, d) for k, d in (("day", 0), ("easter", ""), ("month", 0), ("offset", 0), ("state", False))}
            for h in rule["holidays"] if not h.get("working")]
    used.sort(key=lambda h: (h["easter"], h["month"], h["day"], h["offset"], h["state"]))
    text = {"adhoc": [], "holidays": used, "sunday": rule["sunday_moves_next"], "v": 1, "zone": world["zone"],
            "weekend": [d for d in ["sunday", *DAYS[:6]] if d in rule["weekend"]]}
    return hashlib.sha256(json.dumps(text, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def check_fold(path, world):
    ledger, n = Ledger(world), 0
    for n, line in enumerate(path.read_text().splitlines(), 1):
        want = json.loads(line)
        if "event" not in want:
            got = {"now": want["now"], "views": [ledger.view(o, want["now"]) for _, o in sorted(ledger.duties.items())]}
        else:
            got = {"event": want["event"]}
            try:
                ledger.advance(want["event"])
                got |= {k: v for k, v in (("opens", ledger.opens), ("moves", ledger.moves)) if v}
            except Refused as why:
                got["refused"] = str(why)
        if got != want:
            raise SystemExit(f"{path.name}:{n}\n got {json.dumps(got, sort_keys=True)}\nwant {json.dumps(want, sort_keys=True)}")
    return n


def check_calendar(path, world):
    cal, n = Calendar(world["calendar"], world["zone"]), 0
    for row in (line.split() for line in path.read_text().splitlines() if line and not line.startswith("#")):
        what, n = row[0], n + 1
        if what == "easter":
            ok = orthodox(int(row[1])).isoformat() == row[2]
        elif what == "substitutes":
            ok = [d.isoformat() for d, why in sorted(cal.off(int(row[1])).items()) if why == "substitute"] == row[2:]
        elif what == "working":
            ok = cal.works(date.fromisoformat(row[1])) == (row[2] == "yes")
        elif what == "due":
            due = cal.due({"amount": int(row[1]), "unit": row[2], "shift": row[3]}, cal.begin(date.fromisoformat(row[4])))
            ok = cal.local(due - 1).isoformat() == row[5] and cal.begin(cal.local(due)) == due
        elif what == "elapsed":
            start, end = (int(datetime.fromisoformat(x).astimezone(timezone.utc).timestamp()) * 1000 for x in row[3:])
            ok = cal.due({"amount": int(row[1]), "unit": row[2]}, start) == end
        else:  # the western Easter is in no vector of a fold
            ok = what == "western"
        if not ok:
            raise SystemExit(f"{path.name}: {' '.join(row)}")
    return n


if __name__ == "__main__":
    base = Path(sys.argv[1])
    WORLD = json.loads((base / "world.json").read_text())
    CAL = calendar_hash(WORLD)
    lines = check_calendar(base / "calendar.txt", WORLD) + sum(check_fold(p, WORLD) for p in sorted((base / "fold").glob("*.jsonl")))
    print(f"{lines} lines agree")
