package second_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/second"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/scenario"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
)

// What a real exchange recorded while every scenario was played, people of many
// institutions with keys and consents of their own: both verifiers read it, and
// find the same.
func TestDemonstration(t *testing.T) {
	packs, err := server.Packs()
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := scenario.Shipped(packs)
	if err != nil {
		t.Fatal(err)
	}
	more, err := os.ReadFile("../../scenario/testdata/more.toml")
	if err != nil {
		t.Fatal(err)
	}
	rest, err := scenario.Parse("more.toml", more, packs)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("shipped", func(t *testing.T) { agree(t, "", shipped...) })
	t.Run("on PostgreSQL", func(t *testing.T) { agree(t, pgtest.Shared(t).Database(t), rest) })
}

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// agree plays scenarios and puts bundles of what came out to both verifiers.
func agree(t *testing.T, db string, files ...*scenario.File) {
	ctx := context.Background()
	w, _, err := scenario.Play(ctx, files, scenario.Options{Bookkeeper: true, World: demo.Options{DB: db}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	path := filepath.Join(t.TempDir(), "all.zip")
	if err := w.Bundle(ctx, path); err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	python := second.Verifier{Script: "../testdata/verify.py"}
	defer func() {
		if err := python.Close(); err != nil {
			t.Error(err)
		}
	}()
	for name, opt := range map[string]*audit.Options{"everything": nil, "for oversight": {MetaOnly: true}, "nothing": {Allow: nobody},
		"messages": {Allow: func(m *evidence.Meta, _ *evidence.Priv) bool { return m.Ev == evidence.MessageSubmitted }}} {
		bundle := all
		if opt != nil {
			var b bytes.Buffer
			opt.Packs = w.Packs
			err := w.Exchange.Store.Read(ctx, func(v exchange.View) error { return audit.WriteBundle(ctx, &b, v, *opt) })
			if err != nil {
				t.Fatal(err)
			}
			bundle = b.Bytes()
		}
		r, found, err := audit.VerifyBundle(ctx, bytes.NewReader(bundle), int64(len(bundle)), audit.Trust{Genesis: w.Genesis}, nil)
		if err != nil || len(found) > 0 {
			t.Errorf("%s: %v, %v", name, found, err)
			continue
		}
		v := python.Ask(t, second.Case{Data: bundle, Genesis: w.Genesis, Other: all})
		if want := second.FactsOf(r); !v.OK || !v.Facts.Same["dir"] || !v.Facts.Same["ev"] || !same(v.Facts, want) {
			t.Errorf("%s: the second verifier finds\n%+v, %s, this one\n%+v", name, v.Facts, v.Why, want)
		}
		t.Logf("%s: %d bytes, %+v", name, len(bundle), *r.Bundle)
	}
}

func nobody(*evidence.Meta, *evidence.Priv) bool { return false }

// same compares facts about one bundle.
func same(got, want second.Facts) bool {
	got.Same = nil
	return reflect.DeepEqual(got, want)
}
