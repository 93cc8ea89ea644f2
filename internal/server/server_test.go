package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// What keeps the books or sweeps may fail, on a full disk or under a clock that
// jumped: it says so and tries again, and the server goes on answering.
func TestTryingGoesOn(t *testing.T) {
	var log bytes.Buffer
	cfg := &Config{Log: slog.New(slog.NewTextHandler(&log, nil))}
	ctx, stop := context.WithCancel(t.Context())
	calls := 0
	err := cfg.trying("bookkeeper", time.Microsecond, func(context.Context) error {
		if calls++; calls == 3 {
			stop()
		}
		return errors.New("no room")
	})(ctx)
	if err != nil || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
	if n := strings.Count(log.String(), "part=bookkeeper"); n != 2 { // the third failed because it was stopped
		t.Errorf("logged %d times: %s", n, &log)
	}
}

// Every stops when its work fails for good, and does nothing without a period.
func TestEvery(t *testing.T) {
	cfg := &Config{}
	broken := errors.New("broken")
	calls := 0
	err := cfg.every(time.Microsecond, func(context.Context) error {
		if calls++; calls == 2 {
			return broken
		}
		return nil
	})(t.Context())
	if !errors.Is(err, broken) || calls != 2 {
		t.Errorf("%d calls, %v", calls, err)
	}
	if err := cfg.every(0, func(context.Context) error { return broken })(t.Context()); err != nil {
		t.Errorf("without a period: %v", err)
	}
}
