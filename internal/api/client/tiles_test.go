package client_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/apitest"
	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
)

const quarter = exchange.PublicEvery * time.Millisecond

// audit reads a whole tree over HTTP and recomputes it from its entries.
func audit(t *testing.T, w *apitest.World, c *client.Client, log wire.Log) int64 {
	t.Helper()
	id, err := ledger.ParseLog(string(log))
	if err != nil {
		t.Fatal(err)
	}
	note, err := c.Checkpoint(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	cp, err := ledger.ParseCheckpoint(note, w.Signer(id).Verifier())
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	findings, err := ledger.AuditTree(t.Context(), c.Tiles(log), cp, func(int64, []byte) error { n++; return nil })
	if err != nil || len(findings) > 0 || n != cp.Size {
		t.Errorf("%s of %d: %d entries, %v, %v", log, cp.Size, n, findings, err)
	}
	return n
}

// TestAudit: an observer reads both trees as they are, and anyone with no key
// the evidence tree as it was at the quarter hour.
func TestAudit(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	public := w.Public(client.Options{})
	if _, err := public.Checkpoint(t.Context(), wire.Ev); !errors.Is(err, ledger.ErrMissing) {
		t.Errorf("before the first quarter of an hour: %v", err)
	}
	w.Grow(ledger.Ev, 70_000) // three levels
	w.Publish()
	w.Clock.Advance(quarter)
	w.Grow(ledger.Ev, 1000)
	w.Publish()
	member := w.Client(w.Council, client.Options{})
	if n := audit(t, w, member, wire.Ev); n != 71_000 {
		t.Errorf("the evidence tree of a member has %d", n)
	}
	if n := audit(t, w, member, wire.Dir); n != w.Directory().N() {
		t.Errorf("the directory has %d", n)
	}
	if n := audit(t, w, public, wire.Ev); n != 70_000 {
		t.Errorf("the evidence tree of the public has %d", n)
	}
	for what, err := range map[string]error{
		"a tile beyond":             second(public.Tile(t.Context(), wire.Ev, ledger.Bundle(273, 113))),
		"a tile of the directory":   second(public.Tile(t.Context(), wire.Dir, ledger.Bundle(0, 1))),
		"a proof beyond":            second(public.Proof(t.Context(), wire.Ev, 70_000)),
		"a proof of the directory":  second(public.Proof(t.Context(), wire.Dir, 0)),
		"a tile that there is not":  second(member.Tile(t.Context(), wire.Ev, ledger.Bundle(277, 256))),
		"a proof that there is not": second(member.Proof(t.Context(), wire.Ev, 71_000)),
	} {
		if !errors.Is(err, ledger.ErrMissing) || wire.CodeOf(err) != "not_found" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := public.Entries(t.Context(), 0, 0); wire.CodeOf(err) != "signature" {
		t.Errorf("entries of the directory without a key: %v", err)
	}
	for _, bad := range []tlog.Tile{{}, {H: 8, L: 9, N: 0, W: 1}, {H: 8, L: 0, N: -1, W: 1}, {H: 8, L: 0, N: 0, W: 257}, {H: 2, L: 0, N: 0, W: 1}} {
		if _, err := member.Tile(t.Context(), wire.Ev, bad); err == nil || errors.Is(err, ledger.ErrMissing) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestTileIsBounded: a tile has its length, or is none.
func TestTileIsBounded(t *testing.T) {
	_, tap, c := tapped(t, client.Options{})
	body := ""
	tap.before = func(int, *http.Request) (*http.Response, error) {
		return says(200, map[string]string{"Content-Type": wire.Bytes}, body), nil
	}
	for _, tt := range []struct {
		tile tlog.Tile
		size int
		ok   bool
	}{
		{ledger.HashTile(0, 0, 2), 64, true}, {ledger.HashTile(0, 0, 2), 63, false}, {ledger.HashTile(0, 0, 2), 65, false}, {ledger.HashTile(0, 0, 2), 0, false},
		{ledger.HashTile(0, 0, 256), 8192, true}, {ledger.HashTile(0, 0, 256), 1 << 20, false},
		{ledger.Bundle(0, 256), 256 * 65537, true}, {ledger.Bundle(0, 256), 256*65537 + 1, false},
	} {
		body = strings.Repeat("x", tt.size)
		data, err := c.Tile(t.Context(), wire.Ev, tt.tile)
		if (err == nil) != tt.ok || err == nil && len(data) != tt.size || errors.Is(err, ledger.ErrMissing) {
			t.Errorf("%s of %d bytes: %v", ledger.TilePath(tt.tile), tt.size, err)
		}
	}
}

// TestPublicSignsNothing: no field of a signature leaves a client without a key,
// nor does it set a clock it does not have.
func TestPublicSignsNothing(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	tap := &wireTap{}
	tap.before = func(_ int, r *http.Request) (*http.Response, error) {
		for _, field := range []string{"Signature", "Signature-Input", "Content-Digest"} {
			if r.Header.Get(field) != "" {
				t.Errorf("%s: %s", field, r.Header.Get(field))
			}
		}
		return nil, nil
	}
	c := w.Public(client.Options{Transport: tap})
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := c.Feed(t.Context(), w.A.Desk, 0, 0); wire.CodeOf(err) != "signature" {
		t.Error(err)
	}
	tap.before = func(int, *http.Request) (*http.Response, error) {
		return says(401, map[string]string{"Content-Type": wire.Problems, "Date": "Mon, 02 Mar 2026 09:45:00 GMT"}, `{"status":401,"code":"clock-skew"}`), nil
	}
	if _, err := c.Checkpoint(t.Context(), wire.Ev); wire.CodeOf(err) != "clock-skew" {
		t.Error(err)
	}
	for _, base := range []string{"http://exchange.example", "https://", "ftp://127.0.0.1", "https://a/b"} {
		if _, err := client.Public(base, client.Options{}); err == nil {
			t.Errorf("%s is spoken to", base)
		}
	}
}

// TestHoles gives back what an exchange lost, as the feed had it.
func TestHoles(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	c := w.Client(w.A.Officers[0], client.Options{})
	ctx := context.Background()
	lost := w.Lose("<a>")
	holes, err := c.Holes(ctx, -1)
	if err != nil || !slices.Equal(holes, []int64{lost.Idx}) {
		t.Fatalf("holes %v, %v", holes, err)
	}
	if holes, err := c.Holes(ctx, lost.Idx); err != nil || len(holes) != 0 {
		t.Errorf("holes after it %v, %v", holes, err)
	}
	wrong := lost
	wrong.RM = wrong.RP
	if err := c.PutOpening(ctx, wrong); wire.CodeOf(err) != "malformed" {
		t.Errorf("a wrong opening: %v", err)
	}
	if err := c.PutOpening(ctx, lost); err != nil {
		t.Fatal(err)
	}
	if holes, err := c.Holes(ctx, -1); err != nil || len(holes) != 0 {
		t.Errorf("holes %v, %v", holes, err)
	}
	page, err := c.Feed(ctx, w.A.Desk, 0, 0)
	if err != nil || len(page.Items) == 0 || !slices.Equal(page.Items[len(page.Items)-1].Meta, lost.Meta) {
		t.Errorf("the feed shows %+v, %v", page, err)
	}
}
