package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
)

// room is a rehearsal with three council keys, two delegates and the keys of the
// logs on the table.
func room(t *testing.T) *story {
	s := newStory(t)
	for _, who := range []string{"c1", "c2", "c3"} {
		s.enrolls(who, "--as", "council")
	}
	for _, who := range []string{"d1", "d2"} {
		s.enrolls(who, "--as", "delegate")
	}
	logs := s.runs("", "odzivd", "init", "--dir", "server", "--host", "exchange.example", "--authority", s.address, "--json")
	if err := os.WriteFile(filepath.Join(s.dir, "logs.json"), []byte(logs), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// A ceremony that is interrupted at any question goes on where it was, and ends
// in the same genesis.
func TestCeremonyInterrupted(t *testing.T) {
	s := room(t)
	answers := []string{"Rehearsal", "3", "2", "c1/key.json", "yes", "c2/key.json", "yes", "c3/key.json", "yes", "logs.json", "", "yes", "2",
		"d1/key.json", "yes", "d2/key.json", "yes", "yes"}
	done := 0
	for runs := 0; done < len(answers); runs++ {
		if runs > len(answers) {
			t.Fatalf("no further than answer %d: it is not kept", done)
		}
		// What was answered and kept so far is not asked again.
		screen, code := s.tries("clerk", append(answers[done:done+1:done+1], interrupt)[:min(2, len(answers)-done)], "ceremony", "genesis")
		if done+1 == len(answers) {
			if code != 0 {
				t.Fatalf("the last answer: exit code %d\n%s", code, screen)
			}
			break
		}
		if code != 1 || !strings.Contains(screen, "odziv: error: interrupted") || !strings.Contains(screen, "odziv: hint: nothing was lost, run the same command again") {
			t.Fatalf("after %d answers: exit code %d\n%s", done, code, screen)
		}
		if now := s.kept(); now < done {
			t.Fatalf("%d answers were kept, %d are now:\n%s", done, now, screen)
		} else {
			done = now
		}
		if isFile(filepath.Join(s.dir, "ceremony", "genesis.json")) {
			t.Fatal("a genesis of half the answers")
		}
		// The question that was interrupted is asked again with the answer before
		// it, where the two belong together.
		if next := s.pair(answers, done); next > done+1 {
			if screen, code := s.tries("clerk", append(answers[done:next:next], interrupt), "ceremony", "genesis"); code != 1 {
				t.Fatalf("exit code %d\n%s", code, screen)
			}
			if kept := s.kept(); kept < next {
				t.Fatalf("%d answers kept of %d", kept, next)
			} else {
				done = kept
			}
		}
	}
	for _, who := range []string{"c1", "c2", "c3"} {
		s.sees(who, yes(2), "ceremony", "sign", "ceremony/genesis.json")
	}
	s.runs("", "odzivd", "init", "--dir", "server", "--genesis", "ceremony/genesis.json")
}

// kept is how many of the answers of [TestCeremonyInterrupted] are kept.
func (s *story) kept() int {
	var p ceremony.Plan
	if err := cli.ReadJSON(filepath.Join(s.dir, "ceremony", ceremonyFile), maxPlan, &p); err != nil {
		return 0
	}
	switch {
	case p.Seats > 0:
		return 13 + 2*len(p.Delegates)
	case p.Watched:
		return 12
	case p.Logs.Dir != "":
		return 10
	case p.K > 0:
		return 3 + 2*len(p.Council)
	case p.Name != "":
		return 1
	}
	return 0
}

// pair is the end of the answers that are kept together from done on.
func (s *story) pair(answers []string, done int) int {
	switch {
	case done == 1, done == 10:
		return done + 2
	case done >= 3 && done < 9, done >= 13 && done < 17:
		return done + 2
	}
	return done + 1
}

// Whoever answers no signs nothing, whatever the question.
func TestNoSignsNothing(t *testing.T) {
	s := room(t)
	screen, code := s.tries("clerk", []string{"Rehearsal", "1", "1", "c1/key.json", "no", "d1/key.json", "c2/key.json", "maybe", "yes", "logs.json", "", "no"}, "ceremony", "genesis")
	for _, want := range []string{"The key was not taken. the file was mixed up or exchanged", "this is a key of a delegate, not of a council", "Neither yes nor no was typed.",
		"odziv: error: you answered no: nothing was signed", "odziv: hint: bring the keys of the witnesses and run the same command again: all other answers are kept"} {
		if !strings.Contains(screen, want) {
			t.Errorf("no %q", want)
		}
	}
	if code != cli.Refused {
		t.Errorf("exit code %d\n%s", code, screen)
	}
	screen, _ = s.tries("clerk", []string{"", "yes", "2", "d1/key.json", "yes", "c2/key.json", "d1/key.json", "d2/key.json", "yes", "no"}, "ceremony", "genesis")
	for _, want := range []string{"Going on where the ceremony was interrupted: 1 of 1 council keys, 0 delegates.", "this is a key of a council, not of a delegate", "this key has a seat already", "nothing was signed"} {
		if !strings.Contains(screen, want) {
			t.Errorf("no %q in\n%s", want, screen)
		}
	}
	s.sees("clerk", yes(1), "ceremony", "genesis")
	before, err := os.ReadFile(filepath.Join(s.dir, "ceremony", "genesis.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, answers := range [][]string{{"no"}, {"yes", "no"}, {interrupt}, {"yes", interrupt}} {
		if screen, code := s.tries("c2", answers, "ceremony", "sign", "ceremony/genesis.json"); code == 0 {
			t.Errorf("%q:\n%s", answers, screen)
		}
	}
	if after, err := os.ReadFile(filepath.Join(s.dir, "ceremony", "genesis.json")); err != nil || string(after) != string(before) {
		t.Errorf("%v: the genesis changed though nobody signed", err)
	}
	s.sees("c2", yes(2), "ceremony", "sign", "ceremony/genesis.json")
}

// What a signature could no longer help is refused before it is made.
func TestSignable(t *testing.T) {
	const now = 1_800_000_000_000
	sound := told{May: true, Since: now - 1000, redo: "odziv x"}
	for name, c := range map[string]struct {
		change func(*told)
		want   string
	}{
		"fresh":        {func(*told) {}, ""},
		"six days old": {func(a *told) { a.Since = now - ceremony.Term + 1 }, ""},
		"eight days":   {func(a *told) { a.Since = now - ceremony.Term - 1 }, "it was prepared more than seven days ago"},
		"mine":         {func(a *told) { a.Mine = true }, "you signed this already"},
		"moved":        {func(a *told) { a.Ended = "another came first" }, "another came first"},
		"complete":     {func(a *told) { a.Complete = true }, "it has all the signatures it needs"},
		"another's":    {func(a *told) { a.May = false; a.Missing = []string{"1 more of 2"} }, "your key is none of those who sign this: 1 more of 2"},
	} {
		a := sound
		c.change(&a)
		err := a.signable(now)
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
