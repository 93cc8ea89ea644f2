package transparency_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/transparency"
)

const (
	start = int64(1767225600000) // 2026-01-01 00:00 UTC
	hour  = int64(3600 * 1000)
	day   = 24 * hour
	end   = start + 1000*day
)

func seed(label string) []byte {
	sum := sha256.Sum256([]byte("odziv/transparency/" + label))
	return sum[:]
}

func id(prefix, label string) string {
	return statement.FormatID(prefix, seed(prefix + "/" + label)[:16])
}
func hash(label string) string                 { return hex.EncodeToString(seed(label)) }
func signer(label string) statement.SigningKey { return statement.NewSigningKey(seed("ed/" + label)) }
func keyID(label string) string                { return statement.KeyID(signer(label).Public()) }

func publics(labels ...string) []ed25519.PublicKey {
	keys := []ed25519.PublicKey{}
	for _, l := range labels {
		keys = append(keys, signer(l).Public())
	}
	return keys
}

var recipients sync.Map // by label: making one costs more than a test of it

func recipient(label string) string {
	if known, ok := recipients.Load(label); ok {
		return known.(string)
	}
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		panic(err)
	}
	known, _ := recipients.LoadOrStore(label, id.Recipient().String())
	return known.(string)
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// world is an institution A with desks "legal" and "intake", grown entry by
// entry, one an hour.
type world struct {
	t      tester
	state  *directory.State
	leaves [][]byte
	at     int64 // of the next entry
}

func (w *world) log() transparency.Log {
	return transparency.Log{Leaves: w.leaves, View: w.state.View}
}

// do adds an entry and returns its index.
func (w *world) do(body directory.Body, by ...string) int64 {
	w.t.Helper()
	idx, err := w.try(body, by...)
	if err != nil {
		w.t.Fatalf("entry %d, %T: %v", len(w.leaves), body, err)
	}
	return idx
}

func (w *world) try(body directory.Body, by ...string) (int64, error) {
	payload, err := w.state.Prepare(body, w.at)
	if err != nil {
		return 0, err
	}
	signers := []statement.Signer{}
	for _, l := range by {
		signers = append(signers, signer(l))
	}
	d, err := statement.Sign(context.Background(), statement.TypeDirectory, payload, signers...)
	if err != nil {
		return 0, err
	}
	leaf, err := directory.Leaf(d)
	if err != nil {
		return 0, err
	}
	next, err := w.state.Apply(leaf)
	if err != nil {
		return 0, err
	}
	w.state, w.leaves, w.at = next, append(w.leaves, leaf), w.at+hour
	return int64(len(w.leaves) - 1), nil
}

func vkey(name string) string {
	key := append([]byte{1}, signer(name).Public()...)
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	return fmt.Sprintf("%s+%x+%s", name, sum[:4], encode(key))
}

var (
	instA, legal, intake = id("i", "A"), id("d", "legal"), id("d", "intake")
	delegates            = []string{"delegate/1", "delegate/2"}
	registrars           = []string{"registrar/1", "registrar/2"}
	root                 = []string{"root/1", "root/2"}
)

// found makes the institution with its root, registrars and desks, and nobody at
// them yet.
func found(t tester) *world {
	w := &world{t: t, state: directory.New(), at: start}
	w.do(&directory.Genesis{Name: "test", Council: directory.Council{K: 2, Keys: publics("council/1", "council/2")},
		Delegates: []directory.Delegate{{I: instA, Key: signer("delegate/1").Public()}, {I: id("i", "B"), Key: signer("delegate/2").Public()}},
		Logs:      directory.Logs{Dir: vkey("x.example/dir"), Ev: vkey("x.example/ev")},
		Quorum:    directory.Quorum{Dir: directory.QuorumNone, Ev: directory.QuorumNone}, Witnesses: []directory.Witness{}}, "council/1", "council/2")
	w.do(&directory.InstJoin{I: instA, Root: directory.Root{K: 2, Keys: publics("root/1", "root/2", "root/3")}}, append(slices.Clone(delegates), root...)...)
	w.do(&directory.InstProfile{I: instA, Type: "swc", Level: "local", Territory: []string{}, NB: start, NA: end}, delegates...)
	w.do(&directory.InstRegistrars{I: instA, Keys: publics("registrar/1", "registrar/2", "registrar/3")}, root...)
	w.do(&directory.InstCustodians{I: instA, K: 2, Rcps: []string{recipient("cust/1"), recipient("cust/2"), recipient("cust/3")}}, root...)
	for d, fn := range map[string]string{legal: "legal", intake: "intake"} {
		w.do(&directory.DeskProfile{D: d, I: instA, Fn: fn, NB: start, NA: end}, "registrar/1")
	}
	return w
}

func (w *world) enrol(label string, roles ...string) int64 {
	w.t.Helper()
	return w.do(enrolment(label, label, roles...), registrars...)
}

// enrolment is of an officer with the key of a label.
func enrolment(officer, key string, roles ...string) *directory.OfficerEnrol {
	if len(roles) == 0 {
		roles = []string{"member"}
	}
	return &directory.OfficerEnrol{U: id("u", officer), I: instA, Key: keyID(key), Ed: signer(key).Public(), Rcp: recipient(key), Roles: roles, NB: start, NA: end}
}

func (w *world) members(d string, labels ...string) int64 {
	w.t.Helper()
	users := []string{}
	for _, l := range labels {
		users = append(users, id("u", l))
	}
	before, _ := w.state.Desk(d)
	by := registrars[:1]
	for _, u := range users {
		if !slices.Contains(before.Members, u) {
			by = registrars
		}
	}
	return w.do(&directory.DeskMembers{D: d, Members: users}, by...)
}

// epoch makes the next key of a desk for its active members.
func (w *world) epoch(d, by string) int64 {
	w.t.Helper()
	return w.do(w.epochBody(d), by)
}

func (w *world) epochBody(d string) *directory.DeskEpoch {
	last, _ := w.state.LatestEpoch(d)
	desk, _ := w.state.Desk(d)
	body := &directory.DeskEpoch{D: d, E: last.E + 1, RK: hash(fmt.Sprint(d, last.E+1, len(w.leaves))), Why: "test", Pkg: []directory.Package{}, Esc: []directory.Escrow{}}
	for _, u := range desk.Members {
		if o, ok := w.state.Officer(u); ok && o.ActiveAt(w.at) {
			body.Pkg = append(body.Pkg, directory.Package{Key: o.KeyID, SHA256: hash("pkg/" + o.KeyID + d + fmt.Sprint(body.E))})
		}
	}
	inst, _ := w.state.Institution(instA)
	if n := len(inst.Custodians.Rcps); inst.Custodians.K == 2 {
		for i := range n {
			for j := i + 1; j < n; j++ {
				body.Esc = append(body.Esc, directory.Escrow{Cust: []int{i, j}, SHA256: hash(fmt.Sprint("esc/", d, body.E, i, j))})
			}
		}
	}
	return body
}

func (w *world) ack(d, by string) int64 {
	w.t.Helper()
	last, _ := w.state.LatestEpoch(d)
	return w.do(&directory.DeskEpochAck{D: d, E: last.E}, by)
}

func (w *world) revoke(label string) int64 {
	w.t.Helper()
	o, _ := w.state.Officer(id("u", label))
	return w.do(&directory.OfficerRevoke{U: o.U, Key: o.KeyID, From: w.at, Reason: "left"}, "registrar/1")
}

// staffed is found with officers anna and boris at the legal desk and its first
// key in use.
func staffed(t tester) *world {
	w := found(t)
	w.enrol("anna")
	w.enrol("boris")
	w.members(legal, "anna", "boris")
	w.epoch(legal, "anna")
	w.ack(legal, "boris")
	return w
}
