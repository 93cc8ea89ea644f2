package proving

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

const (
	hour = 3600 * 1000
	day  = 24 * hour
)

// TestRefusalsAreCounted lets an officer be refused more than twenty times in an
// hour: twenty get a leaf each, the rest one together, and every id is spent.
func TestRefusalsAreCounted(t *testing.T) { onEach(t, testRefusalsAreCounted) }

func testRefusalsAreCounted(t *testing.T, e engine) {
	f := openField(t, e.place(t))
	ngo, to := f.sender("ngo-a", "case"), f.sender("police-kraljevo", "intake")
	const tries = 25
	type attempt struct {
		id  string
		raw []byte
	}
	var attempts []attempt
	for range tries {
		core := ngo.core("referral", messaging.Basis{Code: "court-order", Purpose: "assistance", Ref: "r"})
		_, raw, err := ngo.seal(t.Context(), core, to.desk, map[string]string{})
		f.must(err)
		attempts = append(attempts, attempt{core.Msg, raw})
	}
	for _, a := range attempts {
		_, err := f.Exchange.SubmitMessage(t.Context(), ngo.caller(), a.id, a.raw)
		if r, ok := exchange.AsRefusal(err); !ok || r.Code != "basis" {
			t.Fatalf("want the refusal basis, got %v", err)
		}
	}
	if n, _ := f.refusals(); n != 20 {
		t.Errorf("%d leaves within the hour, want 20", n)
	}
	f.must(f.Clock.Forward(f.Clock.Now() + 2*hour))
	_, err := f.Bookkeep(t.Context())
	f.must(err)
	leaves, counted := f.refusals()
	if leaves != 21 || counted != tries {
		t.Errorf("%d leaves that count %d refusals, want 21 and %d", leaves, counted, tries)
	}
	for _, a := range []attempt{attempts[0], attempts[tries-1]} {
		_, err := f.Exchange.SubmitMessage(t.Context(), ngo.caller(), a.id, a.raw)
		if r, ok := exchange.AsRefusal(err); !ok || r.Code != "msg_spent" {
			t.Errorf("a refused id was not spent: %v", err)
		}
	}
	sound(t, f.Exchange.Store, f.World)
}

// refusals counts the leaves of refusals and what they stand for.
func (f *field) refusals() (leaves, counted int) {
	f.each(func(idx int64, meta *evidence.Meta, priv *evidence.Priv) {
		if meta.Ev != evidence.MessageRefused {
			return
		}
		var d evidence.RefusedData
		f.must(statement.Unmarshal(priv.Data, &d))
		leaves++
		counted += d.Count
	})
	return leaves, counted
}

// each reads every opening.
func (f *field) each(visit func(idx int64, meta *evidence.Meta, priv *evidence.Priv)) {
	f.must(f.Exchange.Store.Read(context.Background(), func(v exchange.View) error {
		return v.Openings(context.Background(), 0, func(idx int64, o evidence.Opening) error {
			meta, priv, err := o.Decode()
			if err == nil {
				visit(idx, meta, priv)
			}
			return err
		})
	}))
}

// TestErasureKeepsBreaches erases the complaint behind a missing reply. The
// breach stays on the list, the feeds keep their numbers, the ledger verifies,
// and derived tables rebuild to the same rows.
func TestErasureKeepsBreaches(t *testing.T) { onEach(t, testErasureKeepsBreaches) }

func testErasureKeepsBreaches(t *testing.T, e engine) {
	f := openField(t, e.place(t))
	swc, legal := f.office("swc-kraljevo", "legal")
	_, registry := f.office("hppo-kraljevo", "registry")
	sent, err := swc.Send(t.Context(), f.complaint(legal, registry))
	f.must(err)
	f.must(f.Clock.Forward(start + 20*day))
	before := f.missing(swc, legal)
	if !slices.Contains(before, "registration") {
		t.Fatalf("no missing reply to keep: %v", before)
	}
	_, err = f.Exchange.Erase(t.Context(), []int64{sent.Item.Idx}, "request")
	f.must(err)
	if after := f.missing(swc, legal); !slices.Equal(before, after) {
		t.Errorf("missing replies before the erasure %v, after it %v", before, after)
	}
	if _, err := swc.Read(t.Context(), legal, sent.Msg); err == nil {
		t.Error("the body of an erased message is still released")
	}
	items, err := swc.Feed(t.Context(), legal, 0)
	f.must(err)
	if items[0].Erased == nil || items[0].Idx != sent.Item.Idx {
		t.Error("the feed does not show that its first item was erased")
	}
	sound(t, f.Exchange.Store, f.World)
	if _, err := f.Exchange.Erase(t.Context(), []int64{sent.Item.Idx}, "request"); err == nil {
		t.Error("an opening was erased twice")
	}
}

// TestOnlyTheEraserDeletes: on PostgreSQL the role of the server deletes no
// opening, the eraser's deletes nothing else, and no role changes what is there,
// the administrator's only behind the triggers.
func TestOnlyTheEraserDeletes(t *testing.T) {
	e := engines[1]
	f := storied(t, e)
	db, err := sql.Open("postgres", f.Home.DSN()+"&search_path=odziv")
	f.must(err)
	defer db.Close()
	const one = "(SELECT min(idx) FROM opening)"
	for _, tt := range []struct{ role, statement, refused string }{
		{"odziv_api", "DELETE FROM opening WHERE idx = " + one, "permission denied"},
		{"odziv_api", "UPDATE opening SET meta = ''", "permission denied"},
		{"odziv_api", "UPDATE entry SET leaf = leaf", "permission denied"},
		{"odziv_api", "TRUNCATE entry", "permission denied"},
		{"odziv_api", "UPDATE head SET size = size - 1", "head"},
		{"odziv_eraser", "DELETE FROM entry", "permission denied"},
		{"odziv_eraser", "DELETE FROM checkpoint", "permission denied"},
		{"odziv_eraser", "UPDATE opening SET meta = ''", "permission denied"},
		{"odziv_audit", "DELETE FROM opening WHERE idx = " + one, "permission denied"},
		{"postgres", "DELETE FROM entry", "entry"},
		{"postgres", "UPDATE opening SET meta = ''", "opening"},
		{"postgres", "TRUNCATE checkpoint", "checkpoint"},
	} {
		tx, err := db.Begin()
		f.must(err)
		_, err = tx.Exec("SET LOCAL ROLE " + tt.role)
		f.must(err)
		if _, err := tx.Exec(tt.statement); err == nil || !strings.Contains(err.Error(), tt.refused) {
			t.Errorf("%s: %s: %v", tt.role, tt.statement, err)
		}
		f.must(tx.Rollback())
	}
	sound(t, f.Exchange.Store, f.World)
}

// missing lists the rules of a desk's missing replies, sorted.
func (f *field) missing(o *office.Office, desk string) []string {
	f.t.Helper()
	list, err := o.Missing(context.Background(), desk, false)
	f.must(err)
	var rules []string
	for _, d := range list {
		rules = append(rules, d.Rule)
	}
	slices.Sort(rules)
	return rules
}

// TestSilenceIsComputed compares two exchanges over thirty days, one of which
// never keeps books: every answer about what is overdue is the same.
func TestSilenceIsComputed(t *testing.T) {
	var answers [2][]string
	for i, books := range []bool{false, true} {
		f := openField(t, func(o *demo.Options) { o.Dir = memoryDir(t) })
		swc, legal := f.office("swc-kraljevo", "legal")
		_, registry := f.office("hppo-kraljevo", "registry")
		for range 2 {
			_, err := swc.Send(t.Context(), f.complaint(legal, registry))
			f.must(err)
		}
		for d := int64(1); d <= 30; d++ {
			f.must(f.Clock.Forward(start + d*day))
			if books {
				_, err := f.Bookkeep(t.Context())
				f.must(err)
			}
			list, err := swc.Duties(t.Context(), legal, false, true)
			f.must(err)
			for _, duty := range list {
				answers[i] = append(answers[i], duty.Rule+" "+string(duty.View.State), stringOf(duty.View.Overdue, duty.View.Missing, duty.View.DueSoon))
			}
		}
	}
	if !slices.Equal(answers[0], answers[1]) {
		t.Error("answers depend on the bookkeeper")
	}
	if !slices.Contains(answers[0], stringOf(true, true, false)) {
		t.Error("nothing ever became a missing reply: the test shows nothing")
	}
}

func stringOf(flags ...bool) string {
	s := ""
	for _, f := range flags {
		if f {
			s += "1"
		} else {
			s += "0"
		}
	}
	return s
}

// TestRebuild drops every derived table and derives it again: the rows are the
// same.
func TestRebuild(t *testing.T) { onEach(t, testRebuild) }

func testRebuild(t *testing.T, e engine) {
	f := storied(t, e)
	before := f.derived()
	f.must(exchange.Rebuild(t.Context(), f.Exchange.Store, f.Packs, nil))
	if after := f.derived(); !slices.Equal(before, after) {
		t.Errorf("%d rows before, %d after, and they differ", len(before), len(after))
	}
	if len(before) < 30 {
		t.Errorf("only %d derived rows: the test shows little", len(before))
	}
}

func (f *field) derived() []string {
	var rows []string
	f.must(f.Exchange.Store.Read(context.Background(), func(v exchange.View) error {
		return v.Derived(context.Background(), func(table, key, row string) error {
			rows = append(rows, table+"|"+key+"|"+row)
			return nil
		})
	}))
	return rows
}
