package consent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// testPack is testdata/pack.toml, parsed once.
var testPack = sync.OnceValue(func() *rules.Pack {
	data, err := os.ReadFile("testdata/pack.toml")
	if err != nil {
		panic(err)
	}
	p, err := rules.Parse("pack.toml", data)
	if err != nil {
		panic(err)
	}
	return p
})

// id derives an identifier from a letter or role, the same in every run and in
// the vectors: 16 bytes of SHA-256("odziv consent vectors " + prefix + name).
func id(prefix, name string) string {
	sum := sha256.Sum256([]byte("odziv consent vectors " + prefix + name))
	return statement.FormatID(prefix, sum[:16])
}

func hash(name string) string {
	sum := sha256.Sum256([]byte("odziv consent vectors " + name))
	return hex.EncodeToString(sum[:])
}

// belgrade is a wall clock reading in ms.
func belgrade(t testing.TB, s string) int64 {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04:05.000", s, testPack().Location())
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}

// The parties of the tests: desk and institution by letter.
var (
	swcA   = Party{id("d", "swc-a.case"), id("i", "swc-a"), "swc"}
	swcAL  = Party{id("d", "swc-a.legal"), id("i", "swc-a"), "swc"}
	ngo1   = Party{id("d", "ngo-1"), id("i", "ngo-1"), "ngo"}
	nesA   = Party{id("d", "nes-a"), id("i", "nes-a"), "nes"}
	policA = Party{id("d", "pd-a"), id("i", "pd-a"), "police"}
	ppoA   = Party{id("d", "ppo-a"), id("i", "ppo-a"), "ppo-higher"}
	repOf1 = Party{id("d", "rep-1"), id("i", "ngo-1"), "representative"} // hosted by ngo-1
)

// officer is the key of a test officer, made from a name.
func officer(name string) statement.SigningKey {
	sum := sha256.Sum256([]byte("odziv consent vectors key " + name))
	return statement.NewSigningKey(sum[:])
}

const (
	t0    = int64(1_771_000_000_000) // 2026-02-13 17:26:40 in Belgrade
	day   = int64(24 * 60 * 60 * 1000)
	month = 30 * day
)

// given is a consent of an adult, valid six months from t0, that swc-a may use
// towards ngo-1 and nes-a.
func given() *Statement {
	return &Statement{
		Head: statement.Head{
			At: t0, By: statement.By{Desk: swcA.Desk, Inst: swcA.Inst, Key: statement.KeyID(officer("swc-a.case").Public())},
			Case: id("c", "1"), DirN: 7, Ev: Given.Event(), ID: id("k", "1"), Pack: "cons@1", V: 1,
		},
		Ver: 1, Prev: 0, Subj: id("p", "1"), Grantor: Grantor{id("p", "1"), Self},
		Age: "adult", Opinion: "agrees", Form: "explicit", Method: "signed-paper", Channel: "in-person",
		Lang: "sr", Interp: "none", Understood: true, Text: Text{hash("text"), 3},
		From: []string{swcA.Inst}, To: []string{ngo1.Inst, nesA.Inst},
		Purposes: []string{"assistance"}, Cats: []string{"contact", "needs"}, Onward: []string{},
		Told: []string{"danger", "child", "order"}, NB: t0, NA: t0 + 6*month,
	}
}

// childs is the same for a child of 10 to 14, decided by a guardian.
func childs() *Statement {
	return with(given(), func(s *Statement) {
		s.Age, s.Grantor = "10-14", Grantor{id("g", "guardian"), "guardian"}
	})
}

// with returns a changed deep copy.
func with(s *Statement, change func(*Statement)) *Statement {
	c := *s
	for _, a := range []*[]string{&c.From, &c.To, &c.Purposes, &c.Cats, &c.Onward, &c.Told} {
		*a = append([]string{}, *a...)
	}
	change(&c)
	return &c
}

// follow returns the next version of s with another act, a day later.
func follow(s *Statement, act Act, change func(*Statement)) *Statement {
	return with(s, func(n *Statement) {
		n.Ev, n.Ver, n.Prev, n.At = act.Event(), s.Ver+1, s.Ver, s.At+day
		if change != nil {
			change(n)
		}
	})
}

// recordOf holds statements as accepted versions, at leaves 10, 20, …
func recordOf(t testing.TB, statements ...*Statement) *Record {
	t.Helper()
	r := &Record{ID: statements[0].ID}
	for i, s := range statements {
		if err := r.Append(Recorded(s, int64(10*(i+1)), s.At)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// signed wraps a statement as an officer sends it.
func signed(t testing.TB, s interface {
	Encode() (string, []byte, error)
}, signers ...statement.Signer) *statement.DSSE {
	t.Helper()
	typ, payload, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	d, err := statement.Sign(context.Background(), typ, payload, signers...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// shelf is the book of the tests: everything in memory.
type shelf struct {
	records    map[string]*Record
	exclusions []Exclusion
	links      [][2]string
	fail       error // returned by every question
}

func book(records ...*Record) *shelf {
	b := &shelf{records: map[string]*Record{}}
	for _, r := range records {
		b.records[r.ID] = r
	}
	return b
}

func (b *shelf) Record(id string) (*Record, bool, error) {
	r, ok := b.records[id]
	return r, ok, b.fail
}

func (b *shelf) Excluded(who, subj string, now int64) (bool, error) {
	for i := range b.exclusions {
		if b.exclusions[i].Excludes(who, subj, now) {
			return true, b.fail
		}
	}
	return false, b.fail
}

func (b *shelf) Same(one, other string) (bool, error) {
	for _, l := range b.links {
		if l == [2]string{one, other} || l == [2]string{other, one} {
			return true, b.fail
		}
	}
	return one == other, b.fail
}

// ask is a referral from swc-a to ngo-1 under version ver of given().
func ask(ver int) Request {
	s := given()
	return Request{
		Kind: "referral", Case: s.Case, Cats: []string{"contact"}, Subj: []string{s.Subj},
		Basis: messaging.Basis{Code: "consent", Purpose: "assistance", Consents: []messaging.ConsentRef{{ID: s.ID, Ver: ver}}},
		From:  swcA, To: []Party{ngo1},
	}
}
