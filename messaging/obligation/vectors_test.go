package obligation_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// vectorLine is one line of testdata/fold/*.jsonl (FORMAT.md 8): an event and
// what it does or why it is refused, or how the duties stand at a time.
type vectorLine struct {
	Note    string                  `json:"note,omitempty"`
	Event   *obligation.Event       `json:"event,omitempty"`
	Opens   []obligation.Obligation `json:"opens,omitempty"`
	Moves   []vectorMove            `json:"moves,omitempty"`
	Refused string                  `json:"refused,omitempty"`
	Now     int64                   `json:"now,omitempty"`
	Views   []vectorView            `json:"views,omitempty"`
}

type vectorMove struct {
	Op string                `json:"op"`
	O  obligation.Obligation `json:"o"`
}

type vectorView struct {
	O string `json:"o"`
	obligation.View
}

// recorder writes a vector while a test story is told.
type recorder struct {
	*ledger
	lines []vectorLine
}

func (r *recorder) event(ev obligation.Event) {
	r.t.Helper()
	ev, ch, err := r.try(ev)
	line := vectorLine{Event: &ev}
	var refused *obligation.ActError
	switch {
	case errors.As(err, &refused):
		line.Refused = refused.Reason
		r.idx++ // the refusal is a leaf too
	case err != nil:
		r.t.Fatal(err)
	default:
		line.Opens, line.Moves = ch.Opens, moveLines(ch)
		r.record(ev, ch)
	}
	r.lines = append(r.lines, line)
}

func moveLines(ch obligation.Changes) (list []vectorMove) {
	for _, m := range ch.Moves {
		list = append(list, vectorMove{m.Op, m.O})
	}
	return list
}

func (r *recorder) look(local string) { r.lines = append(r.lines, viewLine(r.ledger, ms(r.t, local))) }

func viewLine(l *ledger, now int64) vectorLine {
	line := vectorLine{Now: now}
	for _, o := range l.book.All() {
		line.Views = append(line.Views, vectorView{o.ID, o.View(now, l.w.packs[o.Pack], l.w.cals[o.Pack])})
	}
	return line
}

func (r *recorder) msg(m message) { r.t.Helper(); r.event(r.ledger.event(m)) }

// stories are the vectors, by file.
var stories = map[string]func(*recorder){
	"silence": func(r *recorder) {
		r.at("2026-03-02 10:00")
		r.msg(message{name: "a", kind: "complaint", from: "swc.legal", to: []string{"ppo"}, caseName: "1", subj: []string{"1"},
			obl: []messaging.Act{{Op: messaging.OpDeclare, Rule: "report-to-center"}}})
		r.at("2026-03-03 09:00")
		r.event(receipt(obligation.EvRetrieved, "a", "ppo"))
		r.event(receipt(obligation.EvDecrypted, "a", "ppo"))
		r.look("2026-03-09 23:59")
		r.look("2026-03-10 00:00")
		reg := r.owed("a", "registration", "swc.legal")
		r.at("2026-03-12 08:00")
		r.msg(message{name: "b", kind: "status-reply", from: "ppo", to: []string{"swc.legal"}, caseName: "1", obl: []messaging.Act{fulfilID(reg)}})
		r.msg(message{name: "c", kind: "complaint-registered", from: "ppo", to: []string{"swc.legal"}, caseName: "1", obl: []messaging.Act{fulfilID(reg)}})
		r.look("2030-01-01 00:00")
	},
	"decision": func(r *recorder) {
		r.at("2026-01-12 10:00")
		r.msg(message{name: "a", kind: "complaint", from: "police", to: []string{"ppo"}, caseName: "1", subj: []string{"1"}})
		r.msg(message{name: "b", kind: "complaint", from: "swc.legal", to: []string{"ppo"}, caseName: "2", subj: []string{"1"}})
		r.event(obligation.Event{Ev: obligation.EvLink, Obj: id("x", "link"), Desk: id("d", "ppo"), Link: []string{id("c", "1"), id("c", "2"), id("c", "3")}})
		x := id("x", "grant")
		r.event(obligation.Event{Ev: obligation.EvGrant, Obj: x, Desk: id("d", "ngo"), Grant: &obligation.Grant{ID: x, Case: id("c", "3"),
			Desk: id("d", "att"), Subj: []string{id("p", "1")}, Scope: []string{obligation.ScopeDuties}, NB: r.now, NA: ms(r.t, "2027-01-01 00:00")}})
		r.at("2026-02-09 10:00")
		r.msg(dismissal("m1", "police", "1", fulfilOf("m1", "dismissal-police")))
		r.msg(dismissal("m2", "swc.legal", "2", fulfilOf("m1", "dismissal-complainant")))
		r.msg(dismissal("m3", "att", "3", fulfilOf("m1", "dismissal-injured")))
		r.look("2026-02-19 00:00")
		r.at("2026-02-20 08:00")
		r.event(receipt(obligation.EvRetrieved, "m3", "att"))
		r.look("2026-02-20 08:00")
	},
	"post": func(r *recorder) {
		r.at("2026-02-09 10:00")
		r.msg(dismissal("m1", "police", "1"))
		o := r.get(id("m", "m1"), "dismissal-injured", id("p", "1"))
		letter := posted(r.ledger, obligation.WhatSent, "", "2026-02-09 09:00", fulfilID(o))
		r.at("2026-02-18 23:59")
		r.event(letter)
		r.look("2026-02-20 00:00")
		r.at("2026-02-27 10:00")
		r.event(posted(r.ledger, obligation.WhatServed, letter.Obj, "2026-02-20 11:00"))
		r.look("2026-02-27 10:00")
	},
	"referral": func(r *recorder) {
		r.at("2026-04-09 12:00")
		r.msg(message{name: "r", kind: "referral", from: "ngo", to: []string{"swc.case"}, caseName: "1", subj: []string{"3"}})
		response, outcome := r.owed("r", "referral-response", "ngo"), r.owed("r", "referral-outcome", "ngo")
		r.at("2026-04-14 09:00")
		ask := r.ledger.event(message{name: "q", kind: "status-query", from: "swc.case", to: []string{"ngo"}, caseName: "1",
			obl: []messaging.Act{suspendUntil(response, ms(r.t, "2026-05-14 09:00"))}})
		r.event(ask)
		r.at("2026-04-15 12:00")
		r.msg(message{name: "s", kind: "status-reply", from: "ngo", to: []string{"swc.case"}, caseName: "1", re: "q"})
		r.look("2026-04-17 23:59")
		r.msg(message{name: "u", kind: "status-reply", from: "swc.case", to: []string{"ngo"}, caseName: "1",
			obl: []messaging.Act{{Op: messaging.OpInterim, ID: outcome.ID, Value: "no-data"}}})
		r.msg(message{name: "t1", kind: "status-reply", from: "swc.case", to: []string{"ngo"}, caseName: "1", set: "t",
			obl: []messaging.Act{{Op: messaging.OpTransfer, ID: response.ID, To: id("d", "nes")}}})
		r.msg(message{name: "t2", kind: "forward", from: "swc.case", to: []string{"nes"}, caseName: "1", set: "t"})
		r.at("2026-04-20 10:00")
		r.event(receipt(obligation.EvRetrieved, "t2", "nes"))
		r.msg(message{name: "v", kind: "status-query", from: "ngo", to: []string{"swc.case"}, caseName: "1",
			obl: []messaging.Act{{Op: messaging.OpExtend, ID: outcome.ID, Due: ms(r.t, "2026-06-01 00:00"), Reason: "agreed"}}})
		r.msg(message{name: "w", kind: "status-query", from: "ngo", to: []string{"swc.case"}, caseName: "1",
			obl: []messaging.Act{{Op: messaging.OpCancel, ID: outcome.ID, Reason: "agreed"}}})
		r.msg(message{name: "y", kind: "status-reply", from: "swc.case", to: []string{"ngo"}, caseName: "1",
			obl: []messaging.Act{{Op: messaging.OpCancel, ID: outcome.ID, Reason: "not-ours"}}})
		r.look("2026-07-01 00:00")
	},
	"withdrawal": func(r *recorder) {
		r.at("2026-04-20 10:00")
		r.msg(message{name: "a", kind: "referral", from: "swc.case", to: []string{"nes"}, caseName: "1", subj: []string{"7"}})
		r.at("2026-05-04 11:20")
		r.event(obligation.Event{Ev: "consent.narrowed", Obj: id("k", "k"), Desk: id("d", "swc.case"),
			Change: &obligation.ConsentChange{Consent: id("k", "k"), Ver: 2, Case: id("c", "1"), Subj: id("p", "7"),
				Removed: []string{id("d", "nes")}, Recorder: id("d", "swc.case")},
			Blocked: []obligation.Block{{Msg: id("m", "a"), Desk: id("d", "nes")}}})
		r.look("2026-05-05 11:20")
		k := obligation.Keep(r.owed("a", "referral-response", "swc.case"), r.now)
		r.event(obligation.Event{Ev: obligation.EvKept, Obj: k.O, Kept: &k})
		r.look("2026-05-05 11:20")
	},
	"period": func(r *recorder) {
		r.at("2026-03-02 10:00")
		r.msg(message{name: "a", kind: "complaint", from: "swc.legal", to: []string{"ppo"}, caseName: "1"})
		first := r.owed("a", "status-digest", "swc.legal")
		r.at("2026-05-03 00:00")
		r.msg(message{name: "b", kind: "status-reply", from: "ppo", to: []string{"swc.legal"}, caseName: "1", obl: []messaging.Act{fulfilID(first)}})
		r.look("2026-07-04 00:00")
		r.at("2026-07-10 10:00")
		r.msg(message{name: "c", kind: "judgment-final", from: "ppo", to: []string{"swc.legal"}, caseName: "1"})
		r.look("2026-08-01 00:00")
	},
}

func TestVectors(t *testing.T) {
	for _, name := range sortedKeys(stories) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", "fold", name+".jsonl")
			if os.Getenv("ODZIV_UPDATE") == "1" {
				writeVector(t, path, stories[name])
			}
			replayVector(t, path)
		})
	}
	files, err := filepath.Glob("testdata/fold/*.jsonl")
	if err != nil || len(files) != len(stories) {
		t.Errorf("%d files, %v", len(files), err)
	}
}

func writeVector(t *testing.T, path string, story func(*recorder)) {
	r := &recorder{ledger: newLedger(t, readWorld(t))}
	story(r)
	var b strings.Builder
	for _, line := range r.lines {
		b.WriteString(toJSON(t, line) + "\n")
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// replayVector knows the file and the package, and not the stories.
func replayVector(t *testing.T, path string) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l := newLedger(t, readWorld(t))
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	n := 0
	for ; s.Scan(); n++ {
		var want vectorLine
		if err := json.Unmarshal(s.Bytes(), &want); err != nil {
			t.Fatalf("line %d: %v", n+1, err)
		}
		got := viewLine(l, want.Now)
		if want.Event != nil {
			got = l.answer(want.Event)
		}
		if a, b := toJSON(t, got), s.Text(); a != b {
			t.Errorf("line %d:\n got %s\nwant %s", n+1, a, b)
		}
	}
	if s.Err() != nil || n < 5 {
		t.Errorf("%d lines, %v", n, s.Err())
	}
}

func (l *ledger) answer(ev *obligation.Event) vectorLine {
	l.t.Helper()
	ch, err := obligation.Advance(l.book, l.w, *ev)
	var refused *obligation.ActError
	if errors.As(err, &refused) {
		return vectorLine{Event: ev, Refused: refused.Reason}
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.record(*ev, ch)
	return vectorLine{Event: ev, Opens: ch.Opens, Moves: moveLines(ch)}
}
