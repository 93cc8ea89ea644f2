package scenario

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
)

func packs(t testing.TB) *rules.Set {
	t.Helper()
	set, err := server.Packs()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// shippedFile reads one scenario of the program.
func shippedFile(t testing.TB, name string) *File {
	t.Helper()
	data, err := shipped.ReadFile("files/" + name + ".toml")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse(name+".toml", data, packs(t))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func play(t testing.TB, opts Options, files ...*File) (*demo.World, *Result, error) {
	t.Helper()
	w, r, err := Play(context.Background(), files, opts)
	if w != nil {
		t.Cleanup(func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return w, r, err
}

func testScenario(t *testing.T, name string) {
	_, r, err := play(t, Options{Bookkeeper: true}, shippedFile(t, name))
	var failed *Failed
	if errors.As(err, &failed) || err != nil {
		t.Fatal(err)
	}
	if os.Getenv("STORY") != "" {
		var b strings.Builder
		Tell(&b, r, "en")
		t.Log("\n" + b.String())
	}
}

func TestS01(t *testing.T) { testScenario(t, "s01") }
func TestS02(t *testing.T) { testScenario(t, "s02") }
func TestS05(t *testing.T) { testScenario(t, "s05") }
func TestS11(t *testing.T) { testScenario(t, "s11") }
func TestS18(t *testing.T) { testScenario(t, "s18") }
