package messaging

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
)

func TestCoreCheckAccepts(t *testing.T) {
	for name, change := range map[string]func(*Core){
		"as it is":             func(c *Core) {},
		"caseless":             func(c *Core) { c.Case, c.Subj = "", []string{} },
		"case without persons": func(c *Core) { c.Subj = []string{} },
		"occurred at created":  func(c *Core) { c.Occurred = c.Created },
		"earliest times":       func(c *Core) { c.Created, c.Occurred = 1, 1 },
		"hold":                 func(c *Core) { c.Hold = &Hold{Reason: "secrecy", Until: c.Created + 1} },
		"ref of 64 bytes":      func(c *Core) { c.Basis.Ref = strings.Repeat("ч", 32) },
		"necessity":            func(c *Core) { c.Basis.Necessity = "public-task" },
		"64 consents":          func(c *Core) { c.Basis.Consents = consents(MaxConsents) },
		"16 persons":           func(c *Core) { c.Subj = many("p", MaxSubjects) },
		"no facts":             func(c *Core) { c.Facts = map[string]string{} },
		"8 facts":              func(c *Core) { c.Facts = facts(MaxFacts) },
		"32 categories":        func(c *Core) { c.Cats = codes(MaxCategories) },
		"64 parts":             func(c *Core) { c.Parts = parts(MaxParts) },
		"part of 4 GiB":        func(c *Core) { c.Parts = []Part{{Len: MaxPart, SHA256: hashA}} },
		"32 recipients":        func(c *Core) { c.To = recipients(MaxRecipients) },
		"no own copy":          func(c *Core) { c.To = c.To[:1] },
		"own copy first":       func(c *Core) { c.To[0], c.To[1] = c.To[1], c.To[0] },
		"first epoch":          func(c *Core) { c.To[0].Epoch = 1 },
		"genesis only":         func(c *Core) { c.Dir.N = 1 },
		"stale directory":      func(c *Core) { c.Dir.Stale = true },
		"immediate":            func(c *Core) { c.Urg = Immediate },
		"urgent":               func(c *Core) { c.Urg = Urgent },
		"reply":                func(c *Core) { c.Re = msgB },
		"of a set":             func(c *Core) { c.Set = setA },
		"32 acts":              func(c *Core) { c.Obl = acts(MaxActs) },
		"no acts":              func(c *Core) { c.Obl = []Act{} },
		"duty of this message": func(c *Core) { c.Obl = []Act{{Op: OpAck, Of: c.Msg, Rule: "ack"}} },
		"duty of the set": func(c *Core) {
			c.Set, c.Obl = setA, []Act{{Op: OpAck, Of: msgB, Rule: "ack"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := aCore()
			change(&c)
			if err := c.Check(); err != nil {
				t.Fatal(err)
			}
			if _, err := Parse(sign(t, statement.TypeNotice, aPayload(c), keyA)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCoreCheckRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		member string
		change func(*Core)
	}{
		"version 0":            {"core.v", func(c *Core) { c.V = 0 }},
		"version 2":            {"core.v", func(c *Core) { c.V = 2 }},
		"pack without version": {"core.pack", func(c *Core) { c.Pack = "rs-a" }},
		"urgency":              {"core.urg", func(c *Core) { c.Urg = "r" }},
		"message id":           {"core.msg", func(c *Core) { c.Msg = setA }},
		"message id absent":    {"core.msg", func(c *Core) { c.Msg = "" }},
		"kind":                 {"core.kind", func(c *Core) { c.Kind = "Complaint" }},
		"kind absent":          {"core.kind", func(c *Core) { c.Kind = "" }},
		"case":                 {"core.case", func(c *Core) { c.Case = "c_1" }},
		"re":                   {"core.re", func(c *Core) { c.Re = id("c", 'r') }},
		"re itself":            {"core.re", func(c *Core) { c.Re = c.Msg }},
		"set":                  {"core.set", func(c *Core) { c.Set = msgB }},
		"created 0":            {"core.created", func(c *Core) { c.Created = 0 }},
		"occurred after":       {"core.occurred", func(c *Core) { c.Occurred = c.Created + 1 }},
		"occurred before 1970": {"core.occurred", func(c *Core) { c.Occurred = -1 }},
		"hold already over":    {"core.hold.until", func(c *Core) { c.Hold = &Hold{Reason: "secrecy", Until: c.Created} }},
		"hold reason":          {"core.hold.reason", func(c *Core) { c.Hold = &Hold{Until: c.Created + 1} }},
		"sender's key":         {"core.from.key", func(c *Core) { c.From.Key = hashA }},
		"sender's desk":        {"core.from.desk", func(c *Core) { c.From.Desk = c.From.Inst }},
		"sender's institution": {"core.from.inst", func(c *Core) { c.From.Inst = c.From.Desk }},
		"basis absent":         {"core.basis.code", func(c *Core) { c.Basis.Code = "" }},
		"purpose absent":       {"core.basis.purpose", func(c *Core) { c.Basis.Purpose = "" }},
		"necessity":            {"core.basis.necessity", func(c *Core) { c.Basis.Necessity = "no_code" }},
		"ref of 65 bytes":      {"core.basis.ref", func(c *Core) { c.Basis.Ref = strings.Repeat("r", 65) }},
		"ref of 33 two-bytes":  {"core.basis.ref", func(c *Core) { c.Basis.Ref = strings.Repeat("ч", 33) }},
		"ref over lines":       {"core.basis.ref", func(c *Core) { c.Basis.Ref = "284\n2" }},
		"65 consents":          {"core.basis.consents", func(c *Core) { c.Basis.Consents = consents(MaxConsents + 1) }},
		"consent id":           {"core.basis.consents", func(c *Core) { c.Basis.Consents = []ConsentRef{{ID: msgB, Ver: 1}} }},
		"consent version 0":    {"core.basis.consents", func(c *Core) { c.Basis.Consents = []ConsentRef{{ID: id("k", 'k')}} }},
		"consent twice":        {"core.basis.consents", func(c *Core) { c.Basis.Consents = append(consents(1), consents(1)...) }},
		"empty directory":      {"core.dir.n", func(c *Core) { c.Dir.N = 0 }},
		"root of 31 bytes":     {"core.dir.root", func(c *Core) { c.Dir.Root = make([]byte, 31) }},
		"root of 33 bytes":     {"core.dir.root", func(c *Core) { c.Dir.Root = make([]byte, 33) }},
		"persons without case": {"core.subj", func(c *Core) { c.Case = "" }},
		"17 persons":           {"core", func(c *Core) { c.Subj = many("p", MaxSubjects+1) }},
		"another person":       {"core.subj", func(c *Core) { c.Subj = many("g", 1) }},
		"person twice":         {"core.subj", func(c *Core) { c.Subj = append(many("p", 1), many("p", 1)...) }},
		"33 categories":        {"core", func(c *Core) { c.Cats = codes(MaxCategories + 1) }},
		"category":             {"core.cats", func(c *Core) { c.Cats = []string{"Identity"} }},
		"category twice":       {"core.cats", func(c *Core) { c.Cats = []string{"identity", "identity"} }},
		"9 facts":              {"core.facts", func(c *Core) { c.Facts = facts(MaxFacts + 1) }},
		"fact's name":          {"core.facts", func(c *Core) { c.Facts = map[string]string{"A": "b"} }},
		"fact's value":         {"core.facts", func(c *Core) { c.Facts = map[string]string{"a": ""} }},
		"65 parts":             {"core.parts", func(c *Core) { c.Parts = parts(MaxParts + 1) }},
		"empty part":           {"core.parts.len", func(c *Core) { c.Parts = []Part{{SHA256: hashA}} }},
		"part over 4 GiB":      {"core.parts.len", func(c *Core) { c.Parts = []Part{{Len: MaxPart + 1, SHA256: hashA}} }},
		"part's digest":        {"core.parts.sha256", func(c *Core) { c.Parts = []Part{{Len: 1, SHA256: strings.ToUpper(hashA)}} }},
		"nobody":               {"core.to", func(c *Core) { c.To = []Recipient{} }},
		"nobody else":          {"core.to", func(c *Core) { c.To = c.To[1:] }},
		"33 recipients":        {"core.to", func(c *Core) { c.To = recipients(MaxRecipients + 1) }},
		"desk twice":           {"core.to[1]", func(c *Core) { c.To = []Recipient{c.To[0], c.To[0]} }},
		"two own copies":       {"core.to[2]", func(c *Core) { c.To = append(c.To, c.To[1]) }},
		"sender as to":         {"core.to[1]", func(c *Core) { c.To[1].Role = RoleTo }},
		"another desk as self": {"core.to[0]", func(c *Core) { c.To[0].Role = RoleSelf }},
		"role":                 {"core.to[0]", func(c *Core) { c.To[0].Role = "cc" }},
		"recipient's desk":     {"core.to[0]", func(c *Core) { c.To[0].Desk = "d_b" }},
		"epoch 0":              {"core.to[0]", func(c *Core) { c.To[0].Epoch = 0 }},
		"rk":                   {"core.to[0]", func(c *Core) { c.To[0].RK = hashA[1:] }},
		"ack of 31 bytes":      {"core.to[0]", func(c *Core) { c.To[0].Ack = c.To[0].Ack[1:] }},
		"33 acts":              {"core.obl", func(c *Core) { c.Obl = acts(MaxActs + 1) }},
		"act twice":            {"core.obl[1]", func(c *Core) { c.Obl = append(c.Obl, c.Obl...) }},
		"duty outside any set": {"core.obl[0].of", func(c *Core) { c.Obl = []Act{{Op: OpAck, Of: msgB, Rule: "ack"}} }},
		"duty of a statement":  {"core.obl[0]", func(c *Core) { c.Obl = []Act{{Op: OpAck, Of: id("x", 'x'), Rule: "ack"}} }},
	} {
		t.Run(name, func(t *testing.T) {
			c := aCore()
			tt.change(&c)
			err := c.Check()
			if err == nil || !strings.HasPrefix(err.Error(), tt.member) {
				t.Fatalf("Check: %v, want an error about %s", err, tt.member)
			}
			if _, err := Parse(sign(t, statement.TypeNotice, aPayload(c), keyA)); err == nil {
				t.Error("Parse accepts it")
			}
		})
	}
}

// TestWorkedExample holds the core of FORMAT.md.
func TestWorkedExample(t *testing.T) {
	data, err := os.ReadFile("testdata/core.json")
	if err != nil {
		t.Fatal(err)
	}
	data = []byte(strings.TrimSuffix(string(data), "\n"))
	var c Core
	if err := statement.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	n, err := ParseJSON(parseVector(t, "testdata/vectors/notice-ok.txt").data)
	if err != nil {
		t.Fatal(err)
	}
	format, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{string(data), string(n.DSSE.Payload), string(encode(t, n.DSSE)), hex.EncodeToString(n.Digest[:])} {
		if !strings.Contains(string(format), shown) {
			t.Errorf("FORMAT.md does not show %s", shown)
		}
	}
	if got := len(c.Others()); got != 1 {
		t.Errorf("%d others, want 1", got)
	}
}

func consents(n int) []ConsentRef {
	refs := make([]ConsentRef, n)
	for i, k := range many("k", n) {
		refs[i] = ConsentRef{ID: k, Ver: 1}
	}
	return refs
}

func codes(n int) []string {
	cs := make([]string, n)
	for i := range cs {
		cs[i] = fmt.Sprintf("c-%d", i)
	}
	return cs
}

func facts(n int) map[string]string {
	fs := make(map[string]string, n)
	for _, c := range codes(n) {
		fs[c] = "yes"
	}
	return fs
}

func parts(n int) []Part {
	ps := make([]Part, n)
	for i := range ps {
		ps[i] = Part{Len: 1, SHA256: hashA}
	}
	return ps
}

func recipients(n int) []Recipient {
	rs := make([]Recipient, n)
	for i, d := range many("d", n) {
		rs[i] = recipient(d, RoleTo)
	}
	return rs
}

func acts(n int) []Act {
	as := make([]Act, n)
	for i, o := range many("o", n) {
		as[i] = Act{Op: OpAck, ID: o}
	}
	return as
}
