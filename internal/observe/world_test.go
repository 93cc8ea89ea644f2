package observe

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

const (
	host  = "exchange.example"
	start = 1_767_868_200_000
)

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rounds scales a count of random rounds.
func rounds(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("ODZIV_ROUNDS"), 64); err == nil && f > 0 {
		return max(1, int(float64(n)*f))
	}
	return n
}

func seed(b byte) []byte { return slices.Repeat([]byte{b}, 32) }

// tree is one history of one log.
type tree struct {
	leaves [][]byte
	hashes []tlog.Hash
}

func (h *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		if at >= int64(len(h.hashes)) {
			return nil, ledger.ErrMissing
		}
		out[i] = h.hashes[at]
	}
	return out, nil
}

func (h *tree) add(t testing.TB, leaf []byte) {
	more, err := tlog.StoredHashes(int64(len(h.leaves)), leaf, h)
	ok(t, err)
	h.leaves, h.hashes = append(h.leaves, leaf), append(h.hashes, more...)
}

// branch is another history that agrees below size.
func (h *tree) branch(size int) *tree {
	return &tree{slices.Clone(h.leaves[:size]), slices.Clone(h.hashes[:tlog.StoredHashIndex(0, int64(size))])}
}

func (h *tree) root(t testing.TB, size int) tlog.Hash {
	if size == 0 {
		return ledger.EmptyRoot()
	}
	root, err := tlog.TreeHash(int64(size), h)
	ok(t, err)
	return root
}

func (h *tree) Tile(_ context.Context, t tlog.Tile) ([]byte, error) {
	if !ledger.TileWithin(t, int64(len(h.leaves))) {
		return nil, ledger.ErrMissing
	}
	if t.L == ledger.EntryLevel {
		return ledger.FormatBundle(h.leaves[t.N<<8 : t.N<<8+int64(t.W)])
	}
	return tlog.ReadTileData(t, h)
}

// exchange is what an observer is shown: an honest one, or one that a test lets
// lie. It signs whatever it shows.
type exchange struct {
	t       testing.TB
	trees   map[ledger.Log]*tree
	keys    map[ledger.Log]*ledger.SigningKey
	sizes   map[ledger.Log]int // published; absent: all
	edit    func(log ledger.Log, t tlog.Tile, data []byte) ([]byte, error)
	note    func(log ledger.Log, signed []byte) ([]byte, error)
	fetched int

	clock     int64
	dir       *directory.State
	council   statement.SigningKey
	delegates []statement.SigningKey
	root      statement.SigningKey
	people    []statement.SigningKey // registrars
	inst      string
	desk      string
}

// newExchange begins a directory with one institution that has a desk.
func newExchange(t testing.TB) *exchange {
	x := &exchange{t: t, trees: map[ledger.Log]*tree{ledger.Dir: {}, ledger.Ev: {}}, keys: map[ledger.Log]*ledger.SigningKey{}, sizes: map[ledger.Log]int{},
		clock: start, dir: directory.New(), council: statement.NewSigningKey(seed(1)), root: statement.NewSigningKey(seed(2)),
		inst: statement.NewID(statement.Institution), desk: statement.NewID(statement.Desk)}
	for i, log := range ledger.Logs {
		key, err := ledger.NewSigningKey(log.Origin(host), seed(byte(10+i)))
		ok(t, err)
		x.keys[log] = key
	}
	for i := range byte(2) {
		x.delegates = append(x.delegates, statement.NewSigningKey(seed(20+i)))
		x.people = append(x.people, statement.NewSigningKey(seed(30+i)))
	}
	none := directory.Quorum{Dir: directory.QuorumNone, Ev: directory.QuorumNone}
	x.propose(&directory.Genesis{Council: one(x.council), Demo: true, Name: "test", Delegates: []directory.Delegate{
		{I: statement.NewID(statement.Institution), Key: x.delegates[0].Public()}, {I: statement.NewID(statement.Institution), Key: x.delegates[1].Public()}},
		Logs: x.logs(), Quorum: none, Witnesses: []directory.Witness{}}, x.council)
	x.propose(&directory.InstJoin{I: x.inst, Root: one(x.root)}, x.delegates[0], x.delegates[1], x.root)
	x.propose(&directory.InstRegistrars{I: x.inst, Keys: []ed25519.PublicKey{x.people[0].Public(), x.people[1].Public()}}, x.root)
	x.propose(&directory.DeskProfile{D: x.desk, Fn: "legal", I: x.inst, NA: start * 2, NB: start}, x.people[0])
	for i := range 5 {
		x.trees[ledger.Ev].add(t, fmt.Appendf(nil, "entry %d", i))
	}
	return x
}

func one(k statement.SigningKey) directory.Root {
	return directory.Root{K: 1, Keys: []ed25519.PublicKey{k.Public()}}
}

func (x *exchange) logs() directory.Logs {
	return directory.Logs{Dir: x.keys[ledger.Dir].VerifierKey(), Ev: x.keys[ledger.Ev].VerifierKey()}
}

// propose puts a statement on record.
func (x *exchange) propose(body directory.Body, by ...statement.SigningKey) {
	x.t.Helper()
	leaf := x.leaf(body, by...)
	next, err := x.dir.Apply(leaf)
	ok(x.t, err)
	x.dir = next
	x.trees[ledger.Dir].add(x.t, leaf)
}

// leaf is what propose would put on record.
func (x *exchange) leaf(body directory.Body, by ...statement.SigningKey) []byte {
	x.t.Helper()
	payload, err := x.dir.Prepare(body, x.clock)
	ok(x.t, err)
	var signers []statement.Signer
	for _, k := range by {
		signers = append(signers, k)
	}
	d, err := statement.Sign(context.Background(), statement.TypeDirectory, payload, signers...)
	ok(x.t, err)
	leaf, err := directory.Leaf(d)
	ok(x.t, err)
	return leaf
}

// card is a statement about the institution's desk that one registrar signs.
func (x *exchange) card(b byte) { x.propose(&directory.Card{C: seed(b), Of: x.desk}, x.people[0]) }

// witnessed puts a policy in force under which one cosigner is the quorum.
func (x *exchange) witnessed(vkey string) {
	policy := "witness w " + vkey + "\nquorum w\n"
	x.propose(&directory.Policy{Council: x.dir.Council(), Delegates: x.dir.Delegates(), Logs: x.logs(), Quorum: directory.Quorum{Dir: policy, Ev: policy},
		Witnesses: []directory.Witness{{Operator: "somebody", VKey: vkey}}}, x.council)
}

// signed is a signed checkpoint of a history at a size.
func (x *exchange) signed(log ledger.Log, h *tree, size int) []byte {
	x.t.Helper()
	note, err := ledger.SignCheckpoint(context.Background(), x.keys[log], ledger.Checkpoint{Origin: log.Origin(host), Size: int64(size), Root: h.root(x.t, size)})
	ok(x.t, err)
	return note
}

func (x *exchange) Checkpoint(_ context.Context, log ledger.Log) ([]byte, error) {
	size, set := x.sizes[log]
	if !set {
		size = len(x.trees[log].leaves)
	}
	signed := x.signed(log, x.trees[log], size)
	if x.note != nil {
		return x.note(log, signed)
	}
	return signed, nil
}

func (x *exchange) Tiles(log ledger.Log) ledger.TileSource { return shown{x, log} }

type shown struct {
	x   *exchange
	log ledger.Log
}

func (s shown) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	s.x.fetched++
	data, err := s.x.trees[s.log].Tile(ctx, t)
	if err == nil && s.x.edit != nil {
		return s.x.edit(s.log, t, data)
	}
	return data, err
}

// observer opens one on a folder.
func (x *exchange) observer(dir string, edit ...func(*Config)) *Observer {
	x.t.Helper()
	key, err := witness.NewKey("observer.example", statement.NewSigningKey(seed(40)))
	ok(x.t, err)
	cfg := Config{Dir: dir, Genesis: directory.LeafHash(x.trees[ledger.Dir].leaves[0]), Inst: x.inst, Demo: true, Source: x, Key: key,
		Clock: func() int64 { return x.clock }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	for _, e := range edit {
		e(&cfg)
	}
	o, err := Open(context.Background(), cfg)
	ok(x.t, err)
	x.t.Cleanup(func() { o.Close() })
	return o
}

// settled is an observer that looked once and whose institution accepted all.
func (x *exchange) settled(edit ...func(*Config)) *Observer {
	x.t.Helper()
	o := x.observer(x.t.TempDir(), edit...)
	ok(x.t, o.Round(context.Background(), false))
	x.accept(o)
	wantAlarms(x.t, o)
	return o
}

func (x *exchange) accept(o *Observer) {
	x.t.Helper()
	list, err := o.Waiting()
	ok(x.t, err)
	var all []int64
	for _, c := range list {
		all = append(all, c.Idx)
	}
	ok(x.t, o.Accept(all...))
}

// round looks, whatever could not be looked at.
func round(o *Observer) { _ = o.Round(context.Background(), false) }

// wantAlarms wants exactly these to be open, in any order: "kind: words of its
// text".
func wantAlarms(t testing.TB, o *Observer, want ...string) []Alarm {
	t.Helper()
	list, err := o.Alarms.List(false)
	ok(t, err)
	bad := len(list) != len(want)
	left := slices.Clone(list)
	for _, w := range want {
		kind, words, _ := strings.Cut(w, ": ")
		i := slices.IndexFunc(left, func(a Alarm) bool { return string(a.Kind) == kind && strings.Contains(a.Text, words) })
		if i < 0 {
			bad = true
			break
		}
		left = slices.Delete(left, i, i+1)
	}
	if bad {
		var got []string
		for _, a := range list {
			got = append(got, string(a.Kind)+": "+a.Text)
		}
		t.Fatalf("alarms\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	return list
}

// file reads a file of an alarm's evidence.
func (a Alarm) file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(a.Folder, name))
	ok(t, err)
	return data
}

// wantProof verifies the evidence of a fork as anybody could: both checkpoints
// are signed by the log, and its larger tree had another root at the smaller
// size than the smaller checkpoint says.
func (x *exchange) wantProof(log ledger.Log, a Alarm) {
	x.t.Helper()
	open := func(name string) ledger.Checkpoint {
		c, err := ledger.ParseCheckpoint(a.file(x.t, name), x.keys[log].Verifier())
		ok(x.t, err)
		return c
	}
	small, large := open("held.checkpoint"), open("shown.checkpoint")
	if small.Size > large.Size {
		small, large = large, small
	}
	lines := strings.Split(strings.TrimSpace(string(a.file(x.t, "proof.txt"))), "\n")
	if len(lines) < 3 {
		x.t.Fatalf("%q", lines)
	}
	words := strings.Fields(lines[1])
	root, err := tlog.ParseHash(words[len(words)-1])
	if err != nil {
		words = strings.Fields(lines[1])
		x.t.Fatal(words, err)
	}
	if small.Size == large.Size {
		if small.Root == large.Root {
			x.t.Fatal("one tree")
		}
		return
	}
	var proof tlog.TreeProof
	for _, line := range lines[3:] {
		h, err := tlog.ParseHash(line)
		ok(x.t, err)
		proof = append(proof, h)
	}
	if root == small.Root {
		x.t.Fatal("the proof is of the same tree")
	}
	ok(x.t, ledger.VerifyConsistency(proof, ledger.Checkpoint{Origin: small.Origin, Size: small.Size, Root: root}, large))
}

// add brings a checkpoint of a history to the witness, with the proof that
// history has from the size given.
func (x *exchange) add(w *witness.Witness, log ledger.Log, h *tree, old, size int) ([]byte, error) {
	r := witness.Request{Old: int64(old), Checkpoint: x.signed(log, h, size)}
	if old > 0 && old <= size {
		var err error
		r.Proof, err = tlog.ProveTree(int64(size), int64(old), h)
		ok(x.t, err)
	}
	return w.Add(context.Background(), r.Format())
}

func wantStatus(t testing.TB, err error, status int) {
	t.Helper()
	var refusal *witness.Refusal
	if !errors.As(err, &refusal) || refusal.Status != status {
		t.Fatalf("%v, want status %d", err, status)
	}
}
