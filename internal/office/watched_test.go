package office_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/apitest"
	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

// watched is a real exchange whose checkpoints are published when the test says
// so, cosigned by whichever witnesses are awake, with real keys.
type watched struct {
	*apitest.World
	t       *testing.T
	signers map[ledger.Log]*ledger.SigningKey
	publish map[ledger.Log]*ledger.Publisher

	mu     sync.Mutex
	keys   map[string]*ledger.CosigningKey
	asleep map[string]bool
	asked  string        // policy to ask by, "" for what a server asks by
	before string        // policy of the directory before the last change
	change int64         // entry that changed it
	ahead  time.Duration // of the witnesses' clocks
}

// derived is the seed of a key of apitest.
func derived(label string) []byte {
	sum := sha256.Sum256([]byte("odziv/apitest/" + label))
	return sum[:]
}

// watch starts an exchange under quorum none; [watched.policy] changes that.
func watch(t *testing.T) *watched {
	t.Helper()
	w := &watched{World: apitest.Start(t, api.Options{}), t: t, signers: map[ledger.Log]*ledger.SigningKey{}, publish: map[ledger.Log]*ledger.Publisher{},
		keys: map[string]*ledger.CosigningKey{}, asleep: map[string]bool{}}
	for _, log := range ledger.Logs {
		origin := log.Origin("exchange.example")
		key, err := ledger.NewSigningKey(origin, derived(origin))
		check(t, err)
		w.signers[log] = key
		w.publish[log] = ledger.NewPublisher(w.Store, log, key, storagetest.NewAnchor(), w)
		check(t, w.publish[log].Adopt(t.Context()))
	}
	for i := range 6 {
		name := fmt.Sprintf("w%d", i+1)
		key, err := ledger.NewCosigningKey(name+".example", derived(name))
		check(t, err)
		w.keys[name] = key
	}
	return w
}

// group is a policy: any q of some witnesses.
func (w *watched) group(q int, names ...string) string {
	var text strings.Builder
	for _, name := range names {
		fmt.Fprintf(&text, "witness %s %s https://%s.example\n", name, w.keys[name].VerifierKey(), name)
	}
	fmt.Fprintf(&text, "group all %d %s\nquorum all\n", q, strings.Join(names, " "))
	return text.String()
}

// policy puts a policy in force for both trees.
func (w *watched) policy(text string) {
	w.t.Helper()
	dir := w.Directory()
	w.before, w.change = dir.Quorum().Dir, dir.N()
	w.Enter(&directory.Policy{Council: dir.Council(), Delegates: dir.Delegates(), Logs: dir.Logs(), Witnesses: dir.Witnesses(),
		Quorum: directory.Quorum{Dir: text, Ev: text}}, w.Council)
}

// Policy implements [ledger.Witnesses] as a server does: an entry that changes
// the policy is for the witnesses of before and after together.
func (w *watched) Policy(log ledger.Log) *ledger.Policy {
	w.mu.Lock()
	text := w.asked
	w.mu.Unlock()
	if text != "" {
		return parsePolicy(text)
	}
	if log == ledger.Ev {
		return parsePolicy(w.Directory().Quorum().Ev)
	}
	p := parsePolicy(w.Directory().Quorum().Dir)
	if w.before == "" || w.covered(w.change) {
		return p
	}
	return ledger.Both(parsePolicy(w.before), p)
}

func parsePolicy(text string) *ledger.Policy {
	p, err := ledger.ParsePolicy(text)
	if err != nil {
		panic(err)
	}
	return p
}

// covered reports whether a quorum confirmed an entry of the directory.
func (w *watched) covered(entry int64) (ok bool) {
	err := w.Store.View(context.Background(), func(r ledger.Reader) error {
		p, err := r.CheckpointFor(context.Background(), ledger.Dir, entry)
		ok = p.Exists()
		return err
	})
	return ok && err == nil
}

var errAsleep = errors.New("asleep")

// Ask implements [ledger.Witnesses].
func (w *watched) Ask(_ context.Context, to ledger.Witness, c ledger.Checkpoint, _ []byte, _ ledger.ProveFrom) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asleep[to.Name] {
		return nil, errAsleep
	}
	return w.keys[to.Name].Cosign(c, w.Clock.Now()+w.ahead.Milliseconds()), nil
}

// sleep lets exactly these witnesses not answer.
func (w *watched) sleep(names ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.asleep)
	for _, name := range names {
		w.asleep[name] = true
	}
}

// step publishes what there is of both trees, a moment later.
func (w *watched) step() {
	w.t.Helper()
	w.Clock.Advance(11 * time.Second) // a witness that did not answer is asked again
	for _, log := range ledger.Logs {
		_, _, err := w.publish[log].Step(w.t.Context(), w.Clock.Now())
		check(w.t, err)
	}
}

// signs makes a checkpoint of anything, as only the exchange can.
func (w *watched) signs(log ledger.Log, change func(*ledger.Checkpoint), by ...string) func([]byte) []byte {
	return func(body []byte) []byte {
		c, err := ledger.ParseCheckpoint(body, w.signers[log].Verifier())
		if err != nil {
			panic(err)
		}
		change(&c)
		note, err := ledger.SignCheckpoint(context.Background(), w.signers[log], c)
		if err != nil {
			panic(err)
		}
		for _, name := range by {
			note = append(note, w.keys[name].Cosign(c, w.Clock.Now())...)
		}
		return note
	}
}

// ring holds the keys of one officer.
type ring struct {
	key   statement.SigningKey
	id    *age.HybridIdentity
	desks map[string]*age.HybridIdentity
}

func (r *ring) Signer() statement.Signer      { return r.key }
func (r *ring) Recipient() string             { return r.id.Recipient().String() }
func (r *ring) Identity() *age.HybridIdentity { return r.id }
func deskEpoch(desk string, e int64) string   { return fmt.Sprint(desk, "/", e) }
func (r *ring) AddDeskEpoch(desk string, e int64, id *age.HybridIdentity) error {
	r.desks[deskEpoch(desk, e)] = id
	return nil
}
func (r *ring) DeskIdentity(desk string, e int64) (*age.HybridIdentity, bool) {
	id, ok := r.desks[deskEpoch(desk, e)]
	return id, ok
}

// ringOf are the keys of somebody who holds the first key of a party's desk.
func (w *watched) ringOf(p *apitest.Party, key statement.SigningKey) *ring {
	id, err := age.GenerateHybridIdentity()
	check(w.t, err)
	return &ring{key: key, id: id, desks: map[string]*age.HybridIdentity{deskEpoch(p.Desk, 1): p.Key}}
}

// at opens the program of a party's officer, in a folder or in memory.
func (w *watched) at(p *apitest.Party, officer int, dir string) *program {
	w.t.Helper()
	keys := w.ringOf(p, p.Officers[officer])
	keys.id = p.Identities[officer]
	return w.atRing(p, keys, dir)
}

func (w *watched) atRing(p *apitest.Party, keys *ring, dir string) *program {
	w.t.Helper()
	pin := office.Pin{URL: w.URL, Genesis: w.Directory().Genesis()}
	notebook := office.MemoryNotebook(pin)
	if dir != "" {
		var err error
		if notebook, err = office.OpenNotebook(dir); err != nil {
			notebook, err = office.CreateNotebook(dir, pin)
		}
		check(w.t, err)
	}
	net := &network{base: &http.Transport{DisableCompression: true}}
	w.t.Cleanup(net.base.CloseIdleConnections)
	c, err := client.New(w.URL, keys.Signer(), w.Clock.Now, client.Options{Transport: net,
		Pause: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	check(w.t, err)
	o, err := office.Open(office.Config{Client: c, Keys: keys, Notebook: notebook, Packs: rules.NewSet(w.Pack), Clock: w.Clock.Now,
		Demo: true, QuorumWithin: time.Nanosecond})
	check(w.t, err)
	return &program{Office: o, desk: p.Desk, net: net}
}

// refused wants this program's own no, before anything was sent.
func refused(t *testing.T, p *program, err error, code string) {
	t.Helper()
	var r *office.Refused
	if !errors.As(err, &r) || r.Code != code {
		t.Errorf("%v, want a refusal %s", err, code)
	}
	if n := p.net.count("PUT"); n != 0 {
		t.Errorf("%d writes left this computer", n)
	}
}

func isNotConfirmed(err error) bool { return errors.Is(err, office.ErrNotConfirmed) }

// readMarks and writeMarks change what a notebook remembers of checkpoints.
func readMarks(t *testing.T, dir string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "marks.json"))
	check(t, err)
	var marks map[string]any
	check(t, json.Unmarshal(data, &marks))
	return marks
}

func writeMarks(t *testing.T, dir string, marks map[string]any) {
	t.Helper()
	data, err := json.Marshal(marks)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "marks.json"), data, 0o600))
}

// leaf is a directory entry that somebody signed.
func (w *watched) leaf(payload []byte, by statement.Signer) []byte {
	w.t.Helper()
	d, err := statement.Sign(w.t.Context(), statement.TypeDirectory, payload, by)
	check(w.t, err)
	leaf, err := directory.Leaf(d)
	check(w.t, err)
	return leaf
}

// storedLeaves are the entries of the directory in a folder.
func storedLeaves(t *testing.T, dir string) (leaves [][]byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "directory.b64"))
	check(t, err)
	for line := range strings.Lines(string(text)) {
		leaf, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		check(t, err)
		leaves = append(leaves, leaf)
	}
	return leaves
}

// rootOver is the root of a tree with these entries.
func rootOver(leaves [][]byte) tlog.Hash {
	var hashes []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range at {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	for i, leaf := range leaves {
		more, err := tlog.StoredHashes(int64(i), leaf, read)
		if err != nil {
			panic(err)
		}
		hashes = append(hashes, more...)
	}
	root, err := tlog.TreeHash(int64(len(leaves)), read)
	if err != nil {
		panic(err)
	}
	return root
}
