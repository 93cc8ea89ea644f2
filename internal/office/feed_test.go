package office_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// shorter lets a feed end after n items, and say so.
func shorter(n int) func(string, []byte) []byte {
	return answer("/v1/feed", changed(func(f *wire.Feed) {
		f.Items = f.Items[:min(n, len(f.Items))]
		f.Size = int64(n)
	}))
}

// An end that is withheld shows as soon as this program knows of a number after
// it: because it read it, in this run or an earlier one, or because it is that
// of an own act. What it cannot know of, it cannot miss.
func TestFeedEndWithheld(t *testing.T) {
	w := watch(t)
	dir := t.TempDir()
	sender, reader := w.at(w.A, 0, ""), w.at(w.B, 0, dir)
	for range 3 {
		_, err := sender.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
		check(t, err)
	}
	w.step()
	reader.net.set(shorter(2))
	items, err := reader.fresh(t).Feed(t.Context(), w.B.Desk, 0)
	if err != nil || len(items) != 2 {
		t.Errorf("%d items, %v: nothing tells that there is a third", len(items), err)
	}
	reader.net.set(nil)
	if _, err = reader.Feed(t.Context(), w.B.Desk, 0); err != nil {
		t.Fatal(err)
	}
	reader.net.set(shorter(2))
	_, err = reader.Feed(t.Context(), w.B.Desk, 0)
	lied(t, err, "ends at number 2, and number 3 was seen")
	again := w.at(w.B, 0, dir).fresh(t)
	again.net.set(shorter(2))
	_, err = again.Feed(t.Context(), w.B.Desk, 0)
	lied(t, err, "ends at number 2, and number 3 was seen")

	sender.net.set(shorter(2))
	_, err = sender.Feed(t.Context(), w.A.Desk, 0)
	lied(t, err, "ends at number 2, and number 3 was seen")
}

// Several runs of the program in one folder lose nothing of what each verified.
func TestOneFolderManyPrograms(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	dir := t.TempDir()
	w.at(w.A, 0, dir).fresh(t)
	programs := []*program{}
	for range 4 {
		programs = append(programs, w.at(w.A, 0, dir))
	}
	for round := range 5 {
		w.rotate(w.B, round%2 == 0)
		w.step()
		var all sync.WaitGroup
		for _, p := range programs[:1+round%4] {
			all.Go(func() {
				_, err := p.Send(t.Context(), complaint(w.A.Desk, w.A.Desk)) // refused: to itself
				var r *office.Refused
				if !errors.As(err, &r) {
					t.Error(err)
				}
				if _, err := p.Feed(t.Context(), w.A.Desk, 0); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	p := w.at(w.A, 0, dir) // has synchronised with nobody
	n := w.Directory().N()
	counts(t, p, n, n)
	if list, _ := filepath.Glob(filepath.Join(dir, ".*")); len(list) != 0 {
		t.Errorf("left behind: %v", list)
	}
}

// Another run of the program, shown another history into the same folder, is
// found out by whoever writes next.
func TestOneFolderTwoHistories(t *testing.T) {
	w := watch(t)
	w.step()
	dir := t.TempDir()
	w.at(w.A, 0, dir).fresh(t)
	first, second := w.at(w.A, 0, dir), w.at(w.A, 0, dir)
	before := w.Directory()
	w.rotate(w.B, false)
	w.step()
	check(t, first.Sync(t.Context()))
	// The second is shown another entry in that place, equally well signed.
	payload, err := before.Prepare(&directory.OfficerRevoke{U: w.B.Users[0], Key: statement.KeyID(w.B.Officers[0].Public()), From: 1, Reason: "lost"}, w.Clock.Now())
	check(t, err)
	leaf := w.leaf(payload, registrars("B")[0])
	leaves := storedLeaves(t, dir)
	leaves[len(leaves)-1] = leaf
	second.net.set(func(path string, body []byte) []byte {
		switch path {
		case "/dir/entries":
			return changed(func(e *wire.Entries) { e.Entries = [][]byte{leaf} })(body)
		case "/dir/checkpoint":
			return w.signs(ledger.Dir, func(c *ledger.Checkpoint) { c.Root = rootOver(leaves) })(body)
		}
		return body
	})
	lied(t, second.Sync(t.Context()), "two histories")
}

// A folder that a later version wrote is not touched.
func TestNewerFolder(t *testing.T) {
	w := watch(t)
	dir := t.TempDir()
	w.at(w.A, 0, dir).fresh(t)
	marks := readMarks(t, dir)
	marks["v"] = 99
	writeMarks(t, dir, marks)
	if _, err := office.OpenNotebook(dir); !errors.Is(err, office.ErrNewer) {
		t.Errorf("%v", err)
	}
}

// The notebook tells nobody what it is about: proofs and openings of own acts
// have indexes for names.
func TestProofsHaveNeutralNames(t *testing.T) {
	w := watch(t)
	dir := t.TempDir()
	p := w.at(w.A, 0, dir)
	for range 2 {
		_, err := p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
		check(t, err)
	}
	w.step()
	check(t, p.Sync(t.Context()))
	var names []string
	for i := range 2 {
		names = append(names, fmt.Sprintf("%d.opening.json", i), fmt.Sprintf("%d.tlog-proof", i))
	}
	files, err := os.ReadDir(filepath.Join(dir, "proofs"))
	check(t, err)
	var got []string
	for _, f := range files {
		got = append(got, f.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("%v, want %v", got, names)
	}
	if list, err := p.Notebook.Kept(); err != nil || len(list) != 2 || list[1].Standing != "" {
		t.Errorf("%+v %v", list, err)
	}
}
