package proving

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// start is when the stories of these tests begin: a Monday morning.
var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).UnixMilli()

// rounds scales the number of tries of a test.
func rounds(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("ODZIV_ROUNDS"), 64); err == nil && f > 0 {
		return max(1, int(float64(n)*f))
	}
	return n
}

// field is a world with a log that can be searched.
type field struct {
	*demo.World
	t    testing.TB
	log  *buffer
	head messaging.DirHead // of the directory when the world was open
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.b.Bytes())
}

// openField builds a world with a center for social welfare, a prosecutor's
// office, police and an association.
func openField(t *testing.T, change func(*demo.Options)) *field {
	t.Helper()
	log := &buffer{}
	opts := demo.Options{Dir: t.TempDir(), Clock: demo.NewClock(start), Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Codes: []string{"swc-kraljevo", "hppo-kraljevo", "police-kraljevo", "ngo-a", "nes-nis"}}
	if change != nil {
		change(&opts)
	}
	w, err := demo.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	f := &field{World: w, t: t, log: log}
	f.head = f.dirHead()
	return f
}

// memoryDir is a folder in memory where the machine has one: for tests whose
// subject is order, not durability.
func memoryDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "odziv-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// office opens the program of a desk's first officer.
func (f *field) office(code, fn string) (*office.Office, string) {
	f.t.Helper()
	m, ok := f.Member(code)
	if !ok {
		f.t.Fatalf("no institution %s", code)
	}
	d, ok := m.Desk(fn)
	if !ok {
		f.t.Fatalf("%s has no desk %s", code, fn)
	}
	o, err := d.Office(context.Background())
	if err != nil {
		f.t.Fatal(err)
	}
	return o, d.ID
}

// complaint is a draft from a social welfare center to a prosecutor's office.
func (f *field) complaint(from, to string) office.Draft {
	return office.Draft{Desk: from, Family: "rs-a", Kind: "complaint", To: []string{to}, Subj: []string{statement.NewID(statement.Person)},
		Basis: messaging.Basis{Code: "legal-obligation", Purpose: "procedure"}, Cats: []string{"identity"},
		Facts: map[string]string{"complainant": "institution"},
		Text:  envelope.Text{Subject: "subject", Body: "body", Fields: map[string]string{"facts-of-case": "facts", "indicators": "none", "age": "adult", "role": "authority"}}}
}

func (f *field) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatalf("%v\n%s", err, tail(f.log.Bytes(), 3000))
	}
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// sound fails the test unless fsck finds nothing.
func sound(t *testing.T, store exchange.Store, packs *demo.World) {
	t.Helper()
	scratch, err := sqlstore.Create(context.Background(), "sqlite:"+filepath.Join(t.TempDir(), "scratch.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer scratch.Close()
	found, err := exchange.Check(context.Background(), store, scratch, packs.Packs, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range found {
		t.Errorf("fsck: %s", x)
	}
}
