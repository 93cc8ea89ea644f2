package transparency_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/transparency"
)

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// says spells the changes from an entry on: kind, verdict and who gains what.
func says(j transparency.Judgement, from int64) string {
	names := map[string]string{}
	for _, l := range []string{"anna", "boris", "rogue", "dana"} {
		names[id("u", l)] = l
	}
	var lines []string
	for _, c := range j.Changes {
		if c.Idx < from {
			continue
		}
		gains := []string{}
		for _, a := range c.Adds {
			gains = append(gains, strings.TrimSuffix(a.What+":"+names[a.Officer], ":"))
		}
		reads := []string{}
		for _, r := range c.Reads {
			reads = append(reads, fmt.Sprintf("%d/%d", r.Epoch, len(r.Used)))
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", c.What, c.Verdict, strings.Join(gains, ","), strings.Join(reads, ","))))
	}
	return strings.Join(lines, "; ")
}

// Every sort of change, as a member who was there before it sees it.
func TestJudge(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(w *world)
		want string
	}{
		"nothing":           {func(*world) {}, ""},
		"own key made":      {func(w *world) { w.epoch(legal, "anna"); w.ack(legal, "boris") }, "desk.epoch expected; desk.epoch.ack expected"},
		"a colleague's key": {func(w *world) { w.epoch(legal, "boris"); w.ack(legal, "anna") }, "desk.epoch expected; desk.epoch.ack expected"},
		"a colleague leaves": {func(w *world) { w.members(legal, "anna"); w.epoch(legal, "anna"); w.ack(legal, "registrar/1") },
			"desk.members expected; desk.epoch expected; desk.epoch.ack expected"},
		"a colleague revoked":        {func(w *world) { w.revoke("boris") }, "officer.revoke expected"},
		"a stranger enrolled":        {func(w *world) { w.enrol("rogue") }, ""},
		"a stranger at another desk": {func(w *world) { w.enrol("rogue"); w.members(intake, "rogue") }, ""},
		"a member added":             {func(w *world) { w.enrol("rogue"); w.members(legal, "anna", "boris", "rogue") }, "desk.members unexpected reader:rogue"},
		"and given a key by a colleague": {func(w *world) {
			w.enrol("rogue")
			w.members(legal, "anna", "boris", "rogue")
			w.epoch(legal, "boris")
			w.ack(legal, "rogue")
		}, "desk.members unexpected reader:rogue 2/1; desk.epoch unexpected package:rogue 2/1; desk.epoch.ack unexpected checker:rogue"},
		"and making one herself, that nobody acknowledges": {func(w *world) {
			w.enrol("rogue")
			w.members(legal, "anna", "boris", "rogue")
			w.epoch(legal, "rogue")
		}, "desk.members unexpected reader:rogue 2/0; desk.epoch unexpected package:rogue,maker:rogue 2/0"},
		"and removed again": {func(w *world) {
			w.enrol("rogue")
			w.members(legal, "anna", "boris", "rogue")
			w.members(legal, "anna", "boris")
			w.epoch(legal, "boris")
		}, "desk.members unexpected reader:rogue; desk.members expected; desk.epoch expected"},
		"a colleague's new key": {func(w *world) {
			w.revoke("boris")
			w.do(enrolment("boris", "boris/2"), registrars...)
			w.epoch(legal, "anna")
		},
			"officer.revoke expected; officer.enrol unexpected key:boris 2/0; desk.epoch expected package:boris"},
		"own new roles":        {func(w *world) { w.do(enrolment("anna", "anna", "member", "desk-key"), registrars...) }, "officer.enrol expected"},
		"a colleague's":        {func(w *world) { w.do(enrolment("boris", "boris", "member", "head"), registrars...) }, "officer.enrol expected"},
		"that grant past keys": {func(w *world) { w.do(enrolment("boris", "boris", "member", "desk-key"), registrars...) }, "officer.enrol unexpected role:boris"},
		"a term that was over": {func(w *world) {
			short := enrolment("boris", "boris")
			short.NA = w.at + hour
			w.do(short, registrars...)
			w.at += day
			w.do(enrolment("boris", "boris"), registrars...)
		}, "officer.enrol expected; officer.enrol unexpected term:boris"},
		"fewer registrars": {func(w *world) {
			w.do(&directory.InstRegistrars{I: instA, Keys: publics("registrar/1", "registrar/3")}, root...)
		}, "inst.registrars expected"},
		"another registrar": {func(w *world) {
			w.do(&directory.InstRegistrars{I: instA, Keys: publics("registrar/1", "registrar/2", "registrar/9")}, root...)
		}, "inst.registrars unexpected registrar"},
		"who acknowledges for one alone": {func(w *world) {
			w.members(legal, "anna")
			w.do(&directory.InstRegistrars{I: instA, Keys: publics("registrar/1", "registrar/9")}, root...)
			w.epoch(legal, "anna")
			w.ack(legal, "registrar/9")
		}, "desk.members expected; inst.registrars unexpected registrar; desk.epoch expected; desk.epoch.ack unexpected checker"},
		"another root key": {func(w *world) {
			w.do(&directory.InstRoot{I: instA, K: 2, Keys: publics("root/1", "root/2", "root/9")}, root...)
		},
			"inst.root unexpected root"},
		"a smaller root": {func(w *world) { w.do(&directory.InstRoot{I: instA, K: 2, Keys: publics("root/1", "root/2")}, root...) }, "inst.root expected"},
		"another custodian": {func(w *world) {
			w.do(&directory.InstCustodians{I: instA, K: 2, Rcps: []string{recipient("cust/1"), recipient("cust/2"), recipient("cust/9")}}, root...)
			w.epoch(legal, "boris")
		}, "inst.custodians unexpected custodian; desk.epoch unexpected escrow"},
		"fewer custodians": {func(w *world) {
			w.do(&directory.InstCustodians{I: instA, K: 2, Rcps: []string{recipient("cust/3"), recipient("cust/2")}}, root...)
			w.epoch(legal, "boris")
		}, "inst.custodians expected; desk.epoch expected"},
		"the first observer": {func(w *world) { w.do(&directory.InstObserver{I: instA, Key: signer("observer").Public()}, root...) }, "inst.observer expected"},
		"another observer": {func(w *world) {
			w.do(&directory.InstObserver{I: instA, Key: signer("observer").Public()}, root...)
			w.do(&directory.InstObserver{I: instA, Key: signer("observer/2").Public()}, root...)
		}, "inst.observer expected; inst.observer unexpected observer"},
		"an older key in use again": {func(w *world) {
			w.members(legal, "anna")
			w.epoch(legal, "anna")
			w.ack(legal, "registrar/1")
			w.do(&directory.DeskEpochDispute{D: legal, E: 2, Why: "wrong-key"}, "registrar/2")
		}, "desk.members expected; desk.epoch expected; desk.epoch.ack expected; desk.epoch.dispute unexpected former:boris 1/2"},
		"a dispute that harms nobody": {func(w *world) {
			w.epoch(legal, "boris")
			w.do(&directory.DeskEpochDispute{D: legal, E: 2, Why: "wrong-key"}, "anna")
		}, "desk.epoch expected; desk.epoch.dispute expected"},
		"another profile": {func(w *world) {
			w.do(&directory.DeskProfile{D: legal, I: instA, Fn: "legal", NB: start, NA: end - 1}, "registrar/2")
		}, "desk.profile expected"},
		"a desk before one's own": {func(w *world) {
			for n := 0; ; n++ {
				if d := id("d", fmt.Sprint("other", n)); d < legal {
					w.do(&directory.DeskProfile{D: d, I: instA, Fn: "legal", NB: start, NA: end}, "registrar/1")
					return
				}
			}
		}, "desk.profile unexpected function"},
		"a desk after it": {func(w *world) {
			for n := 0; ; n++ {
				if d := id("d", fmt.Sprint("other", n)); d > legal {
					w.do(&directory.DeskProfile{D: d, I: instA, Fn: "legal", NB: start, NA: end}, "registrar/1")
					return
				}
			}
		}, ""},
		"own id for another key": {func(w *world) { w.revoke("anna"); w.do(enrolment("anna", "impostor"), registrars...) },
			"officer.revoke expected; officer.enrol unexpected key:anna"},
		"put away and back, to hide what was between": {func(w *world) {
			w.enrol("rogue")
			w.members(legal, "boris")
			w.members(legal, "boris", "rogue")
			w.members(legal, "boris", "rogue", "anna")
		}, "desk.members expected; desk.members unexpected reader:rogue; desk.members expected"},
	} {
		t.Run(name, func(t *testing.T) {
			w := staffed(t)
			from := int64(len(w.leaves))
			tt.do(w)
			if got := says(w.log().Judge(keyID("anna"), nil), from); got != tt.want {
				t.Errorf("\n%s, want\n%s", got, tt.want)
			}
		})
	}
}

// What is accepted is accepted with what follows from it, and only under its
// very hash.
func TestJudgeAccepted(t *testing.T) {
	w := staffed(t)
	w.enrol("dana")
	idx := w.members(legal, "anna", "boris", "dana")
	w.epoch(legal, "dana")
	w.ack(legal, "boris")
	all := w.log().Judge(keyID("anna"), nil).Unexpected("")
	if len(all) != 3 || all[0].Idx != idx {
		t.Fatalf("%+v", all)
	}
	for name, tt := range map[string]struct {
		accepted map[int64]string
		want     int
	}{
		"nothing":      {nil, 3},
		"her":          {map[int64]string{idx: all[0].Hash}, 0},
		"another leaf": {map[int64]string{idx: all[1].Hash}, 3},
		"only her key": {map[int64]string{all[1].Idx: all[1].Hash, all[2].Idx: all[2].Hash}, 1},
	} {
		if got := w.log().Judge(keyID("anna"), tt.accepted).Unexpected(""); len(got) != tt.want {
			t.Errorf("%s accepted: %d wait, want %d", name, len(got), tt.want)
		}
	}
	if got := w.log().Judge(keyID("anna"), nil).Unexpected(intake); len(got) != 0 {
		t.Errorf("another desk: %+v", got)
	}
}

// A watch begins where the officer got her key, and shows what stood there.
func TestJudgeStarts(t *testing.T) {
	w := staffed(t)
	joined := w.members(intake, "boris")
	w.enrol("dana")
	w.members(legal, "anna", "boris", "dana")
	for name, tt := range map[string]struct {
		officer string
		want    string
	}{
		"from the first": {"anna", "legal from 9 with anna boris"},
		"at two desks":   {"boris", "intake from " + fmt.Sprint(joined) + " with boris; legal from 9 with anna boris"},
		"later":          {"dana", "legal from " + fmt.Sprint(joined+2) + " with anna boris dana"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, s := range w.log().Judge(keyID(tt.officer), nil).Starts {
				line := map[string]string{legal: "legal", intake: "intake"}[s.Desk] + fmt.Sprintf(" from %d with", s.Idx)
				who := []string{}
				for _, l := range []string{"anna", "boris", "dana"} {
					if slices.Contains(s.Readers, transparency.Holder{Officer: id("u", l), Key: keyID(l)}) {
						who = append(who, l)
					}
				}
				if len(s.Registrars) != 3 || len(s.Root) != 3 || s.RootK != 2 || len(s.Custodians) != 3 || s.CustodianK != 2 || len(who) != len(s.Readers) {
					t.Errorf("%+v", s)
				}
				got = append(got, line+" "+strings.Join(who, " "))
			}
			slices.Sort(got)
			if strings.Join(got, "; ") != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	if j := w.log().Judge(keyID("nobody"), nil); len(j.Starts)+len(j.Changes) != 0 {
		t.Errorf("a stranger's watch: %+v", j)
	}
}

// Who lost her keys gets others face to face, and starts where she got them.
func TestJudgeAfterLoss(t *testing.T) {
	w := staffed(t)
	w.enrol("rogue")
	w.members(legal, "anna", "boris", "rogue")
	w.revoke("anna")
	idx := w.do(enrolment("anna", "anna/2"), registrars...)
	j := w.log().Judge(keyID("anna/2"), nil)
	if len(j.Starts) != 1 || j.Starts[0].Idx != idx || len(j.Starts[0].Readers) != 3 || len(j.Changes) != 0 {
		t.Errorf("%+v", j)
	}
}
