package server

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/odziv/odziv/ledger"
)

// A missing quorum is said after a quarter of an hour and louder after four
// hours, each once, and that it is back.
func TestQuorumLostIsSaid(t *testing.T) {
	var log bytes.Buffer
	w := newWatching(nil, slog.New(slog.NewTextHandler(&log, nil)))
	lost, held := ledger.Published{Size: 3}, ledger.Published{Size: 3, Quorum: true}
	const minute = 60_000
	for _, step := range []struct {
		last ledger.Published
		at   int64
		said string
	}{
		{ledger.Nothing(), 0, ""},
		{held, 0, ""},
		{lost, minute, ""},
		{lost, 15 * minute, ""},
		{lost, 16 * minute, "15 minutes"},
		{lost, 17 * minute, ""},
		{lost, 240 * minute, ""},
		{lost, 241 * minute, "4 hours"},
		{lost, 600 * minute, ""},
		{held, 601 * minute, "is back"},
		{held, 602 * minute, ""},
		{lost, 603 * minute, ""},
		{held, 604 * minute, ""},
		{lost, 700 * minute, ""},
		{lost, 1200 * minute, "4 hours"},
	} {
		log.Reset()
		w.note(ledger.Ev, nil, step.last, step.at)
		if got := log.String(); (step.said == "") != (got == "") || !strings.Contains(got, step.said) {
			t.Errorf("minute %d: %q, want %q", step.at/minute, got, step.said)
		}
	}
}

// A witness that contradicts is named once, again when it says something else,
// and when it contradicts no more.
func TestDoubtsAreSaid(t *testing.T) {
	var log bytes.Buffer
	w := newWatching(nil, slog.New(slog.NewTextHandler(&log, nil)))
	for i, step := range []struct {
		doubts map[string]error
		said   []string
	}{
		{nil, nil},
		{map[string]error{"a": errors.New("one")}, []string{"CONTRADICTS"}},
		{map[string]error{"a": errors.New("one")}, nil},
		{map[string]error{"a": errors.New("two"), "b": errors.New("one")}, []string{"two", "witness=b"}},
		{map[string]error{"b": errors.New("one")}, []string{"contradicts no more"}},
		{nil, []string{"contradicts no more"}},
	} {
		log.Reset()
		w.note(ledger.Dir, step.doubts, ledger.Nothing(), 0)
		if lines := strings.Count(log.String(), "\n"); lines != len(step.said) {
			t.Errorf("step %d: %s", i, &log)
		}
		for _, want := range step.said {
			if !strings.Contains(log.String(), want) {
				t.Errorf("step %d: %s lacks %q", i, &log, want)
			}
		}
	}
}

// A policy that makes no sense confirms nothing.
func TestUnmetPolicy(t *testing.T) {
	p := unmet()
	if p.None() || p.Met(map[string]bool{}) || p.Standing([]byte("x")) == ledger.Confirmed {
		t.Error("met")
	}
}

// A witness that does not answer is said once after a minute, with the reason,
// and that it is back.
func TestSilentWitnessIsSaid(t *testing.T) {
	var log bytes.Buffer
	w := newWatching(nil, slog.New(slog.NewTextHandler(&log, nil)))
	refused := errors.New("connection refused")
	for i, step := range []struct {
		err  error
		at   int64
		said string
	}{
		{refused, 0, ""}, {nil, 1_000, ""}, {refused, 2_000, ""}, {refused, 61_000, ""}, {refused, 62_000, "connection refused"},
		{refused, 900_000, ""}, {nil, 901_000, "cosigns again"}, {nil, 902_000, ""},
	} {
		log.Reset()
		w.noteAnswer("a", "host/ev", step.err, step.at)
		if got := log.String(); (got == "") != (step.said == "") || !strings.Contains(got, step.said) {
			t.Errorf("step %d: %q, want %q", i, got, step.said)
		}
	}
}
