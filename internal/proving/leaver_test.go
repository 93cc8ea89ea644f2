package proving

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/keys/keystore"
)

// TestStolenDump gives somebody who left, and took her keystore along, everything
// that is in the database. Neither what was sealed to a key she has, and that she
// did not download, nor what was sealed after she left, opens: the shred key of a
// blob is wrapped by a key that no database holds. With that key, which is what
// such a thief lacks, the first opens and the second still does not.
func TestStolenDump(t *testing.T) {
	f := openField(t, nil)
	swc, legal := f.office("swc-kraljevo", "legal")
	m, _ := f.Member("hppo-kraljevo")
	registry, _ := m.Desk("registry")
	send := func() string {
		t.Helper()
		d := f.complaint(legal, registry.ID)
		d.Text.Body = sentinels[1]
		sent, err := swc.Send(t.Context(), d)
		f.must(err)
		return sent.Msg
	}
	_, err := registry.Enrol(t.Context(), "member")
	f.must(err)
	leaver := registry.Officers[0]
	stolen, err := leaver.Copy()
	f.must(err)
	before := send()
	f.must(leaver.Leave(t.Context()))
	f.must(f.Published(t.Context()))
	f.rotate(registry)
	after := send()

	dump := f.dump()
	for name, msg := range map[string]string{"of before": before, "of after": after} {
		for where, raw := range chunksOf(t, dump, msg) {
			if id := opens(raw, identities(stolen)); id {
				t.Errorf("a message %s opens from a dump (%s)", name, where)
			}
		}
	}
	server, err := f.Periods()
	f.must(err)
	for msg, want := range map[string]bool{before: true, after: false} {
		blob := unwrapped(t, dump, server, msg)
		if got := opens(blob, identities(stolen)); got != want {
			t.Errorf("with the server's own key too: %v, want %v", got, want)
		}
	}
}

// rotate renews a desk's key by its first officer, and lets the second confirm it,
// both having looked at what changed.
func (f *field) rotate(d *demo.Desk) {
	f.t.Helper()
	for i, act := range []func(o *office.Office) error{
		func(o *office.Office) error { _, err := o.Rotate(f.t.Context(), d.ID, "member-left"); return err },
		func(o *office.Office) error { return o.Acknowledge(f.t.Context(), d.ID) },
	} {
		o, err := f.Act(d.Officers[i].Keys)
		f.must(err)
		f.must(o.Sync(f.t.Context()))
		for _, c := range o.Unexpected("") {
			if _, err := o.Accept(c.Idx); err != nil && !errors.Is(err, office.ErrNoChange) {
				f.must(err)
			}
		}
		f.must(act(o))
	}
}

// identities are all that a keystore can decrypt with.
func identities(k *keystore.Keystore) []age.Identity {
	list := []age.Identity{k.Identity()}
	for _, desk := range k.Desks() {
		for _, e := range k.DeskEpochs(desk) {
			id, _ := k.DeskIdentity(desk, e)
			list = append(list, id)
		}
	}
	return list
}

// opens reports whether a file opens with one of the identities.
func opens(file []byte, ids []age.Identity) bool {
	r, err := age.Decrypt(bytes.NewReader(file), ids...)
	if err != nil {
		return false
	}
	_, err = io.ReadAll(r)
	return err == nil
}

// dump is a copy of the database, as somebody who got at its files would have it.
func (f *field) dump() exchange.Store {
	f.t.Helper()
	file := strings.TrimPrefix(f.Home.DSN(), "sqlite:")
	file, _, _ = strings.Cut(file, "?")
	copied := filepath.Join(f.t.TempDir(), "stolen.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(file + suffix)
		if suffix != "" && errors.Is(err, os.ErrNotExist) {
			continue
		}
		f.must(err)
		f.must(os.WriteFile(copied+suffix, data, 0o600))
	}
	store, err := sqlstore.Open(f.t.Context(), "sqlite:"+copied)
	f.must(err)
	f.t.Cleanup(func() { store.Close() })
	return store
}

// chunksOf is all that a store has of a message's body: the wrapped chunk, and what
// might be taken for a key.
func chunksOf(t *testing.T, store exchange.Store, msg string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	err := store.Read(t.Context(), func(v exchange.View) error {
		data, ok, err := v.Chunk(t.Context(), msg, 0, 0)
		if err != nil || !ok {
			return errors.Join(err, errors.New("the dump has no body of this message"))
		}
		found["chunk"] = data
		if at := bytes.Index(data[1:], []byte("age-encryption.org/v1\n-> mlkem768x25519")); at >= 0 {
			found["an envelope inside it"] = data[1+at:]
		}
		period, wrapped, ok, err := v.Shred(t.Context(), msg)
		if err != nil || !ok {
			return errors.Join(err, errors.New("no shred key"))
		}
		found["shred key"] = wrapped
		found["period key"], ok, err = v.Period(t.Context(), period)
		if !ok {
			err = errors.Join(err, errors.New("no period key"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// unwrapped takes the server's own wrap off a body, as only the server can.
func unwrapped(t *testing.T, store exchange.Store, server shred.PeriodWrapper, msg string) []byte {
	t.Helper()
	var blob []byte
	err := store.Read(t.Context(), func(v exchange.View) error {
		id, wrapped, _, err := v.Shred(t.Context(), msg)
		if err != nil {
			return err
		}
		sealed, _, err := v.Period(t.Context(), id)
		if err != nil {
			return err
		}
		period, err := server.UnwrapPeriod(t.Context(), id, sealed)
		if err != nil {
			return err
		}
		key, err := shred.OpenKey(period, msg, wrapped)
		if err != nil {
			return err
		}
		data, _, err := v.Chunk(t.Context(), msg, 0, 0)
		if err != nil {
			return err
		}
		plain, err := shred.Unwrap(bytes.NewReader(data), key, msg, 0)
		if err != nil {
			return err
		}
		blob, err = io.ReadAll(plain)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return blob
}
