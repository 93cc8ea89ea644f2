package ceremony

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// seat is one whose fingerprint was typed from paper.
func seat(n byte) Seat {
	seed := make([]byte, 32)
	seed[0] = n
	key := statement.NewSigningKey(seed).Public()
	return Seat{Inst: someInst, Key: base64.StdEncoding.EncodeToString(key), Fingerprint: FingerprintOf(key)}
}

// watched are the logs and a witness of the directory's vectors.
func watched(t *testing.T) (LogKeys, Watcher) {
	t.Helper()
	bodies, _ := golden(t)
	for _, b := range bodies {
		if p, ok := b.(*directory.Policy); ok && len(p.Witnesses) > 0 {
			return LogKeys(p.Logs), Watcher{Operator: p.Witnesses[0].Operator, VKey: p.Witnesses[0].VKey, URL: "https://witness.example"}
		}
	}
	t.Fatal("no policy with a witness")
	return LogKeys{}, Watcher{}
}

func plan(t *testing.T) *Plan {
	logs, w := watched(t)
	return &Plan{V: Version, Name: "Exchange", Members: 3, K: 2, Council: []Seat{seat(1), seat(2), seat(3)}, Logs: logs, Witnesses: []Watcher{w}, Quorum: 1,
		Watched: true, Seats: 2, Delegates: []Seat{seat(4), seat(5)}}
}

// A plan becomes the genesis it says, with a quorum that the ledger understands;
// one that lacks something becomes nothing.
func TestPlan(t *testing.T) {
	g, err := plan(t).Genesis(1771574400000)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Council.Keys) != 3 || g.Council.K != 2 || len(g.Delegates) != 2 || len(g.Witnesses) != 1 || g.Demo {
		t.Errorf("%+v", g)
	}
	policy, err := ledger.ParsePolicy(g.Quorum.Ev)
	if err != nil || len(policy.Witnesses()) != 1 || policy.Witnesses()[0].URL != "https://witness.example" || policy.Met(nil) {
		t.Errorf("%v: %q", err, g.Quorum.Ev)
	}
	for name, change := range map[string]func(*Plan){
		"no name":              func(p *Plan) { p.Name = "" },
		"one decides":          func(p *Plan) { p.K = 1 },
		"none decides":         func(p *Plan) { p.K = 0 },
		"more decide than are": func(p *Plan) { p.K = 4 },
		"ten members":          func(p *Plan) { p.Members = 10 },
		"a member is missing":  func(p *Plan) { p.Council = p.Council[:2] },
		"not compared":         func(p *Plan) { p.Council[1].Fingerprint = "" },
		"another's paper":      func(p *Plan) { p.Council[1].Fingerprint = p.Council[2].Fingerprint },
		"no key":               func(p *Plan) { p.Delegates[0].Key = "x" },
		"twice":                func(p *Plan) { p.Delegates[0] = p.Council[0] },
		"no institution":       func(p *Plan) { p.Delegates[0].Inst = "" },
		"one key for two logs": func(p *Plan) { p.Logs.Ev = p.Logs.Dir },
		"no key of a log":      func(p *Plan) { p.Logs.Dir = "exchange.example" },
		"too large a quorum":   func(p *Plan) { p.Quorum = 2 },
		"a broken witness":     func(p *Plan) { p.Witnesses[0].VKey += "x" },
		"a line in an address": func(p *Plan) { p.Witnesses[0].URL = "https://x\nquorum none" },
		"a comment":            func(p *Plan) { p.Witnesses[0].URL = "https://x#" },
	} {
		p := plan(t)
		change(p)
		if _, err := p.Genesis(1771574400000); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	p := plan(t)
	if err := p.Free(mustPublic(t, p.Delegates[1])); !errors.Is(err, ErrTwice) {
		t.Errorf("%v", err)
	}
	if err := p.Free(mustPublic(t, seat(9))); err != nil {
		t.Errorf("%v", err)
	}
}

func mustPublic(t *testing.T, s Seat) []byte {
	t.Helper()
	key, err := s.Public()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A policy of some witnesses is met by exactly as many as it asks for.
func TestPolicyText(t *testing.T) {
	_, w := watched(t)
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(r, "n")
		var list []Watcher
		for i := range n {
			key, err := ledger.CosignerKey(fmt.Sprintf("w%d.example", i), statement.NewSigningKey(append(make([]byte, 31), byte(i+1))).Public())
			if err != nil {
				r.Fatal(err)
			}
			list = append(list, Watcher{Operator: "o", VKey: key, URL: w.URL})
		}
		need := rapid.IntRange(1, n).Draw(r, "need")
		text, err := PolicyText(list, need)
		if err != nil {
			r.Fatal(err)
		}
		p, err := ledger.ParsePolicy(text)
		if err != nil {
			r.Fatal(err)
		}
		have := map[string]bool{}
		for i, one := range p.Witnesses() {
			if p.Met(have) != (i >= need) {
				r.Fatalf("%d of %d, %d needed: %v", i, n, need, p.Met(have))
			}
			have[one.Name] = true
		}
	})
}

// What waits says who signed and who must, and once something else came first,
// that it never takes effect.
func TestSigning(t *testing.T) {
	bodies, before := golden(t)
	for i, body := range bodies[1:] {
		state := before[i+1]
		payload, err := directory.Payload(body)
		if err != nil {
			t.Fatal(err)
		}
		d := &statement.DSSE{Payload: payload, PayloadType: statement.TypeDirectory, Signatures: []statement.Signature{}}
		teller := Teller{Dir: state}
		s, err := teller.Signing(d)
		if err != nil || s.Complete || len(s.Missing) == 0 {
			t.Errorf("%s: %v, %+v", HeadOf(body).T, err, s)
		}
		if Redo(body) == "" {
			t.Errorf("%s: nobody says how to make it anew", HeadOf(body).T)
		}
		if i+3 >= len(before) {
			continue
		}
		_, err = Teller{Dir: before[i+2]}.Signing(d)
		if Moved(err) == "" || !strings.Contains(Moved(err), "recorded first") {
			t.Errorf("%s: after itself: %v", HeadOf(body).T, err)
		}
	}
}
