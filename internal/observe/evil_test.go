package observe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// An exchange that shows a second history is caught, however large its tree, and
// the evidence proves it to anybody; it is said once, and the one history goes
// on being held.
func TestFork(t *testing.T) {
	for name, more := range map[string]int{"smaller": 1, "as large": 2, "larger": 3, "much larger": 400} {
		t.Run(name, func(t *testing.T) {
			x := newExchange(t)
			o := x.settled()
			true_ := x.trees[ledger.Ev]
			lie := true_.branch(3)
			for i := range more {
				lie.add(t, fmt.Appendf(nil, "lie %d", i))
			}
			x.trees[ledger.Ev] = lie
			for range 3 {
				round(o)
			}
			alarms := wantOf(t, o, Fork)
			if len(alarms) != 1 {
				t.Fatalf("%+v", alarms)
			}
			x.wantProof(ledger.Ev, alarms[0])
			if at, _ := o.Mirror(ledger.Ev).At(); at.Size != 5 || at.Root != true_.root(t, 5) {
				t.Errorf("mirrors %+v", at)
			}
			if _, err := x.add(o.Witness(), ledger.Ev, true_, 0, 5); err != nil {
				t.Error(err)
			}
		})
	}
}

// wantOf are the open alarms of a kind.
func wantOf(t testing.TB, o *Observer, kind Kind) []Alarm {
	t.Helper()
	list, err := o.Alarms.List(false)
	ok(t, err)
	return slices.DeleteFunc(list, func(a Alarm) bool { return a.Kind != kind })
}

// A log that brings another history to be cosigned gets no cosignature but an
// alarm, before and after the observer is started anew.
func TestForkBroughtToWitness(t *testing.T) {
	x := newExchange(t)
	o := x.settled()
	honest := x.trees[ledger.Ev]
	if _, err := x.add(o.Witness(), ledger.Ev, honest, 0, 5); err != nil {
		t.Fatal(err)
	}
	lie := honest.branch(3)
	for i := range 6 {
		lie.add(t, fmt.Appendf(nil, "lie %d", i))
	}
	_, err := x.add(o.Witness(), ledger.Ev, lie, 5, 9)
	wantStatus(t, err, 422)
	_, err = x.add(o.Witness(), ledger.Ev, lie, 5, 5)
	wantStatus(t, err, 409)
	o.group.Wait() // what did not fit is looked into behind the answer
	x.trees[ledger.Ev] = lie
	_, err = x.add(o.Witness(), ledger.Ev, lie, 5, 9)
	wantStatus(t, err, 422)
	o.group.Wait()
	if alarms := wantOf(t, o, Fork); len(alarms) != 2 {
		t.Errorf("%+v", alarms)
	}
	ok(t, o.Close())
	o, err = Open(t.Context(), o.Config)
	ok(t, err)
	_, err = x.add(o.Witness(), ledger.Ev, lie, 0, 9)
	wantStatus(t, err, 409)
	ok(t, o.Close())
}

// Anybody can send a true checkpoint with a wrong proof: that is no alarm.
func TestWrongProofIsNoAlarm(t *testing.T) {
	x := newExchange(t)
	o := x.settled()
	h := x.trees[ledger.Ev]
	if _, err := x.add(o.Witness(), ledger.Ev, h, 0, 5); err != nil {
		t.Fatal(err)
	}
	h.add(t, []byte("six"))
	r := witness.Request{Old: 5, Proof: tlog.TreeProof{{}, {}}, Checkpoint: x.signed(ledger.Ev, h, 6)}
	_, err := o.Witness().Add(t.Context(), r.Format())
	wantStatus(t, err, 422)
	o.group.Wait()
	wantAlarms(t, o)
	if _, err := x.add(o.Witness(), ledger.Ev, h, 5, 6); err != nil {
		t.Error(err)
	}
}

// An exchange restored from an old backup shows less than it showed: the alarm
// has both checkpoints, and stays when it has grown again.
func TestRollback(t *testing.T) {
	x := newExchange(t)
	o := x.settled()
	x.sizes[ledger.Ev] = 3
	round(o)
	alarms := wantAlarms(t, o, "rollback: its evidence tree had 5 entries and now shows 3")
	for _, name := range []string{"before.checkpoint", "shown.checkpoint"} {
		if _, err := ledger.ParseCheckpoint(alarms[0].file(t, name), x.keys[ledger.Ev].Verifier()); err != nil {
			t.Error(err)
		}
	}
	delete(x.sizes, ledger.Ev)
	x.trees[ledger.Ev].add(t, []byte("six"))
	ok(t, o.Round(t.Context(), false))
	wantAlarms(t, o, "rollback: ")
	ok(t, o.Alarms.Close(alarms[0].ID))
	x.sizes[ledger.Ev] = 3
	round(o)
	wantAlarms(t, o, "rollback: had 6 entries")
	if err := o.Alarms.Close("../../etc"); !errors.Is(err, ErrNoAlarm) {
		t.Errorf("%v", err)
	}
}

// An entry that somebody edited in the database is named, whether it was
// mirrored before, comes newly, or lies far back where only the comparison of
// everything looks.
func TestEditedEntry(t *testing.T) {
	editing := func(at int64) func(ledger.Log, tlog.Tile, []byte) ([]byte, error) {
		return func(log ledger.Log, tl tlog.Tile, data []byte) ([]byte, error) {
			if log == ledger.Ev && tl.L == ledger.EntryLevel && tl.N == at>>8 && int64(tl.W) > at&255 {
				entries, err := ledger.ParseBundle(data, tl.W)
				if err != nil {
					return nil, err
				}
				entries[at&255] = []byte("edited!")
				return ledger.FormatBundle(entries)
			}
			return data, nil
		}
	}
	for name, tt := range map[string]struct {
		before, after int // entries
		edited        int64
		whole         bool
	}{"mirrored, in the last bundle": {10, 12, 7, false}, "new": {10, 300, 280, false}, "far back": {600, 601, 77, true}} {
		t.Run(name, func(t *testing.T) {
			x := newExchange(t)
			h := x.trees[ledger.Ev]
			for len(h.leaves) < tt.before {
				h.add(t, fmt.Appendf(nil, "entry %d", len(h.leaves)))
			}
			o := x.settled()
			for len(h.leaves) < tt.after {
				h.add(t, fmt.Appendf(nil, "entry %d", len(h.leaves)))
			}
			x.edit = editing(tt.edited)
			_ = o.Round(t.Context(), tt.whole)
			_ = o.Round(t.Context(), tt.whole)
			wantAlarms(t, o, fmt.Sprintf("entries: entry %d of the evidence tree was changed", tt.edited))
			if _, err := x.add(o.Witness(), ledger.Ev, h, 0, tt.after); tt.whole != (err == nil) {
				t.Errorf("cosigned: %v", err)
			}
			x.edit = nil // repaired from a mirror
			ok(t, o.Round(t.Context(), true))
		})
	}
}

// A hash that somebody edited in the database, which no proof may go through any
// more, is named by its tile.
func TestEditedNode(t *testing.T) {
	x := newExchange(t)
	for i := range 300 {
		x.trees[ledger.Ev].add(t, fmt.Appendf(nil, "entry %d", i))
	}
	o := x.settled()
	x.edit = func(log ledger.Log, tl tlog.Tile, data []byte) ([]byte, error) {
		if log == ledger.Ev && tl.L == 0 && tl.N == 0 {
			data = bytes.Clone(data)
			data[40] ^= 1
		}
		return data, nil
	}
	ok(t, o.Round(t.Context(), true))
	wantAlarms(t, o, "entries: a stored hash of the evidence tree was changed (tile tile/0/000)")
}

// A statement that nobody entitled signed, or that is shown twice, is not
// accepted, not cosigned, and an alarm with the statement.
func TestBrokenRules(t *testing.T) {
	for name, leaf := range map[string]func(x *exchange) []byte{
		"signed by nobody entitled": func(x *exchange) []byte {
			return x.leaf(&directory.Card{C: seed(1), Of: x.desk}, x.delegates[0])
		},
		"replayed": func(x *exchange) []byte {
			return x.trees[ledger.Dir].leaves[3]
		},
		"no statement": func(*exchange) []byte { return []byte("{}") },
	} {
		t.Run(name, func(t *testing.T) {
			x := newExchange(t)
			o := x.settled()
			h := x.trees[ledger.Dir]
			if _, err := x.add(o.Witness(), ledger.Dir, h, 0, 4); err != nil {
				t.Fatal(err)
			}
			h.add(t, leaf(x))
			round(o)
			round(o)
			alarms := wantAlarms(t, o, "rules: directory entry 4 breaks the rules")
			if !bytes.Equal(alarms[0].file(t, "entry-4.json"), h.leaves[4]) {
				t.Error("the evidence is not the entry")
			}
			_, err := x.add(o.Witness(), ledger.Dir, h, 4, 5)
			wantStatus(t, err, 403)
			if o.Directory().N() != 4 {
				t.Error("accepted")
			}
		})
	}
}

// An exchange with another genesis, or whose checkpoint another key signed, is
// not followed.
func TestForeignExchange(t *testing.T) {
	x := newExchange(t)
	o := x.observer(t.TempDir(), func(c *Config) { c.Genesis = fmt.Sprintf("%064d", 0) })
	round(o)
	wantAlarms(t, o, "entries: the exchange does not begin with the genesis of the annex")
	o = x.settled()
	other, err := ledger.NewSigningKey(ledger.Ev.Origin(host), seed(99))
	ok(t, err)
	x.keys[ledger.Ev], x.keys[ledger.Dir] = other, x.keys[ledger.Dir]
	x.trees[ledger.Ev].add(t, []byte("six"))
	round(o)
	wantAlarms(t, o, "entries: a checkpoint of the evidence tree that the ledger's key did not sign")
	o = x.observer(t.TempDir(), func(c *Config) { c.Demo = false })
	if err := o.Round(t.Context(), false); !errors.Is(err, ErrDemo) {
		t.Errorf("%v", err)
	}
}

// The council gives the ledger other keys: the observer learns it from the
// statement, and old proofs still compare.
func TestLogKeysChange(t *testing.T) {
	x := newExchange(t)
	o := x.settled()
	old := x.signed(ledger.Ev, x.trees[ledger.Ev], 5)
	for i, log := range ledger.Logs {
		key, err := ledger.NewSigningKey(log.Origin(host), seed(byte(50+i)))
		ok(t, err)
		x.keys[log] = key
	}
	x.propose(&directory.Policy{Council: x.dir.Council(), Delegates: x.dir.Delegates(), Logs: x.logs(), Quorum: x.dir.Quorum(), Witnesses: []directory.Witness{}}, x.council)
	x.trees[ledger.Ev].add(t, []byte("six"))
	ok(t, o.Round(t.Context(), false))
	wantAlarms(t, o, "policy: directory entry 4 (policy) changes who decides or who witnesses")
	if v, err := o.Compare(t.Context(), old); v != Same {
		t.Errorf("%s %v", v, err)
	}
	if at, _ := o.Mirror(ledger.Ev).At(); at.Size != 6 {
		t.Errorf("%+v", at)
	}
}

// A change about the own institution that nobody expected is an alarm with the
// entry and its proof, until somebody accepts it; others' changes are none.
func TestUnexpectedChange(t *testing.T) {
	x := newExchange(t)
	o := x.observer(t.TempDir())
	round(o)
	wantAlarms(t, o, "unexpected: nobody has looked yet")
	x.accept(o)
	x.card(7)
	other := statement.NewID(statement.Institution)
	x.propose(&directory.InstJoin{I: other, Root: one(statement.NewSigningKey(seed(60)))}, x.delegates[0], x.delegates[1], statement.NewSigningKey(seed(60)))
	round(o)
	alarms := wantAlarms(t, o, "unexpected: directory entry 4 (card) is about this institution")
	proof, err := ledger.ParseProof(alarms[0].file(t, "entry-4.tlog-proof"))
	ok(t, err)
	if _, err := proof.Verify(alarms[0].file(t, "entry-4.json"), x.keys[ledger.Dir].Verifier()); err != nil {
		t.Error(err)
	}
	shown, err := o.Show(t.Context(), 4)
	if err != nil || len(shown.By) != 1 || shown.By[0].Kind != "registrar" || shown.Before != nil {
		t.Errorf("%+v %v", shown, err)
	}
	for _, idx := range []int64{5, 99} {
		if err := o.Accept(4, idx); !errors.Is(err, ErrNoChange) {
			t.Errorf("%v", err)
		}
	}
	wantAlarms(t, o, "unexpected: ")
	ok(t, o.Accept(4))
	round(o)
	wantAlarms(t, o)
	x.card(8)
	round(o)
	if shown, err = o.Show(t.Context(), 6); err != nil || !bytes.Contains(shown.Before, []byte(`"dirn":4`)) {
		t.Errorf("%s %v", shown.Before, err)
	}
}

// An evil exchange tries random histories on an observer that is stopped and
// started: what it ever cosigned is one history, and is what it mirrors.
func TestNeverCosignsTwoHistories(t *testing.T) {
	x := newExchange(t)
	trunk := x.trees[ledger.Ev]
	for i := range 300 {
		trunk.add(t, fmt.Appendf(nil, "trunk %d", i))
	}
	histories := []*tree{trunk}
	for i, at := range []int{1, 5, 100, 260, 300} {
		h := trunk.branch(at)
		for len(h.leaves) < 305 {
			h.add(t, fmt.Appendf(nil, "lie %d %d", i, len(h.leaves)))
		}
		histories = append(histories, h)
	}
	random := newRandom(t)
	for range rounds(8) {
		dir := t.TempDir()
		o := x.observer(dir)
		cosigned := map[int]tlog.Hash{}
		for range 12 {
			x.trees[ledger.Ev] = histories[random.IntN(len(histories))]
			brought := histories[random.IntN(len(histories))]
			if random.IntN(3) > 0 {
				brought = x.trees[ledger.Ev]
			}
			size := 1 + random.IntN(305)
			_, last, err := o.memory.Last(ledger.Ev.Origin(host))
			ok(t, err)
			if _, err := x.add(o.Witness(), ledger.Ev, brought, int(min(last.Size, int64(size))), size); err == nil {
				root := brought.root(t, size)
				if before, twice := cosigned[size]; twice && before != root {
					t.Fatalf("cosigned two trees of size %d", size)
				}
				cosigned[size] = root
			}
			switch random.IntN(4) {
			case 0:
				ok(t, o.Close())
				o, err = Open(t.Context(), o.Config)
				ok(t, err)
			case 1:
				round(o)
			}
		}
		for size, root := range cosigned {
			if got, err := o.Mirror(ledger.Ev).RootAt(context.Background(), int64(size)); err != nil || got != root {
				t.Fatalf("cosigned a tree of size %d that is not the one mirrored (%v)", size, err)
			}
		}
		ok(t, o.Close())
	}
}

// An alarm's folder appears whole or not at all.
func TestAlarmBegunIsNone(t *testing.T) {
	x := newExchange(t)
	o := x.settled()
	ok(t, os.Mkdir(filepath.Join(o.Dir, "alarms", ".fork-000000000000"), 0o700))
	ok(t, os.WriteFile(filepath.Join(o.Dir, "alarms", ".fork-000000000000", "x"), []byte("x"), 0o600))
	wantAlarms(t, o)
	var zipped bytes.Buffer
	ok(t, o.Alarms.Zip(&zipped))
	if bytes.Contains(zipped.Bytes(), []byte(".fork-")) {
		t.Error("what was begun was exported")
	}
}

// What another observer, or anybody, was shown and was not shown here is a fork
// with its proof.
func TestOthersSeeAnotherHistory(t *testing.T) {
	x := newExchange(t)
	o := x.settled()
	lie := x.trees[ledger.Ev].branch(2)
	lie.add(t, []byte("lie"))
	o.Others = []Other{func(_ context.Context, log ledger.Log) ([]byte, error) {
		if log == ledger.Dir {
			return x.signed(log, x.trees[log], 2), nil
		}
		return x.signed(log, lie, 3), nil
	}}
	ok(t, o.Round(t.Context(), false))
	ok(t, o.Round(t.Context(), false))
	x.wantProof(ledger.Ev, wantAlarms(t, o, "fork: what it signed at size 3 is not what was mirrored")[0])
}
