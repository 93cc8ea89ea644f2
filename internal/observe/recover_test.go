package observe_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/observe"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// desk is a desk's first officer at work, with a notebook on disk.
func desk(t *testing.T, w *demo.World, d *demo.Desk, home string) (*office.Office, *client.Client) {
	t.Helper()
	keys := d.Officers[0].Keys
	c, err := client.New(w.URL, keys.Signer(), w.Clock.Now, client.Options{})
	check(t, err)
	notebook, err := office.CreateNotebook(home, w.Pin())
	check(t, err)
	o, err := office.Open(office.Config{Client: c, Keys: keys, Notebook: notebook, Packs: w.Packs, Clock: w.Clock.Now, Demo: true})
	check(t, err)
	check(t, o.Sync(context.Background()))
	return o, c
}

func complaint(from, to *demo.Desk) office.Draft {
	return office.Draft{Desk: from.ID, Family: "rs-a", Kind: "complaint", To: []string{to.ID},
		Subj: []string{statement.NewID(statement.Person)}, Basis: messaging.Basis{Code: "legal-obligation", Purpose: "procedure"},
		Cats: []string{"identity"}, Facts: map[string]string{"complainant": "institution"},
		Text: envelope.Text{Fields: map[string]string{"facts-of-case": "facts", "indicators": "none", "age": "adult", "role": "authority"}}}
}

// member finds an observer of an institution.
func member(t *testing.T, list []*demo.Observer, code string) *demo.Observer {
	t.Helper()
	for _, o := range list {
		if o.Member.Code == code {
			return o
		}
	}
	t.Fatalf("nobody observes for %s", code)
	return nil
}

// The newest entries of an exchange are lost with its disk; an old backup is put
// in its place. Witnesses keep it from starting, an observer's mirror gives the
// entries back and the observers of the parties the openings, and everything is
// as it was: the receipts of officers hold, their desks' records lack nothing.
func TestLostTail(t *testing.T) {
	ctx := context.Background()
	w, list := worldIn(t, filepath.Join(t.TempDir(), "world"), 4, 3, "swc-kraljevo", "hppo-kraljevo")
	sender, receiver := member(t, list, "swc-kraljevo"), member(t, list, "hppo-kraljevo")
	legal, _ := sender.Member.Desk("legal")
	registry, _ := receiver.Member.Desk("registry")
	check(t, w.Confirmed(ctx))
	check(t, w.Close())
	folder, backup := filepath.Join(w.Dir, "server"), filepath.Join(w.Dir, "backup")
	if out, err := exec.Command("cp", "-a", folder, backup).CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}

	s, err := serve(t, w, folder, honestly)
	check(t, err)
	homes := t.TempDir()
	at, fromLegal := desk(t, w, legal, filepath.Join(homes, "legal"))
	reader, fromRegistry := desk(t, w, registry, filepath.Join(homes, "registry"))
	for range 3 {
		_, err := at.Send(ctx, complaint(legal, registry))
		check(t, err)
	}
	check(t, w.Confirmed(ctx))
	check(t, reader.Sync(ctx))
	letters, err := reader.Letters(ctx, registry.ID)
	check(t, err)
	_, err = reader.Read(ctx, registry.ID, letters[0].Msg)
	check(t, err)
	check(t, w.Confirmed(ctx))
	check(t, at.Sync(ctx))
	_, err = at.Letters(ctx, legal.ID)
	check(t, err)
	sender.Feeds = []observe.Desks{{Feeder: fromLegal, KeyID: statement.KeyID(legal.Officers[0].Keys.Signer().Public())}}
	receiver.Feeds = []observe.Desks{{Feeder: fromRegistry, KeyID: statement.KeyID(registry.Officers[0].Keys.Signer().Public())}}
	sender.Receipts, receiver.Receipts = []string{homes}, []string{filepath.Join(homes, "registry")}
	accept := func() {
		for _, o := range list {
			check(t, o.Round(ctx, true))
			waiting, err := o.Waiting()
			check(t, err)
			for _, c := range waiting {
				check(t, o.Accept(c.Idx))
			}
			if alarms, err := o.Alarms.List(false); err != nil || len(alarms) > 0 {
				t.Errorf("%s: %+v %v", o.Member.Code, alarms, err)
			}
		}
	}
	accept()
	dirSize, evSize, err := w.Sizes(ctx)
	check(t, err)
	s.end(t)

	if _, err := serve(t, w, backup, honestly); !errors.Is(err, ledger.ErrRollback) {
		t.Fatalf("the old backup started: %v", err)
	}
	export := filepath.Join(t.TempDir(), "ledger")
	_, err = list[0].Export(ctx, export, false)
	check(t, err)
	restore(t, w, backup, export)

	s, err = serve(t, w, backup, honestly)
	check(t, err)
	if dir, ev, err := w.Sizes(ctx); err != nil || dir != dirSize || ev != evSize {
		t.Errorf("%d and %d entries of %d and %d, %v", dir, ev, dirSize, evSize, err)
	}
	holes, err := fromLegal.Holes(ctx, -1)
	if err != nil || len(holes) == 0 {
		t.Errorf("%d holes, %v", len(holes), err)
	}
	first, err := sender.Repost(ctx, fromLegal, nil)
	check(t, err)
	rest, err := receiver.Repost(ctx, fromRegistry, nil)
	check(t, err)
	if first.Asked != len(holes) || first.Given == 0 || len(rest.Missing) > 0 || first.Given+rest.Given != len(holes) {
		t.Errorf("%d holes, then %+v, then %+v", len(holes), first, rest)
	}
	check(t, w.Confirmed(ctx))
	accept()
	if again, err := reader.Letters(ctx, registry.ID); err != nil || len(again) != len(letters) {
		t.Errorf("%d letters of %d, %v", len(again), len(letters), err)
	}
	s.end(t)
}

// restore imports an observer's export into the database of a server's folder.
func restore(t *testing.T, w *demo.World, folder, export string) {
	t.Helper()
	ctx := context.Background()
	home := openHome(t, folder)
	x, err := home.OpenExchange(ctx, w.Clock, w.Packs, discard)
	check(t, err)
	mirror, err := home.Mirror(os.DirFS(export))
	check(t, err)
	_, err = exchange.Import(ctx, x.Store, mirror, w.Clock.Now(), nil)
	check(t, err)
	check(t, x.Store.Close())
}
