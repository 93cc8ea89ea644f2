package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/ledger"
)

// backup copies the database of a running world as an operator would.
func backup(ctx context.Context, w *demo.World, file string) error {
	if err := w.Published(ctx); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", strings.TrimPrefix(w.Home.DSN(), "sqlite:"))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", file)
	return errors.Join(err, db.Close())
}

// mirror writes both trees as an observer keeps them, up to the last checkpoint.
func mirror(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mirror DIR FOLDER")
	}
	home, err := server.OpenHome(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(writeMirror(context.Background(), home, ts.MkAbs(args[1])))
}

func writeMirror(ctx context.Context, home *server.Home, folder string) error {
	store, err := sqlstore.Open(ctx, home.DSN())
	if err != nil {
		return err
	}
	defer store.Close()
	put := func(name string, data []byte) error {
		name = filepath.Join(folder, name)
		return errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, data, 0o600))
	}
	return store.View(ctx, func(r ledger.Reader) error {
		for _, log := range ledger.Logs {
			last, err := r.LastCheckpoint(ctx, log)
			if err != nil {
				return err
			}
			if err := put(log.String()+"/checkpoint", last.Note); err != nil {
				return err
			}
			for tile := range ledger.TreeTiles(last.Size) {
				data, err := ledger.ReadTile(ctx, r, log, tile)
				if err != nil {
					return err
				}
				if err := put(log.String()+"/"+ledger.TilePath(tile), data); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// countInto sets HOLES.
func countInto(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: holes DIR")
	}
	home, err := server.OpenHome(ts.MkAbs(args[0]))
	ts.Check(err)
	store, err := sqlstore.Open(context.Background(), home.DSN())
	ts.Check(err)
	defer store.Close()
	n, err := countHoles(context.Background(), store)
	ts.Check(err)
	ts.Setenv("HOLES", strconv.Itoa(n))
}

// listening waits for a server that was started in the background.
func listening(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: listening ADDRESS")
	}
	for range 1000 {
		if c, err := net.Dial("tcp", args[0]); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("nobody listens at %s", args[0])
}

// A mirror behind an address gives what a folder gives, and no answer is read
// without end.
func TestWeb(t *testing.T) {
	long := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/m/dir/checkpoint":
			io.WriteString(w, "a note")
		case r.URL.Path == "/m/long":
			long = true
			for chunk := make([]byte, 1<<20); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		case r.URL.Path == "/m/broken":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	files, shut, err := openMirror(t.Context(), srv.URL+"/m")
	if err != nil {
		t.Fatal(err)
	}
	defer shut()
	sub, err := fs.Sub(files, "dir")
	if err != nil {
		t.Fatal(err)
	}
	if data, err := fs.ReadFile(sub, "checkpoint"); err != nil || !bytes.Equal(data, []byte("a note")) {
		t.Errorf("%q %v", data, err)
	}
	if _, err := fs.ReadFile(files, "nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := fs.ReadFile(files, "long"); err == nil || !long || !strings.Contains(err.Error(), "longer than 17 MiB") {
		t.Errorf("an answer without end: %v", err)
	}
	if _, err := fs.ReadFile(files, "broken"); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("a broken mirror: %v", err)
	}
	if _, err := files.Open("../keys"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a path that leads out: %v", err)
	}
	for _, address := range []string{"https://", "https://user@mirror.example/", "https://mirror.example/?x=1"} {
		if _, _, err := openMirror(t.Context(), address); err == nil {
			t.Errorf("%s was taken for a mirror", address)
		}
	}
}
