package server_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/vaulttest"
	"github.com/odziv/odziv/ledger"
)

// Two servers share one database and the anchor in one Vault: the second begins
// with an empty folder of its own and needs no act of an operator, both sign, and
// what one anchored the other is held against.
func TestTwoServersOneAnchor(t *testing.T) {
	for name, database := range engines {
		t.Run(name, func(t *testing.T) { twoOneAnchor(t, database(t)) })
	}
}

func twoOneAnchor(t *testing.T, db string) {
	v := prepared(t, vaulttest.Dev(t))
	w, old := atRest(t, db)
	moved(t, w, v)
	dir := furtherFolder(t, v, w.Home.Dir)

	v.Seal(t) // nothing is known yet of what was signed
	second := serve(t, w, dir)
	until(t, "it waits for the anchor", func() bool { return strings.Contains(second.log.String(), "waiting for the anchor in Vault") })
	v.Unseal(t)
	second.signed()
	first := serve(t, w, w.Home.Dir)

	var all sync.WaitGroup
	for _, r := range []*live{first, second} {
		sends, reads := people(t, w, r)
		all.Go(func() {
			for range rounds(6) {
				if _, err := sends(); err != nil {
					t.Error(err)
				}
			}
			if err := reads(old); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	first.signed()
	second.signed()
	for _, l := range ledger.Logs {
		until(t, "both hold what Vault holds of "+l.String(), func() bool { return sameAnchor(t, l, first, second) })
	}
	first.end()
	second.end()
	sound(t, w)
	rolledBack(t, v, w, dir)
}

// furtherFolder is that of another server on the same database: settings and
// login, and an empty anchor.
func furtherFolder(t *testing.T, v *operatorVault, from string) string {
	t.Helper()
	dir := memoryDir(t)
	settings, err := os.ReadFile(filepath.Join(from, "server.json"))
	must(t, err)
	settings = bytes.Replace(settings, []byte(`"sqlite:ledger.db"`), []byte(`"sqlite:`+filepath.Join(from, "ledger.db")+`"`), 1)
	must(t, os.WriteFile(filepath.Join(dir, "server.json"), settings, 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "anchor"), 0o700))
	v.access(t, dir)
	return dir
}

func sameAnchor(t *testing.T, l ledger.Log, servers ...*live) bool {
	t.Helper()
	var notes [][]byte
	for _, r := range servers {
		for _, a := range []ledger.Anchor{r.keys.Anchor, r.keys.Local} {
			note, err := a.Last(t.Context(), l)
			must(t, err)
			notes = append(notes, note)
		}
	}
	for _, note := range notes[1:] {
		if !bytes.Equal(head(note), head(notes[0])) {
			return false
		}
	}
	return len(notes[0]) > 0
}

// head is what a note says, without who signed it.
func head(note []byte) []byte {
	text, _, _ := bytes.Cut(note, []byte("\n\n"))
	return text
}

// rolledBack: a server whose own copy of the anchor is old, or gone, is stopped
// by what another one put into Vault.
func rolledBack(t *testing.T, v *operatorVault, w *demo.World, dir string) {
	t.Helper()
	ahead := "demo.odziv.example/ev\n1000000\n" + strings.Repeat("A", 43) + "=\n\n\u2014 demo.odziv.example/ev AAAAAAAA\n"
	fields := v.Call(t, "GET", "kv/data/odziv/last-checkpoint/ev", nil)["data"].(map[string]any)["metadata"].(map[string]any)
	v.Call(t, "POST", "kv/data/odziv/last-checkpoint/ev", map[string]any{"data": map[string]any{"checkpoint": ahead}, "options": map[string]any{"cas": fields["version"]}})
	v.deliver(t, dir)
	h, err := server.OpenHome(dir)
	must(t, err)
	again, _ := open(t, w, h)
	defer again.x.Store.Close()
	defer again.keys.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go again.keys.Run(ctx)
	signers, err := again.keys.Signers(again.x)
	must(t, err)
	p := ledger.NewPublisher(again.x.Store, ledger.Ev, signers[ledger.Ev], again.keys.Anchor, ledger.Unwatched{})
	until(t, "a rollback is seen", func() bool {
		_, _, err := p.Step(t.Context(), again.x.Clock.Now())
		if err == nil {
			t.Fatal("it signed although Vault says that more was published")
		}
		return strings.Contains(err.Error(), ledger.ErrRollback.Error())
	})
}
