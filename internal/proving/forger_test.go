package proving

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/ledger"
)

// forger is an operator's own program: it shows the trees of a changed copy of
// the ledger, under checkpoints that the true keys sign, and passes everything
// else on to the true server. No rule stops it but those of who reads.
type forger struct {
	t     *testing.T
	home  *server.Home
	store *sqlstore.Store
	notes map[ledger.Log][]byte
	addr  string
}

// forge copies the ledger as it is and serves the copy.
func (f *field) forge(t *testing.T) *forger {
	t.Helper()
	g := &forger{t: t, notes: map[ledger.Log][]byte{}}
	var err error
	g.home, err = server.OpenHome(copyHome(t, f.Home))
	f.must(err)
	g.reopen()
	for _, log := range ledger.Logs {
		g.notes[log] = last(t, g.store, log).Note
	}
	honest, err := url.Parse(f.URL)
	f.must(err)
	rest := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = honest.Scheme, honest.Host, honest.Host
	}}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.show(w, r) {
			rest.ServeHTTP(w, r)
		}
	}))
	g.addr = web.Listener.Addr().String()
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
		g.store.Close()
	})
	return g
}

func (g *forger) reopen() {
	g.t.Helper()
	var err error
	if g.store, err = sqlstore.Open(context.Background(), g.home.DSN()); err != nil {
		g.t.Fatal(err)
	}
}

// show answers what is asked of the trees.
func (g *forger) show(w http.ResponseWriter, r *http.Request) bool {
	name, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	log, err := ledger.ParseLog(name)
	if err != nil {
		return false
	}
	if path == "checkpoint" {
		w.Header().Set("Content-Type", wire.Text)
		w.Write(g.notes[log])
		return true
	}
	err = g.store.View(r.Context(), func(v ledger.Reader) error {
		if path == "entries" {
			return g.entries(w, r, v)
		}
		tile, err := ledger.ParseTilePath(path)
		if err != nil {
			http.NotFound(w, r)
			return nil
		}
		data, err := ledger.ReadTile(r.Context(), v, log, tile)
		if err != nil {
			http.NotFound(w, r)
			return nil
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(data)
		return nil
	})
	if err != nil {
		g.t.Error(err)
	}
	return true
}

func (g *forger) entries(w http.ResponseWriter, r *http.Request, v ledger.Reader) error {
	from, _ := strconv.ParseInt(r.URL.Query().Get("from"), 10, 64)
	head, err := v.Head(r.Context(), ledger.Dir)
	if err != nil {
		return err
	}
	leaves := [][]byte{}
	if from < head.Size {
		if leaves, err = v.Entries(r.Context(), ledger.Dir, from, min(head.Size, from+100)); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", wire.JSON)
	return json.NewEncoder(w).Encode(wire.Entries{Entries: leaves, V: wire.V})
}

// sign signs the trees of the copy as they are now.
func (g *forger) sign() {
	g.t.Helper()
	ctx := context.Background()
	for _, log := range ledger.Logs {
		key, err := g.home.Signer(log)
		if err != nil {
			g.t.Fatal(err)
		}
		err = g.store.View(ctx, func(v ledger.Reader) error {
			head, err := v.Head(ctx, log)
			if err != nil {
				return err
			}
			g.notes[log], err = ledger.SignCheckpoint(ctx, key, ledger.Checkpoint{Origin: key.Verifier().Name(), Size: head.Size, Root: head.Root})
			return err
		})
		if err != nil {
			g.t.Fatal(err)
		}
	}
}

// add appends a leaf that no rule was asked about, and signs.
func (g *forger) add(log ledger.Log, leaf []byte) {
	g.t.Helper()
	ctx := context.Background()
	err := g.store.Update(ctx, func(tx ledger.Tx) error {
		b, err := ledger.NewBatch(ctx, tx, log)
		if err != nil {
			return err
		}
		if _, err := b.Append(leaf); err != nil {
			return err
		}
		_, err = b.Flush(ctx, b.Head().At)
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
	g.sign()
}

// leaf reads an entry of the copy.
func (g *forger) leaf(log ledger.Log, idx int64) (leaf []byte) {
	g.t.Helper()
	err := g.store.View(context.Background(), func(v ledger.Reader) error {
		leaves, err := v.Entries(context.Background(), log, idx, idx+1)
		if err == nil {
			leaf = leaves[0]
		}
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return leaf
}

// edit changes the copy behind its triggers.
func (g *forger) edit(query string, args ...any) {
	g.t.Helper()
	if err := g.store.Close(); err != nil {
		g.t.Fatal(err)
	}
	db, err := sql.Open("sqlite", strings.TrimPrefix(g.home.DSN(), "sqlite:"))
	if err != nil {
		g.t.Fatal(err)
	}
	defer g.reopen()
	defer db.Close()
	dropTriggers(g.t, db)
	res, err := db.Exec(query, args...)
	if err != nil {
		g.t.Fatal(err)
	}
	if n, _ := res.RowsAffected(); n != 1 {
		g.t.Fatalf("%d rows changed", n)
	}
}
