package consent

import (
	"crypto/ed25519"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// s11Vector is the worked example of FORMAT.md §8: a person narrows twice, and
// what was permitted before is refused after, recipient by recipient.
type s11Vector struct {
	Officer  string        `json:"officer"` // Ed25519 public key, hex
	Versions []s11Version  `json:"versions"`
	Messages []s11Decision `json:"messages"`
	Removed  []s11Removed  `json:"removed"`
}

type s11Version struct {
	Idx  int64           `json:"idx"`
	At   int64           `json:"at"`
	DSSE *statement.DSSE `json:"dsse"`
}

type s11Decision struct {
	Name    string         `json:"name"`
	Now     int64          `json:"now"`
	OnFile  int            `json:"on_file"` // how many versions are on record by then
	Request vectorRequest  `json:"request"`
	Expect  vectorDecision `json:"expect"`
}

type s11Removed struct {
	Ver    int      `json:"ver"`
	Sent   []string `json:"sent"` // desks that received under the consent
	Expect []string `json:"expect"`
}

// s11Record holds v1 (given to three), v2 (without nes-a), v3 (without ngo-1).
func s11Record(t testing.TB) *Record {
	at := belgrade(t, "2026-04-02 10:15:00.000")
	v1 := with(given(), func(s *Statement) {
		s.At, s.DirN, s.NB = at, 430, at
		s.To = []string{swcA.Inst, ngo1.Inst, nesA.Inst}
		until, err := Until(testPack(), s.Age, s.Grantor.Rel, at)
		if err != nil {
			t.Fatal(err)
		}
		s.NA = until
	})
	without := func(s *Statement, p Party, stamp string) *Statement {
		return follow(s, Narrowed, func(n *Statement) {
			n.At, n.DirN = belgrade(t, stamp), 431
			n.To = slices.DeleteFunc(n.To, func(to string) bool { return to == p.Inst })
		})
	}
	v2 := without(v1, nesA, "2026-05-04 11:20:00.000")
	v3 := without(v2, ngo1, "2026-05-20 09:00:00.000")
	r := &Record{ID: v1.ID}
	for i, s := range []*Statement{v1, v2, v3} {
		received := s.At + 1500
		if err := r.Next(testPack(), s, received); err != nil {
			t.Fatal(err)
		}
		if err := r.Append(Recorded(s, []int64{1990, 2206, 2310}[i], received)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func makeS11(t testing.TB) s11Vector {
	full := s11Record(t)
	key := officer("swc-a.case")
	v := s11Vector{Officer: hex.EncodeToString(key.Public())}
	for _, ver := range full.Versions {
		v.Versions = append(v.Versions, s11Version{ver.Idx, ver.At, signed(t, &ver.S, key)})
	}
	send := func(name string, onFile, cited int, to Party, change func(*Request)) {
		v1 := full.Versions[0].S
		req := Request{
			Kind: "referral", Case: v1.Case, Cats: []string{"contact", "needs"}, Subj: []string{v1.Subj}, From: swcA, To: []Party{to},
			Basis: messaging.Basis{Code: "consent", Purpose: "assistance", Consents: []messaging.ConsentRef{{ID: v1.ID, Ver: cited}}},
		}
		if change != nil {
			change(&req)
		}
		now := full.Versions[onFile-1].At + 60_000
		d, err := Decide(book(&Record{ID: full.ID, Versions: full.Versions[:onFile]}), testPack(), req, now)
		if err != nil {
			t.Fatal(err)
		}
		v.Messages = append(v.Messages, s11Decision{name, now, onFile, requestVector(req), decisionOf(d)})
	}
	send("to NGO 1 under version 1", 1, 1, ngo1, nil)
	send("to NES A under version 1", 1, 1, nesA, nil)
	send("to NES A, composed under version 1, after version 2", 2, 1, nesA, nil)
	send("to NES A under version 2", 2, 2, nesA, nil)
	send("to NGO 1 under version 2", 2, 2, ngo1, nil)
	send("to NGO 1 under version 3", 3, 3, ngo1, nil)
	send("to the legal service under version 3", 3, 3, swcAL, nil)
	send("criminal procedure goes on", 3, 0, ppoA, func(r *Request) {
		r.Kind, r.Basis = "notice", messaging.Basis{Code: "criminal-procedure", Purpose: "procedure"}
	})
	sent := []Party{ngo1, nesA, swcAL}
	for i := 1; i < len(full.Versions); i++ {
		r := s11Removed{Ver: i + 1, Sent: []string{}, Expect: []string{}}
		for _, p := range sent {
			r.Sent = append(r.Sent, p.Desk)
		}
		for _, p := range Removed(&full.Versions[i-1], &full.Versions[i], nil, sent) {
			r.Expect = append(r.Expect, p.Desk)
		}
		v.Removed = append(v.Removed, r)
	}
	return v
}

// The scenario in words, against the vector: new messages to whoever was
// removed are refused, others pass, the procedure is untouched.
func TestS11(t *testing.T) {
	v := load[s11Vector](t, "s11.json")
	var codes []string
	for _, m := range v.Messages {
		codes = append(codes, m.Expect.Code)
	}
	if want := []string{"", "", CodeVersion, CodeRecipient, "", CodeRecipient, "", ""}; !slices.Equal(codes, want) {
		t.Errorf("codes %q, want %q", codes, want)
	}
	if len(v.Removed) != 2 || !slices.Equal(v.Removed[0].Expect, []string{nesA.Desk}) || !slices.Equal(v.Removed[1].Expect, []string{ngo1.Desk}) {
		t.Errorf("removed %+v", v.Removed)
	}
	pub, err := hex.DecodeString(v.Officer)
	if err != nil {
		t.Fatal(err)
	}
	for i, ver := range v.Versions {
		s, err := Parse(ver.DSSE)
		if err != nil {
			t.Fatal(err)
		}
		if err := ver.DSSE.Verify(ed25519.PublicKey(pub)); err != nil || s.Ver != i+1 {
			t.Errorf("version %d: %v", s.Ver, err)
		}
	}
}

// FORMAT.md shows the bytes of the vector, so that neither can drift.
func TestFormatShowsTheVector(t *testing.T) {
	format, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, ver := range load[s11Vector](t, "s11.json").Versions {
		s, err := Parse(ver.DSSE)
		if err != nil {
			t.Fatal(err)
		}
		show := `"to":["` + strings.Join(s.To, `","`) + `"]`
		if i == 0 {
			show = string(ver.DSSE.Payload)
		}
		if !strings.Contains(string(format), show) {
			t.Errorf("FORMAT.md does not show version %d: %s", i+1, show)
		}
	}
	for _, code := range Codes() {
		if !strings.Contains(string(format), "`"+code+"`") {
			t.Errorf("FORMAT.md does not name %s", code)
		}
	}
	for from, acts := range admissible {
		for _, a := range append(acts, Act(from)) {
			if a != "" && !strings.Contains(string(format), "`"+string(a)+"`") {
				t.Errorf("FORMAT.md does not name %s", a)
			}
		}
	}
}
