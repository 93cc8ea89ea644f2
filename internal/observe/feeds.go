package observe

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

// Desks are those of one officer, whose key the exchange lets read their feeds.
type Desks struct {
	Feeder Feeder
	KeyID  string
}

// checkFeeds reads what is new in the feeds of the officers' desks; with whole,
// all of them, so that what was erased or held since is noticed.
func (o *Observer) checkFeeds(ctx context.Context, whole bool) error {
	var errs []error
	done := map[string]bool{}
	for _, d := range o.Feeds {
		officer, ok := o.Directory().OfficerByKey(d.KeyID)
		if !ok {
			errs = append(errs, errors.New("observe: the officer whose feeds are to be read is not enrolled"))
			continue
		}
		for _, desk := range o.Directory().DesksOf(officer.U) {
			if !done[desk] {
				done[desk] = true
				errs = append(errs, o.checkFeed(ctx, d.Feeder, desk, whole))
			}
		}
	}
	return errors.Join(errs...)
}

// checkFeed reads a feed: its numbers are dense, and each opening opens the
// entry that is mirrored at its index.
func (o *Observer) checkFeed(ctx context.Context, from Feeder, desk string, whole bool) error {
	kept, end, err := o.readOpenings(desk)
	if err != nil {
		return err
	}
	last := int64(len(kept)) // numbers begin at 1 and lack none
	after := last
	if whole {
		after = 0
	}
	fresh, size, err := o.readFeed(ctx, from, desk, after)
	if err != nil {
		return err
	}
	if size < last {
		return o.hole(desk, fmt.Sprintf("end %d", last), "the record of a desk of this institution went back: it had %[2]d notices and now has fewer (desk %[1]s)", last, nil)
	}
	if !whole {
		return o.appendOpenings(desk, end, fresh)
	}
	merged, err := o.merge(desk, kept, fresh)
	if err != nil {
		return err
	}
	return o.writeOpenings(desk, merged)
}

// merge takes over what the whole feed shows now. An opening that is kept is
// given up for an erasure alone, and only if that is on record.
func (o *Observer) merge(desk string, kept, fresh []evidence.Item) ([]evidence.Item, error) {
	gone := erasures(fresh)
	for i := range min(len(kept), len(fresh)) {
		if _, err := kept[i].Opening(); err != nil {
			continue
		}
		if e := fresh[i].Erased; e != nil && gone[*e][kept[i].Idx] {
			continue
		} else if e != nil {
			err := o.hole(desk, fmt.Sprintf("erased %d", kept[i].N), "number %[2]d in the record of a desk of this institution is said to be erased, but no erasure is on record (desk %[1]s)", kept[i].N, nil)
			if err != nil {
				return nil, err
			}
		}
		fresh[i] = kept[i]
	}
	return append(fresh, kept[min(len(kept), len(fresh)):]...), nil
}

// erasures are the entries that each erasure on record covers, by its own index.
func erasures(items []evidence.Item) map[int64]map[int64]bool {
	all := map[int64]map[int64]bool{}
	for _, item := range items {
		opening, err := item.Opening()
		if err != nil {
			continue
		}
		meta, priv, err := opening.Decode()
		if err != nil || meta.Ev != evidence.ErasureDone {
			continue
		}
		var data evidence.ErasureData
		if json.Unmarshal(priv.Data, &data) != nil {
			continue
		}
		all[item.Idx] = map[int64]bool{}
		for _, e := range data.Erased {
			all[item.Idx][e.Idx] = true
		}
	}
	return all
}

// readFeed returns what is after a number and stands in the mirror, and the
// number of the last there is.
func (o *Observer) readFeed(ctx context.Context, from Feeder, desk string, after int64) (fresh []evidence.Item, size int64, err error) {
	for {
		page, err := from.Feed(ctx, desk, after, 0)
		if err != nil {
			return nil, 0, err
		}
		for _, item := range page.Items {
			if item.N != after+1 {
				return fresh, page.Size, o.hole(desk, fmt.Sprint(after+1), "the record of a desk of this institution lacks number %[2]d: something was withheld (desk %[1]s)", after+1, nil)
			}
			checked, mirrored, err := o.checkItem(ctx, desk, item)
			if err != nil || !mirrored {
				return fresh, page.Size, err // the rest is for the next round
			}
			fresh, after = append(fresh, checked), item.N
		}
		if after >= page.Size {
			return fresh, page.Size, nil
		}
		if len(page.Items) == 0 {
			return fresh, page.Size, o.hole(desk, fmt.Sprint(after+1), "the record of a desk of this institution lacks number %[2]d: something was withheld (desk %[1]s)", after+1, nil)
		}
	}
}

func (o *Observer) hole(desk, subject, text string, n int64, files map[string][]byte) error {
	return o.Alarms.raise(Hole, Severe, desk+" "+subject, fmt.Sprintf(text, desk, n), files)
}

// checkItem holds an item against the entry at its index. It returns what is to
// be kept of it, without an opening that is not the entry's, and reports whether
// the entry is mirrored yet.
func (o *Observer) checkItem(ctx context.Context, desk string, item evidence.Item) (checked evidence.Item, mirrored bool, err error) {
	at, _ := o.mirrors[ledger.Ev].At()
	if item.Idx < 0 || item.Idx >= at.Size {
		return item, false, o.beyond(desk, item)
	}
	opening, err := item.Opening()
	if errors.Is(err, evidence.ErrNoOpening) {
		return item, true, nil
	}
	leaf, leafErr := o.mirrors[ledger.Ev].Entry(ctx, item.Idx)
	if leafErr != nil {
		return item, false, leafErr
	}
	var priv *evidence.Priv
	if err == nil {
		_, priv, err = opening.Check(leaf, item.Idx)
	}
	if err == nil && numbered(priv, desk, item.N) {
		return item, true, nil
	}
	return evidence.Item{Idx: item.Idx, N: item.N}, true, o.hole(desk, fmt.Sprintf("item %d %d", item.N, item.Idx),
		"number %[2]d in the record of a desk of this institution is not what the ledger holds (desk %[1]s)", item.N, map[string][]byte{"entry.json": leaf})
}

// maxUnrecorded bounds the items that are remembered as too new to be checked.
const maxUnrecorded = 4096

// beyond is an alarm when a feed shows for a quarter of an hour what no
// checkpoint covers: nothing after it would ever be looked at.
func (o *Observer) beyond(desk string, item evidence.Item) error {
	key := fmt.Sprintf("%s %d %d", desk, item.N, item.Idx)
	now := o.Clock()
	o.mu.Lock()
	since, known := o.unrecorded[key]
	if !known {
		if len(o.unrecorded) >= maxUnrecorded {
			clear(o.unrecorded) // they are seen again in the next round
		}
		o.unrecorded[key] = now
	}
	o.mu.Unlock()
	if !known || now-since < staleWarn {
		return nil
	}
	return o.hole(desk, fmt.Sprintf("item %d %d", item.N, item.Idx), "number %[2]d in the record of a desk of this institution is in no checkpoint (desk %[1]s)", item.N, nil)
}

// numbered reports whether an opening gives a desk no other number than its feed
// does.
func numbered(priv *evidence.Priv, desk string, n int64) bool {
	return !slices.ContainsFunc(priv.To, func(d evidence.Delivery) bool { return d.Desk == desk && d.N != n })
}

func (o *Observer) openingsFile(desk string) string {
	return filepath.Join(o.Dir, "openings", desk+".jsonl")
}

// readOpenings reads what is kept of a desk's feed, one item a line, and where
// the last whole line ends: what was cut off after it is fetched again.
func (o *Observer) readOpenings(desk string) (items []evidence.Item, end int64, err error) {
	if !statement.IsID(desk, statement.Desk) {
		return nil, 0, fmt.Errorf("observe: %.40q is no desk", desk)
	}
	f, err := os.Open(o.openingsFile(desk))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("observe: %w", err)
	}
	defer f.Close()
	lines := bufio.NewReaderSize(f, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		var item evidence.Item
		if err == io.EOF || err == nil && (json.Unmarshal(line, &item) != nil || item.N != int64(len(items))+1) {
			return items, end, nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("observe: %w", err)
		}
		items, end = append(items, item), end+int64(len(line))
	}
}

// appendOpenings writes what is new where the last whole line ends, durably.
func (o *Observer) appendOpenings(desk string, end int64, fresh []evidence.Item) error {
	if len(fresh) == 0 {
		return nil
	}
	if end == 0 {
		return o.writeOpenings(desk, fresh)
	}
	text, err := openingLines(fresh)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(o.openingsFile(desk), os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	if err = f.Truncate(end); err == nil {
		_, err = f.WriteAt(text, end)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	return nil
}

func openingLines(items []evidence.Item) ([]byte, error) {
	var text bytes.Buffer
	for _, item := range items {
		line, err := wire.Encode(item) // openings verbatim: encoding/json would spell < otherwise
		if err != nil {
			return nil, err
		}
		text.Write(append(line, '\n'))
	}
	return text.Bytes(), nil
}

// writeOpenings replaces what is kept of a desk's feed.
func (o *Observer) writeOpenings(desk string, items []evidence.Item) error {
	name := o.openingsFile(desk)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	text, err := openingLines(items)
	if err != nil {
		return err
	}
	return replaceWhole(name, text)
}

// Reposted says what became of the openings that an exchange asked for.
type Reposted struct {
	Asked   int     `json:"asked"`   // entries that the exchange lacks the opening of
	Given   int     `json:"given"`   // of these, given back
	Missing []int64 `json:"missing"` // of these, not kept here: other institutions have them
}

// Repost gives back to an exchange that was restored the openings that it lost
// and that are kept here.
func (o *Observer) Repost(ctx context.Context, to Feeder, progress func(done int)) (Reposted, error) {
	answer := Reposted{Missing: []int64{}}
	kept, err := o.keptOpenings()
	if err != nil {
		return answer, err
	}
	for after := int64(-1); ; {
		holes, err := to.Holes(ctx, after)
		if err != nil || len(holes) == 0 {
			return answer, err
		}
		for _, idx := range holes {
			if idx <= after {
				return answer, errors.New("observe: the exchange lists its holes out of order")
			}
			after = idx
			answer.Asked++
			item, ok := kept[idx]
			if !ok {
				answer.Missing = append(answer.Missing, idx)
				continue
			}
			if err := to.PutOpening(ctx, item); err != nil {
				return answer, err
			}
			answer.Given++
			if progress != nil {
				progress(answer.Given)
			}
		}
	}
}

// keptOpenings are all that is kept, by index.
func (o *Observer) keptOpenings() (map[int64]evidence.Item, error) {
	kept := map[int64]evidence.Item{}
	files, err := filepath.Glob(o.openingsFile("*"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		base := filepath.Base(file)
		items, _, err := o.readOpenings(base[:len(base)-len(".jsonl")])
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			if _, err := item.Opening(); err == nil {
				kept[item.Idx] = item
			}
		}
	}
	return kept, nil
}
