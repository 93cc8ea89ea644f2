// Package audittest makes small ledgers for the tests of what audits them: a
// directory of three institutions, and a story of a consent, a message under
// it, an answer, a withdrawal and more, recorded as an exchange records it.
// Everything random is derived from a label, so the bytes are the same in every
// run for one rule pack.
package audittest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
	"github.com/odziv/odziv/messaging/obligation"
)

// Host is the exchange of the ledgers made here.
const Host = "exchange.example"

// Times, ms since 1970 UTC.
const (
	Start = 1767225600000 // 2026-01-01
	Hour  = 3600 * 1000
	Day   = 24 * Hour
	end   = Start + 3000*Day
)

// PackID is the rule pack that the directory adopts.
const PackID = "xx-demo@1"

//go:embed recipients.txt
var recipients string

// Seed is the 32 bytes of a label.
func Seed(label string) []byte {
	sum := sha256.Sum256([]byte("odziv/audit/vector/" + label))
	return sum[:]
}

// ID is the identifier of a label.
func ID(prefix, label string) string {
	return statement.FormatID(prefix, Seed(prefix + "/" + label)[:16])
}

// Key is the signing key of a label.
func Key(label string) statement.SigningKey { return statement.NewSigningKey(Seed("key/" + label)) }

// Keys are the public keys of labels.
func Keys(labels ...string) []ed25519.PublicKey {
	var out []ed25519.PublicKey
	for _, l := range labels {
		out = append(out, Key(l).Public())
	}
	return out
}

func hash(label string) string { return hex.EncodeToString(Seed(label)) }

// World is a ledger that grows.
type World struct {
	t        testing.TB
	Memory   *storagetest.Memory
	Dir      *directory.State
	Leaves   [][]byte // of the directory
	Openings []evidence.Opening
	Erased   map[int64]bool // openings not kept
	Pack     *rules.Pack
	Packs    *rules.Set
	At       int64

	book  *obligation.Memory
	feeds map[string]int64
	last  map[string]int64
	privs []*evidence.Priv
	metas []*evidence.Meta
	ids   int
	steps []publisher
}

type publisher struct{ *ledger.Publisher }

// New makes a ledger whose directory is complete and whose evidence tree is
// empty.
func New(t testing.TB, demo bool) *World {
	t.Helper()
	pack, err := rules.Load(PackID)
	if err != nil {
		t.Fatal(err)
	}
	w := &World{t: t, Memory: storagetest.NewMemory(), Dir: directory.New(), Pack: pack, Packs: rules.NewSet(pack), At: Start + Day,
		Erased: map[int64]bool{}, book: obligation.NewMemory(), feeds: map[string]int64{}, last: map[string]int64{}}
	w.directory(demo)
	for _, log := range ledger.Logs {
		w.steps = append(w.steps, publisher{ledger.NewPublisher(w.Memory, log, logKey(t, log), storagetest.NewAnchor(), ledger.Unwatched{})})
	}
	return w
}

// LogKey is the verifier key of a log.
func LogKey(log ledger.Log) string {
	k, err := ledger.NewSigningKey(log.Origin(Host), Seed("log/"+log.String()))
	if err != nil {
		panic(err)
	}
	return k.VerifierKey()
}

// Recipient is the n-th of six age recipients.
func Recipient(n int) string { return strings.Fields(recipients)[n] }

func logKey(t testing.TB, log ledger.Log) *ledger.SigningKey {
	k, err := ledger.NewSigningKey(log.Origin(Host), Seed("log/"+log.String()))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Genesis is the hash to pin.
func (w *World) Genesis() string { return w.Dir.Genesis() }

// Publish publishes checkpoints of both logs.
func (w *World) Publish() {
	w.t.Helper()
	for _, log := range ledger.Logs {
		w.PublishOne(log)
	}
}

// PublishOne publishes the checkpoint of one log.
func (w *World) PublishOne(log ledger.Log) {
	w.t.Helper()
	if _, _, err := w.steps[log].Step(context.Background(), w.At); err != nil {
		w.t.Fatal(err)
	}
}

// Smuggle appends a statement to the directory that it would refuse, as whoever
// owns the log's key can. It returns its index.
func (w *World) Smuggle(body directory.Body, labels ...string) int64 {
	w.t.Helper()
	idx := int64(len(w.Leaves))
	w.Dir.Prepare(body, Start+idx) // fills the head, whatever it says
	if g, ok := body.(*directory.Genesis); ok {
		g.DirN, g.Prev = 0, ""
	}
	payload, err := directory.Payload(body)
	if err != nil {
		w.t.Fatal(err)
	}
	d := w.Sign(statement.TypeDirectory, json.RawMessage(payload), labels...)
	leaf, err := directory.Leaf(d)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Leaves = append(w.Leaves, leaf)
	if err := storagetest.Append(w.Memory, ledger.Dir, w.At, leaf); err != nil {
		w.t.Fatal(err)
	}
	return idx
}

// Directory appends a statement to the directory, signed by labels.
func (w *World) Directory(body directory.Body, labels ...string) {
	w.t.Helper()
	ctx := context.Background()
	payload, err := w.Dir.Prepare(body, Start+w.Dir.N())
	if err != nil {
		w.t.Fatal(err)
	}
	d, err := statement.Sign(ctx, statement.TypeDirectory, payload)
	for _, l := range labels {
		if err == nil {
			err = d.AddSignature(ctx, Key(l))
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
	leaf, err := directory.Leaf(d)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.Dir, err = w.Dir.Apply(leaf); err != nil {
		w.t.Fatalf("%T: %v", body, err)
	}
	w.Leaves = append(w.Leaves, leaf)
	if err := storagetest.Append(w.Memory, ledger.Dir, w.At, leaf); err != nil {
		w.t.Fatal(err)
	}
}

func (w *World) directory(demo bool) {
	del := []string{"delegate/1", "delegate/2"}
	w.Directory(&directory.Genesis{Name: "audit vectors", Demo: demo,
		Council: directory.Council{K: 2, Keys: Keys("council/1", "council/2")},
		Delegates: []directory.Delegate{{I: ID("i", "A"), Key: Key("delegate/1").Public()}, {I: ID("i", "B"), Key: Key("delegate/2").Public()},
			{I: ID("i", "C"), Key: Key("delegate/3").Public()}},
		Logs:   directory.Logs{Dir: logKey(w.t, ledger.Dir).VerifierKey(), Ev: logKey(w.t, ledger.Ev).VerifierKey()},
		Quorum: directory.Quorum{Dir: directory.QuorumNone, Ev: directory.QuorumNone}, Witnesses: []directory.Witness{}},
		"council/1", "council/2")
	rcps := strings.Fields(recipients)
	for n, house := range []struct{ letter, typ, fn string }{{"A", "guild", "case"}, {"B", "harbour-office", "intake"}, {"C", "magistrate", "judge"}} {
		w.house(house.letter, house.typ, house.fn, rcps[2*n:2*n+2], del)
	}
	w.Directory(&directory.PackAdopt{ID: PackID, Hash: w.Pack.Hash(), From: Start}, del...)
}

// house joins an institution with two officers and one desk.
func (w *World) house(letter, typ, fn string, rcps, del []string) {
	i, d := ID("i", letter), ID("d", letter)
	root, reg := []string{letter + "/root/1", letter + "/root/2"}, []string{letter + "/registrar/1", letter + "/registrar/2"}
	w.Directory(&directory.InstJoin{I: i, Root: directory.Root{K: 2, Keys: Keys(root...)}}, append(del[:2:2], root...)...)
	w.Directory(&directory.InstProfile{I: i, Type: typ, Level: "local", Territory: []string{}, NB: Start, NA: end}, del...)
	w.Directory(&directory.InstRegistrars{I: i, Keys: Keys(reg...)}, root...)
	var users []string
	pkg := []directory.Package{}
	for n, rcp := range rcps {
		label := Officer(letter, n+1)
		users = append(users, ID("u", label))
		pub := Key(label).Public()
		w.Directory(&directory.OfficerEnrol{U: ID("u", label), I: i, Key: statement.KeyID(pub), Ed: pub, Rcp: rcp,
			Roles: []string{"member", "head"}, NB: Start, NA: end}, reg...)
		pkg = append(pkg, directory.Package{Key: statement.KeyID(pub), SHA256: hash("package/" + label)})
	}
	w.Directory(&directory.DeskProfile{D: d, I: i, Fn: fn, NB: Start, NA: end}, reg[0])
	w.Directory(&directory.DeskMembers{D: d, Members: users}, reg...)
	w.Directory(&directory.DeskEpoch{D: d, E: 1, RK: hash("rk/" + letter), Why: "first", Pkg: pkg, Esc: []directory.Escrow{}}, Officer(letter, 1))
	w.Directory(&directory.DeskEpochAck{D: d, E: 1}, Officer(letter, 2))
}

// Officer is the label of an officer of a house, from 1.
func Officer(letter string, n int) string { return fmt.Sprintf("%s/officer/%d", letter, n) }

// Source is what a bundle is made from.
func (w *World) Source() *Source {
	var s *Source
	err := w.Memory.View(context.Background(), func(r ledger.Reader) error {
		s = &Source{r, w}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// Source is a snapshot of a World, an audit.Source.
type Source struct {
	ledger.Reader
	w *World
}

// Openings calls f for every opening kept.
func (s *Source) Openings(_ context.Context, from int64, f func(int64, evidence.Opening) error) error {
	for i := from; i < int64(len(s.w.Openings)); i++ {
		if s.w.Erased[i] {
			continue
		}
		if err := f(i, s.w.Openings[i]); err != nil {
			return err
		}
	}
	return nil
}

// Proof is the .tlog-proof of an entry.
func (w *World) Proof(log ledger.Log, idx int64) []byte {
	w.t.Helper()
	p, err := ledger.ProofFor(context.Background(), w.Source(), log, idx)
	if err != nil {
		w.t.Fatal(err)
	}
	return p.Format()
}

// Item is the opening of an entry as a feed shows it.
func (w *World) Item(idx int64) evidence.Item { return evidence.ItemOf(idx, 0, w.Openings[idx]) }

func raw(v any) json.RawMessage {
	data, err := statement.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
