package directory_test

import (
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/mlkem"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// Everything random in the vectors is the SHA-256 of a label (FORMAT.md, Vectors).

func seed(label string) []byte {
	sum := sha256.Sum256([]byte("odziv/directory/vector/" + label))
	return sum[:]
}

func id(prefix, label string) string {
	return statement.FormatID(prefix, seed(prefix + "/" + label)[:16])
}

func hash(label string) string { return hex.EncodeToString(seed(label)) }

func signer(label string) statement.SigningKey {
	return statement.NewSigningKey(seed("ed25519/" + label))
}

func public(label string) ed25519.PublicKey { return signer(label).Public() }

func publics(labels ...string) []ed25519.PublicKey {
	keys := []ed25519.PublicKey{}
	for _, l := range labels {
		keys = append(keys, public(l))
	}
	return keys
}

func keyID(label string) string { return statement.KeyID(public(label)) }

var recipients sync.Map // by label: making one takes longer than a test of it

// recipient is the age recipient of the hybrid identity with seed "age/"+label:
// X-Wing expands 32 bytes with SHAKE256 into both halves.
func recipient(label string) string {
	if known, ok := recipients.Load(label); ok {
		return known.(string)
	}
	wide := sha3.SumSHAKE256(seed("age/"+label), 96)
	pq, err := mlkem.NewDecapsulationKey768(wide[:64])
	if err != nil {
		panic(err)
	}
	curve, err := ecdh.X25519().NewPrivateKey(wide[64:])
	if err != nil {
		panic(err)
	}
	text := bech32("age1pq", append(pq.EncapsulationKey().Bytes(), curve.PublicKey().Bytes()...))
	recipients.Store(label, text)
	return text
}

func bech32(prefix string, data []byte) string {
	var groups []byte
	acc, bits := uint(0), 0
	for _, b := range data {
		acc, bits = acc<<8|uint(b), bits+8
		for ; bits >= 5; bits -= 5 {
			groups = append(groups, byte(acc>>(bits-5)&31))
		}
		acc &= 1<<bits - 1
	}
	if bits > 0 {
		groups = append(groups, byte(acc<<(5-bits)&31))
	}
	return bech32Groups(prefix, groups)
}

// bech32Groups puts prefix and checksum around groups of 5 bits.
func bech32Groups(prefix string, groups []byte) string {
	const letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	expanded := []byte{}
	for _, c := range []byte(prefix) {
		expanded = append(expanded, c>>5)
	}
	expanded = append(expanded, 0)
	for _, c := range []byte(prefix) {
		expanded = append(expanded, c&31)
	}
	sum := uint32(1)
	for _, v := range append(append(expanded, groups...), 0, 0, 0, 0, 0, 0) {
		top := sum >> 25
		sum = (sum&0x1ffffff)<<5 ^ uint32(v)
		for i, g := range []uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	sum ^= 1
	text := []byte(prefix + "1")
	for _, g := range groups {
		text = append(text, letters[g])
	}
	for i := range 6 {
		text = append(text, letters[sum>>(5*(5-i))&31])
	}
	return string(text)
}

// vkey is a verifier key of x/mod/sumdb/note.
func vkey(name string, algorithm byte, label string) string {
	key := append([]byte{algorithm}, public(label)...)
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	return fmt.Sprintf("%s+%08x+%s", name, binary.BigEndian.Uint32(sum[:]), base64.StdEncoding.EncodeToString(key))
}

// Times of the vectors, ms.
const (
	start = 1767225600000 // 2026-01-01 00:00 UTC
	hour  = 3600 * 1000
	day   = 24 * hour
	end   = start + 1000*day
)

// A world grows a directory leaf by leaf and keeps every state.
type world struct {
	t       testing.TB
	states  []*directory.State // states[n] has n leaves
	leaves  [][]byte
	signers [][]string // labels
}

func newWorld(t testing.TB) *world {
	return &world{t: t, states: []*directory.State{directory.New()}}
}

func (w *world) now() *directory.State { return w.states[len(w.states)-1] }

// at is the claimed time of the leaf with index n: an hour each.
func at(n int64) int64 { return start + n*hour }

func (w *world) do(body directory.Body, labels ...string) {
	w.t.Helper()
	leaf := w.leaf(body, labels...)
	next, err := w.now().Apply(leaf)
	if err != nil {
		w.t.Fatalf("leaf %d, %T: %v", w.now().N(), body, err)
	}
	w.states, w.leaves, w.signers = append(w.states, next), append(w.leaves, leaf), append(w.signers, labels)
}

func (w *world) leaf(body directory.Body, labels ...string) []byte {
	w.t.Helper()
	payload, err := w.now().Prepare(body, at(w.now().N()))
	if err != nil {
		w.t.Fatalf("leaf %d, %T: %v", w.now().N(), body, err)
	}
	return sign(w.t, statement.TypeDirectory, payload, labels...)
}

func sign(t testing.TB, payloadType string, payload []byte, labels ...string) []byte {
	t.Helper()
	d, err := statement.Sign(context.Background(), payloadType, payload)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range labels {
		if err := d.AddSignature(context.Background(), signer(l)); err != nil {
			t.Fatal(err)
		}
	}
	leaf, err := directory.Leaf(d)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// pkg makes an epoch's packages for officers.
func pkg(labels ...string) []directory.Package {
	var out []directory.Package
	for _, l := range labels {
		out = append(out, directory.Package{Key: keyID(l), SHA256: hash("package/" + l)})
	}
	return out
}

func escrow(sets ...[]int) []directory.Escrow {
	out := []directory.Escrow{}
	for _, s := range sets {
		out = append(out, directory.Escrow{Cust: s, SHA256: hash(fmt.Sprint("escrow/", s))})
	}
	return out
}

func enrol(inst, label string, roles ...string) *directory.OfficerEnrol {
	return &directory.OfficerEnrol{
		U: id("u", label), I: id("i", inst), Key: keyID(label), Ed: public(label), Rcp: recipient(label),
		Roles: roles, NB: start, NA: end,
	}
}

func logs() directory.Logs {
	return directory.Logs{Dir: vkey("exchange.example/dir", 1, "log/dir"), Ev: vkey("exchange.example/ev", 1, "log/ev")}
}

func none() directory.Quorum {
	return directory.Quorum{Dir: directory.QuorumNone, Ev: directory.QuorumNone}
}

func genesis() *directory.Genesis {
	return &directory.Genesis{
		Name: "vector directory", Council: directory.Council{K: 2, Keys: publics("council/1", "council/2", "council/3")},
		Delegates: []directory.Delegate{
			{I: id("i", "A"), Key: public("A/delegate")},
			{I: id("i", "B"), Key: public("B/delegate")},
			{I: id("i", "C"), Key: public("C/delegate")},
		},
		Logs: logs(), Quorum: none(), Witnesses: []directory.Witness{},
	}
}

// golden is the directory of testdata/golden.jsonl: every kind of statement at
// least once.
func golden(t testing.TB) *world {
	w := newWorld(t)
	a, b := id("i", "A"), id("i", "B")
	legal, rep := id("d", "A/legal"), id("d", "B/rep")
	delegates := []string{"A/delegate", "B/delegate"}
	w.do(genesis(), "council/1", "council/2", "council/3")
	w.do(&directory.InstJoin{I: a, Root: directory.Root{K: 2, Keys: publics("A/root/1", "A/root/2", "A/root/3")}}, append(delegates, "A/root/1", "A/root/3")...)
	w.do(&directory.InstProfile{I: a, Type: "swc", Level: "local", Territory: []string{"70653"}, EscalatesTo: b, Emergency: true, NB: start, NA: end}, delegates...)
	w.do(&directory.InstRegistrars{I: a, Keys: publics("A/registrar/1", "A/registrar/2", "A/registrar/3")}, "A/root/1", "A/root/2")
	w.do(&directory.InstCustodians{I: a, K: 2, Rcps: []string{recipient("A/custodian/1"), recipient("A/custodian/2"), recipient("A/custodian/3")}}, "A/root/2", "A/root/3")
	w.do(&directory.InstObserver{I: a, Key: public("A/observer")}, "A/root/1", "A/root/2")
	w.do(&directory.InstJoin{I: b, Root: directory.Root{K: 2, Keys: publics("B/root/1", "B/root/2")}}, "A/delegate", "C/delegate", "B/root/1", "B/root/2")
	w.do(&directory.InstProfile{I: b, Type: "sponsor", Level: "national", Territory: []string{}, NB: start, NA: end}, delegates...)
	w.do(&directory.InstRegistrars{I: b, Keys: publics("B/registrar/1", "B/registrar/2")}, "B/root/1", "B/root/2")
	w.do(enrol("A", "A/officer/1", "member", "head"), "A/registrar/1", "A/registrar/2")
	w.do(enrol("A", "A/officer/2", "member"), "A/registrar/2", "A/registrar/3")
	w.do(&directory.Card{Of: id("u", "A/officer/1"), C: seed("card")}, "A/registrar/1")
	w.do(&directory.DeskProfile{D: legal, I: a, Fn: "legal", NB: start, NA: end}, "A/registrar/1")
	w.do(&directory.DeskMembers{D: legal, Members: []string{id("u", "A/officer/1"), id("u", "A/officer/2")}}, "A/registrar/1", "A/registrar/2")
	w.do(&directory.DeskEpoch{D: legal, E: 1, RK: hash("rk/A/1"), Why: "first", Pkg: pkg("A/officer/1", "A/officer/2"), Esc: escrow([]int{0, 1}, []int{0, 2}, []int{1, 2})}, "A/officer/1")
	w.do(&directory.DeskEpochAck{D: legal, E: 1}, "A/officer/2")
	w.do(&directory.DeskRota{D: legal, From: start, To: start + 7*day, Contacts: []directory.Contact{{U: id("u", "A/officer/1"), Card: seed("card")}, {U: id("u", "A/officer/2")}}}, "A/officer/1")
	w.do(enrol("B", "B/officer/1", "member"), "B/registrar/1", "B/registrar/2")
	w.do(&directory.DeskProfile{D: rep, I: b, Fn: "rep", NB: start, NA: end}, "B/registrar/1", "B/registrar/2")
	w.do(&directory.DeskMembers{D: rep, Members: []string{id("u", "B/officer/1")}}, "B/registrar/1", "B/registrar/2")
	w.do(&directory.DeskEpoch{D: rep, E: 1, RK: hash("rk/B/1"), Why: "first", Pkg: pkg("B/officer/1"), Esc: escrow()}, "B/officer/1")
	w.do(&directory.DeskEpochAck{D: rep, E: 1}, "B/registrar/2")
	w.do(&directory.PackAdopt{ID: "rs-a@1", Hash: hash("pack/rs-a@1"), From: start}, delegates...)
	w.do(&directory.CalendarDay{Zone: "Europe/Belgrade", Date: "2026-02-17", Off: true, Ref: "decree 5/2026"}, delegates...)
	w.do(&directory.AuditGrant{D: rep, Scope: "meta", From: start, To: end}, delegates...)
	w.do(&directory.OfficerRevoke{U: id("u", "A/officer/2"), Key: keyID("A/officer/2"), From: start + 20*hour, Reason: "device-lost"}, "A/registrar/3")
	w.do(&directory.DeskMembers{D: legal, Members: []string{id("u", "A/officer/1")}}, "A/registrar/2")
	w.do(&directory.DeskEpoch{D: legal, E: 2, RK: hash("rk/A/2"), Why: "member-left", Pkg: pkg("A/officer/1"), Esc: escrow([]int{0, 1}, []int{0, 2}, []int{1, 2})}, "A/officer/1")
	w.do(&directory.DeskEpochDispute{D: legal, E: 2, Why: "wrong-key"}, "A/registrar/1")
	w.do(&directory.InstRoot{I: a, K: 2, Keys: publics("A/root/1", "A/root/2", "A/root/4")}, "A/root/1", "A/root/2")
	w.do(&directory.DelegateRevoke{Key: keyID("C/delegate"), Reason: "left"}, "council/3")
	w.do(newPolicy(), "council/1", "council/2", "council/4")
	w.do(signingCustodians(), "A/root/2", "A/root/4")
	return w
}

// signingCustodians gives the custodians of A what they sign requests with, and
// replaces the third.
func signingCustodians() *directory.InstCustodians {
	return &directory.InstCustodians{
		I: id("i", "A"), K: 2, Keys: publics("A/custodian/1", "A/custodian/2", "A/custodian/4"),
		Rcps: []string{recipient("A/custodian/1"), recipient("A/custodian/2"), recipient("A/custodian/4")},
	}
}

// newPolicy replaces one council key and turns the witnesses on.
func newPolicy() *directory.Policy {
	cosigner := vkey("witness.example", 4, "witness/1")
	text := "log " + logs().Dir + "\nwitness w1 " + cosigner + "\nquorum w1\n"
	return &directory.Policy{
		Council: directory.Council{K: 2, Keys: publics("council/2", "council/3", "council/4")},
		Delegates: []directory.Delegate{
			{I: id("i", "A"), Key: public("A/delegate")},
			{I: id("i", "B"), Key: public("B/delegate")},
		},
		Logs: logs(), Quorum: directory.Quorum{Dir: text, Ev: strings.Replace(text, logs().Dir, logs().Ev, 1)},
		Witnesses: []directory.Witness{{Operator: "institution C", VKey: cosigner}},
	}
}
