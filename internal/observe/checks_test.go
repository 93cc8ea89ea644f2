package observe

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// home writes what an officer's program remembers.
func (x *exchange) home(dir string, marks map[string][]byte, verified ...string) {
	ok(x.t, os.MkdirAll(dir, 0o700))
	write := func(name string, v any) {
		data, err := json.Marshal(v)
		ok(x.t, err)
		ok(x.t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	write(pinFile, map[string]string{"url": "https://" + host, "genesis": directory.LeafHash(x.trees[ledger.Dir].leaves[0])})
	write(marksFile, marks)
	ok(x.t, os.WriteFile(filepath.Join(dir, verifiedFile), []byte(strings.Join(verified, "\n")), 0o600))
}

func line(idx int, leaf []byte) string { return fmt.Sprintf("%d %x", idx, sha256.Sum256(leaf)) }

// What an officer was shown is looked up: an entry that is another now, a
// checkpoint of another history, and one beyond what the exchange shows. A line
// that is still being written is none.
func TestReceipts(t *testing.T) {
	for name, tt := range map[string]struct {
		home func(x *exchange, h *tree) (map[string][]byte, []string)
		want []string
	}{
		"as shown": {func(x *exchange, h *tree) (map[string][]byte, []string) {
			return map[string][]byte{"dir": x.signed(ledger.Dir, x.trees[ledger.Dir], 4), "ev": x.signed(ledger.Ev, h, 4)},
				[]string{line(0, h.leaves[0]), line(4, h.leaves[4]), "3 12ab"}
		}, nil},
		"another entry": {func(x *exchange, h *tree) (map[string][]byte, []string) {
			return nil, []string{line(0, h.leaves[0]), line(2, []byte("withdrawn"))}
		}, []string{"receipt: entry 2 of the evidence tree is not the one that an officer's program was shown"}},
		"another history": {func(x *exchange, h *tree) (map[string][]byte, []string) {
			lie := h.branch(2)
			lie.add(x.t, []byte("lie"))
			return map[string][]byte{"ev": x.signed(ledger.Ev, lie, 3)}, nil
		}, []string{"fork: what it signed at size 3 is not what was mirrored"}},
		"more than there is": {func(x *exchange, h *tree) (map[string][]byte, []string) {
			more := h.branch(5)
			more.add(x.t, []byte("six"))
			return map[string][]byte{"ev": x.signed(ledger.Ev, more, 6)}, []string{line(5, []byte("six"))}
		}, []string{"rollback: an officer's program was shown the evidence tree with 6 entries"}},
	} {
		t.Run(name, func(t *testing.T) {
			x := newExchange(t)
			folder := t.TempDir()
			o := x.settled()
			o.Receipts = []string{folder}
			marks, lines := tt.home(x, x.trees[ledger.Ev])
			x.home(filepath.Join(folder, "intake"), marks, lines...)
			for range 2 {
				ok(t, o.Round(t.Context(), false))
			}
			wantAlarms(t, o, tt.want...)
		})
	}
}

// The proofs that an officer's program kept of own acts are receipts too, and
// the lies that it caught are an alarm here.
func TestReceiptsOfOwnActs(t *testing.T) {
	x := newExchange(t)
	d, _ := x.withFeed(2)
	o := x.settled()
	folder := t.TempDir()
	o.Receipts = []string{folder}
	x.home(folder, nil)
	keep := func(h *tree, item evidence.Item, size int) {
		path, err := tlog.ProveRecord(int64(size), item.Idx, h)
		ok(t, err)
		data, err := json.Marshal(item)
		ok(t, err)
		ok(t, os.MkdirAll(filepath.Join(folder, "proofs"), 0o700))
		name := filepath.Join(folder, "proofs", fmt.Sprint(item.Idx))
		ok(t, os.WriteFile(name+".opening.json", data, 0o600))
		ok(t, os.WriteFile(name+".tlog-proof", ledger.Proof{Index: item.Idx, Path: path, Checkpoint: x.signed(ledger.Ev, h, size)}.Format(), 0o600))
	}
	h := x.trees[ledger.Ev]
	keep(h, d.items[1], 7)
	ok(t, o.Round(t.Context(), false))
	wantAlarms(t, o)

	lie := h.branch(6)
	x.trees[ledger.Ev] = lie
	item := x.deliver(d, "message.submitted", nil)
	x.trees[ledger.Ev] = h
	keep(lie, item, 7)
	ok(t, os.WriteFile(filepath.Join(folder, "evidence-1767868200000.json"), []byte("{}"), 0o600))
	for range 2 {
		ok(t, o.Round(t.Context(), false))
	}
	wantAlarms(t, o, "receipt: caught the exchange", "fork: size 7 is not what was mirrored", "receipt: entry 6 of the evidence tree is not the one")
}

// A folder without a home of this exchange is a mistake of whoever set it up,
// and said as one.
func TestReceiptsOfNobody(t *testing.T) {
	x := newExchange(t)
	o := x.observer(t.TempDir(), func(c *Config) { c.Receipts = []string{t.TempDir()} })
	if err := o.Round(t.Context(), false); err == nil || !strings.Contains(err.Error(), "no home of an officer") {
		t.Errorf("%v", err)
	}
}

// Where a quorum is asked for, a quarter of an hour without a confirmed
// checkpoint is a warning and a day an alarm; both end when one comes.
func TestStale(t *testing.T) {
	x := newExchange(t)
	key, err := ledger.NewCosigningKey("w.example", seed(70))
	ok(t, err)
	x.witnessed(key.VerifierKey())
	cosign := true
	x.note = func(log ledger.Log, signed []byte) ([]byte, error) {
		if !cosign {
			return signed, nil
		}
		c, err := ledger.ParseCheckpoint(signed, x.keys[log].Verifier())
		ok(t, err)
		return slices.Concat(signed, key.Cosign(c, x.clock)), nil
	}
	o := x.settled()
	const minute = 60_000
	for _, step := range []struct {
		minutes int64
		cosign  bool
		want    []string
	}{
		{10, false, nil},
		{16, false, []string{"stale: directory was confirmed by enough witnesses for 15 minutes", "stale: evidence tree"}},
		{24*60 + 1, false, []string{"stale: 15 minutes", "stale: 15 minutes", "stale: directory was confirmed by enough witnesses for 24 hours", "stale: 24 hours"}},
		{24*60 + 2, true, nil},
		{24*60 + 10, false, nil},
		{24*60 + 30, false, []string{"stale: ", "stale: "}},
	} {
		x.clock, cosign = start+step.minutes*minute, step.cosign
		x.trees[ledger.Ev].add(t, fmt.Appendf(nil, "%d", x.clock))
		x.trees[ledger.Ev].add(t, fmt.Appendf(nil, "%d", x.clock+1))
		x.card(byte(step.minutes)) // both trees grow, so that what is held is not the confirmed one
		round(o)
		x.accept(o)
		wantAlarms(t, o, step.want...)
		list, err := o.Alarms.List(false)
		ok(t, err)
		if IsSevere(list) != (len(step.want) == 4) {
			t.Errorf("minute %d: severe %v", step.minutes, IsSevere(list))
		}
	}
}

// An exchange that does not answer is a warning, then an alarm; nothing else is
// concluded from it.
func TestAway(t *testing.T) {
	x := newExchange(t)
	o := x.settled()
	away := true
	x.note = func(_ ledger.Log, signed []byte) ([]byte, error) {
		if away {
			return nil, fmt.Errorf("no route")
		}
		return signed, nil
	}
	for _, step := range []struct {
		hours int64
		want  []string
	}{{0, nil}, {1, []string{"away: has not answered for 15 minutes"}}, {25, []string{"away: 15 minutes", "away: 24 hours"}}} {
		x.clock = start + step.hours*3600_000
		if err := o.Round(t.Context(), false); err == nil {
			t.Error("no error")
		}
		wantAlarms(t, o, step.want...)
	}
	away = false
	ok(t, o.Round(t.Context(), false))
	wantAlarms(t, o)
}

// desks is the feed of one desk, honest or not.
type desks struct {
	items []evidence.Item
	size  int64 // 0: of the items
	holes []int64
	given []evidence.Item
}

func (d *desks) Feed(_ context.Context, desk string, after int64, _ int) (wire.Feed, error) {
	page := wire.Feed{Items: []evidence.Item{}, Size: d.size, V: 1}
	if page.Size == 0 {
		page.Size = int64(len(d.items))
	}
	for _, item := range d.items {
		if item.N > after && len(page.Items) < 3 {
			page.Items = append(page.Items, item)
		}
	}
	return page, nil
}

func (d *desks) Holes(_ context.Context, after int64) ([]int64, error) {
	for i, idx := range d.holes {
		if idx > after {
			return d.holes[i:min(i+2, len(d.holes))], nil
		}
	}
	return nil, nil
}

func (d *desks) PutOpening(_ context.Context, item evidence.Item) error {
	d.given = append(d.given, item)
	return nil
}

// withFeed gives the desk an officer and entries in its feed.
func (x *exchange) withFeed(n int) (*desks, func(*Config)) {
	key := statement.NewSigningKey(seed(80))
	u := statement.NewID(statement.Officer)
	x.propose(&directory.OfficerEnrol{Ed: key.Public(), I: x.inst, Key: statement.KeyID(key.Public()), NA: start * 2, NB: start, Rcp: recipient(x.t), Roles: []string{"member"}, U: u},
		x.people[0], x.people[1])
	x.propose(&directory.DeskMembers{D: x.desk, Members: []string{u}}, x.people[0], x.people[1])
	d := &desks{}
	for range n {
		x.deliver(d, "message.submitted", nil)
	}
	return d, func(c *Config) {
		c.Feeds = []Desks{{Feeder: d, KeyID: statement.KeyID(key.Public())}}
	}
}

// deliver puts an entry on record that the desk sees.
func (x *exchange) deliver(d *desks, event string, data any) evidence.Item {
	h := x.trees[ledger.Ev]
	n := int64(len(d.items)) + 1
	meta := &evidence.Meta{At: x.clock, By: "system", Dec: "allow", DirN: 1, Ev: event, Idx: int64(len(h.leaves)), Obj: statement.NewID(statement.Other),
		Obl: []evidence.Obligation{}, Prev: -1, To: []string{}, V: 1}
	priv := &evidence.Priv{To: []evidence.Delivery{{Desk: x.desk, N: n}}, V: 1}
	if data != nil {
		raw, err := statement.Marshal(data)
		ok(x.t, err)
		priv.Data = raw
	}
	leaf, opening, err := evidence.Commit(meta, priv)
	ok(x.t, err)
	item := evidence.ItemOf(meta.Idx, n, opening)
	h.add(x.t, leaf)
	d.items = append(d.items, item)
	return item
}

// A desk's feed is read and kept, readable to its owner alone; what is wrong
// with it is an alarm, and openings are given up for an erasure on record alone.
func TestFeeds(t *testing.T) {
	const lacks, differs = "hole: lacks number 4", "hole: number 4 in the record of a desk of this institution is not what the ledger holds"
	for name, tt := range map[string]struct {
		lie  func(x *exchange, d *desks)
		want []string
		kept int // openings
	}{
		"honest":           {func(*exchange, *desks) {}, nil, 7},
		"one is left out":  {func(_ *exchange, d *desks) { d.items = slices.Delete(d.items, 3, 4); d.size = 7 }, []string{lacks}, 5},
		"ends too early":   {func(_ *exchange, d *desks) { d.items = d.items[:3]; d.size = 7 }, []string{lacks}, 5},
		"became shorter":   {func(_ *exchange, d *desks) { d.items = d.items[:3] }, []string{"hole: went back: it had 5 notices"}, 5},
		"another opening":  {func(_ *exchange, d *desks) { d.items[3].RM = seed(1) }, []string{differs}, 7},
		"another's number": {func(_ *exchange, d *desks) { d.items[3] = d.items[4]; d.items[3].N = 4 }, []string{differs}, 7},
		"said to be erased": {func(_ *exchange, d *desks) {
			at := d.items[6].Idx
			d.items[3] = evidence.Item{Idx: d.items[3].Idx, N: 4, Erased: &at}
		}, []string{"hole: number 4 in the record of a desk of this institution is said to be erased, but no erasure is on record"}, 7},
		"erased": {func(x *exchange, d *desks) {
			item := x.deliver(d, evidence.ErasureDone, &evidence.ErasureData{Ground: "order",
				Erased: []evidence.Erased{{Idx: d.items[3].Idx, To: []evidence.Delivery{{Desk: x.desk, N: 4}}}}})
			d.items[3] = evidence.Item{Idx: d.items[3].Idx, N: 4, Erased: &item.Idx}
		}, nil, 7},
		"held": {func(_ *exchange, d *desks) {
			d.items[3] = evidence.Item{Idx: d.items[3].Idx, N: 4, Held: &evidence.Held{Reason: "review", Until: start}}
		}, nil, 7},
	} {
		t.Run(name, func(t *testing.T) {
			x := newExchange(t)
			d, feeds := x.withFeed(5)
			o := x.settled(feeds)
			x.deliver(d, "message.submitted", nil)
			x.deliver(d, "message.submitted", nil)
			tt.lie(x, d)
			for range 2 {
				ok(t, o.Round(t.Context(), true))
			}
			wantAlarms(t, o, tt.want...)
			kept, err := o.keptOpenings()
			ok(t, err)
			if len(kept) != tt.kept {
				t.Errorf("keeps %d openings, want %d", len(kept), tt.kept)
			}
			info, err := os.Stat(o.openingsFile(x.desk))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v %v", info.Mode(), err)
			}
		})
	}
}

// What a feed shows and no checkpoint covers is new for a while, then a lie.
func TestFeedBeyondLedger(t *testing.T) {
	x := newExchange(t)
	d, feeds := x.withFeed(3)
	o := x.settled(feeds)
	x.deliver(d, "message.submitted", nil)
	x.sizes[ledger.Ev] = len(x.trees[ledger.Ev].leaves) - 1
	for minutes, want := range []int{0, 0, 1} {
		x.clock = start + int64(minutes)*10*60_000
		ok(t, o.Round(t.Context(), false))
		if got := wantOf(t, o, Hole); len(got) != want {
			t.Errorf("step %d: %+v", minutes, got)
		}
	}
}

// Openings are kept as the bytes that the leaf commits to, whatever JSON's own
// encoder would make of them.
func TestOpeningsAreKeptVerbatim(t *testing.T) {
	x := newExchange(t)
	d, feeds := x.withFeed(1)
	x.deliver(d, "message.submitted", map[string]string{"note": "a<b>&\u2028"})
	o := x.settled(feeds)
	kept, err := o.keptOpenings()
	ok(t, err)
	for _, item := range d.items {
		got := kept[item.Idx]
		opening, err := got.Opening()
		ok(t, err)
		if _, _, err := opening.Check(x.trees[ledger.Ev].leaves[item.Idx], item.Idx); err != nil {
			t.Error(err)
		}
	}
}

// What a power loss cut off is fetched again; what is new is appended.
func TestOpeningsCutOff(t *testing.T) {
	x := newExchange(t)
	d, feeds := x.withFeed(4)
	o := x.settled(feeds)
	file := o.openingsFile(x.desk)
	data, err := os.ReadFile(file)
	ok(t, err)
	ok(t, os.WriteFile(file, data[:len(data)-20], 0o600))
	x.deliver(d, "message.submitted", nil)
	o.mu.Lock()
	o.seen.Whole = x.clock // not the day on which all is read
	o.mu.Unlock()
	ok(t, o.Round(t.Context(), false))
	items, end, err := o.readOpenings(x.desk)
	info, statErr := os.Stat(file)
	if err != nil || statErr != nil || len(items) != 5 || info.Size() != end {
		t.Errorf("%d items to %d of %d, %v", len(items), end, info.Size(), err)
	}
}

// After a loss the exchange is given back what was kept, once each, and told
// nothing of what was not.
func TestRepost(t *testing.T) {
	x := newExchange(t)
	d, feeds := x.withFeed(5)
	o := x.settled(feeds)
	d.holes = []int64{1, d.items[0].Idx, d.items[2].Idx, d.items[4].Idx}
	got, err := o.Repost(t.Context(), d, nil)
	if err != nil || got.Asked != 4 || got.Given != 3 || !slices.Equal(got.Missing, []int64{1}) || len(d.given) != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	for i, item := range d.given {
		want, err := json.Marshal(d.items[2*i])
		ok(t, err)
		if have, err := json.Marshal(item); err != nil || string(have) != string(want) {
			t.Errorf("%s\nwant\n%s", have, want)
		}
	}
}

// No alarm tells of a case, a person or what was said.
func TestAlarmsTellNoCase(t *testing.T) {
	x := newExchange(t)
	d, feeds := x.withFeed(5)
	o := x.settled(feeds)
	obj := ""
	for _, item := range d.items {
		var meta evidence.Meta
		ok(t, json.Unmarshal(item.Meta, &meta))
		obj = meta.Obj
	}
	d.items[3].RM = seed(1)
	ok(t, o.Round(t.Context(), true))
	ok(t, filepath.WalkDir(filepath.Join(o.Dir, "alarms"), func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		if strings.Contains(string(data), obj) || strings.Contains(string(data), `"meta"`) {
			t.Errorf("%s holds an opening", name)
		}
		return err
	}))
}

// The export is a mirror that anybody can audit, as files and as archives.
func TestExport(t *testing.T) {
	x := newExchange(t)
	for i := range 300 {
		x.trees[ledger.Ev].add(t, fmt.Appendf(nil, "entry %d", i))
	}
	o := x.settled()
	dir := filepath.Join(t.TempDir(), "copy")
	list, err := o.Export(t.Context(), dir, false)
	if err != nil || len(list) != 2 || list[1].Size != 305 {
		t.Fatalf("%+v %v", list, err)
	}
	at, _ := o.Mirror(ledger.Ev).At()
	findings, err := ledger.AuditTree(t.Context(), ledger.FSTiles(os.DirFS(filepath.Join(dir, "ev"))), at, nil)
	if err != nil || len(findings) > 0 {
		t.Error(findings, err)
	}
	if _, err := o.Export(t.Context(), dir, false); err == nil {
		t.Error("wrote over what was there")
	}
	if _, err := o.Export(t.Context(), dir+"-zip", true); err != nil {
		t.Error(err)
	}
	files := zipFS(t, filepath.Join(dir+"-zip", "ev", "000.zip"))
	findings, err = ledger.AuditTree(t.Context(), ledger.FSTiles(files), at, nil)
	if err != nil || len(findings) > 0 {
		t.Error(findings, err)
	}
	_, err = fs.ReadFile(files, checkpointFile)
	ok(t, err)
}
