package obligation_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odziv/odziv/messaging/obligation"
	"pgregory.net/rapid"
)

// second runs the verifier that was written from FORMAT.md alone.
func second(t *testing.T, dir string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal("python3 is not installed: apt-get install python3 tzdata, or run ./test.sh as root")
	}
	if err := exec.Command(python, "-c", "import sys, zoneinfo; assert sys.version_info >= (3, 11); zoneinfo.ZoneInfo('Europe/Belgrade')").Run(); err != nil {
		t.Fatal("python3 is older than 3.11 or has no time zones: apt-get install python3 tzdata")
	}
	out, err := exec.Command(python, filepath.Join("testdata", "second.py"), dir).CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "lines agree") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestSecondVerifierAgrees(t *testing.T) { second(t, "testdata") }

// Stories that nobody thought of, told to both.
func TestSecondVerifierAgreesOnRandomStories(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"world.json", "calendar.txt"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "fold"), 0o700); err != nil {
		t.Fatal(err)
	}
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		s := newStory(t, rt, "1", "2")
		var b strings.Builder
		for range 40 {
			b.WriteString(toJSON(t, s.line()) + "\n")
		}
		b.WriteString(toJSON(t, viewLine(s.ledger, s.now)) + "\n" + toJSON(t, viewLine(s.ledger, s.now+40*86_400_000)) + "\n")
		n++
		if err := os.WriteFile(filepath.Join(dir, "fold", toJSON(t, n)+".jsonl"), []byte(b.String()), 0o600); err != nil {
			rt.Fatal(err)
		}
	})
	second(t, dir)
}

// line draws one event of a story and writes it as a vector does.
func (s *story) line() vectorLine {
	s.now += int64(rapid.SampledFrom([]int{0, 1000, 1000, 3_600_000, 3_600_000, 86_400_000, 10 * 86_400_000}).Draw(s.rt, "later"))
	ev, name := s.draw()
	ev, ch, err := s.try(ev)
	var refused *obligation.ActError
	switch {
	case errors.As(err, &refused):
		s.idx++
		return vectorLine{Event: &ev, Refused: refused.Reason}
	case err != nil:
		s.rt.Fatal(err)
	}
	s.record(ev, ch)
	if name != "" {
		s.msgs = append(s.msgs, name)
	}
	return vectorLine{Event: &ev, Opens: ch.Opens, Moves: moveLines(ch)}
}
