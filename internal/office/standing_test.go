package office_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/ledger"
)

// is wants a standing.
func is(t *testing.T, what string, got, want ledger.Standing) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %q, want %q", what, got, want)
	}
}

// An act is told apart by who vouches for it, from the answer to the kept proof:
// not confirmed, provisional, confirmed.
func TestStandingOfAnAct(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	dir := t.TempDir()
	p := w.at(w.A, 0, dir)
	p.ConfirmWithin = 50 * time.Millisecond
	check(t, p.Sync(t.Context()))
	sent, err := p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
	check(t, err)

	if _, err := p.Confirm(t.Context(), sent.Item); !errors.Is(err, office.ErrNotConfirmed) {
		t.Errorf("%v", err)
	}
	kept := func(want ledger.Standing) {
		t.Helper()
		list, err := p.Notebook.Kept()
		check(t, err)
		if len(list) != 1 || list[0].Idx != sent.Item.Idx || list[0].Standing != want {
			t.Errorf("kept %+v, want %q", list, want)
		}
	}
	kept(office.NotConfirmed)

	w.sleep("w1", "w2")
	w.step()
	check(t, p.Sync(t.Context()))
	kept(ledger.Provisional)
	c, err := p.Confirm(t.Context(), sent.Item)
	check(t, err)
	is(t, "the proof", c.Standing, ledger.Provisional)
	if c.Cosigned != 1 || c.Witnesses != 3 || filepath.Base(c.File) != "0.provisional.tlog-proof" {
		t.Errorf("%+v", c)
	}
	seen := func(want ledger.Standing) {
		t.Helper()
		letters, err := p.Letters(t.Context(), w.A.Desk)
		check(t, err)
		if len(letters) != 1 || letters[0].Standing != want || p.StandingOf(sent.Item.Idx) != want {
			t.Errorf("%+v, want %q", letters, want)
		}
	}
	seen(ledger.Provisional)
	file, v, err := p.Evidence(t.Context(), sent.Item)
	check(t, err)
	is(t, "the evidence file", v.Standing, ledger.Provisional)
	if len(file) == 0 {
		t.Error("a provisional evidence file is refused")
	}

	w.sleep()
	w.step()
	check(t, p.Sync(t.Context()))
	kept("")
	seen(ledger.Confirmed)
	c, err = p.Confirm(t.Context(), sent.Item)
	check(t, err)
	is(t, "the proof", c.Standing, ledger.Confirmed)
	if c.Cosigned < 2 || c.Witnesses != 3 || filepath.Base(c.File) != "0.tlog-proof" {
		t.Errorf("%+v", c)
	}
	if _, err := os.Stat(filepath.Join(dir, "proofs", "0.provisional.tlog-proof")); err == nil {
		t.Error("the provisional proof stayed")
	}
	for _, name := range []string{"0.opening.json", "0.tlog-proof"} {
		info, err := os.Stat(filepath.Join(dir, "proofs", name))
		check(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s %v", name, info.Mode())
		}
	}
	// Another run of the program knows the same.
	again := w.at(w.A, 0, dir)
	if got := again.StandingOf(sent.Item.Idx); got != ledger.Confirmed {
		t.Errorf("the next run says %q", got)
	}
}

// Where nobody is asked, everything says so, also what was recorded before
// somebody was.
func TestStandingUnwitnessed(t *testing.T) {
	w := watch(t)
	p := w.at(w.A, 0, "")
	sent, err := p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
	check(t, err)
	w.step()
	c, err := p.Confirm(t.Context(), sent.Item)
	check(t, err)
	is(t, "the proof", c.Standing, ledger.Unwitnessed)
	check(t, p.Sync(t.Context()))
	state := p.Watch()
	is(t, "the directory", state.Directory.Standing, ledger.Unwitnessed)
	is(t, "the record", state.Record.Standing, ledger.Unwitnessed)
	is(t, "the desk", p.DeskStanding(w.B.Desk), ledger.Unwitnessed)
	if state.Late || state.Stale || state.Directory.Confirmed != state.Directory.Entries || state.Directory.Until != 0 {
		t.Errorf("%+v", state)
	}

	// A policy that nobody confirmed makes nothing confirmed, and nothing
	// unwatched any more.
	w.sleep("w1", "w2", "w3")
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	between, err := p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
	check(t, err)
	w.step()
	c, err = p.Confirm(t.Context(), between.Item)
	check(t, err)
	is(t, "the proof of between", c.Standing, ledger.Provisional)
	is(t, "the desk", p.DeskStanding(w.B.Desk), ledger.Unwitnessed)

	w.sleep()
	w.step()
	later, err := p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
	check(t, err)
	w.step()
	check(t, p.Sync(t.Context()))
	c, err = p.Confirm(t.Context(), later.Item)
	check(t, err)
	is(t, "the later proof", c.Standing, ledger.Confirmed)
	c, err = p.Confirm(t.Context(), sent.Item)
	check(t, err)
	is(t, "the proof of before", c.Standing, ledger.Unwitnessed)
	// The tree that was confirmed later holds the entry all the same.
	letters, err := p.Letters(t.Context(), w.A.Desk)
	check(t, err)
	for _, l := range letters {
		is(t, "a letter", l.Standing, ledger.Confirmed)
	}
}

// Freshness is measured by the witnesses' own times, and blocks nothing: after
// fifteen minutes it is said, after a day it is written into every message.
func TestFreshness(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	confirmed := w.Clock.Now() / 1000 * 1000
	p, reader := w.at(w.A, 0, ""), w.at(w.B, 0, "")
	check(t, p.Sync(t.Context()))
	if got := p.Watch(); got.Directory.Until != confirmed || got.Record.Until != confirmed {
		t.Errorf("vouched until %+v, want %d", got, confirmed)
	}
	w.sleep("w1", "w2")
	for _, tt := range []struct {
		after       time.Duration
		late, stale bool
	}{
		{14 * time.Minute, false, false},
		{16 * time.Minute, true, false},
		{23 * time.Hour, true, false},
		{25 * time.Hour, true, true},
	} {
		w.Clock.Advance(time.Duration(confirmed-w.Clock.Now())*time.Millisecond + tt.after)
		w.step()
		check(t, p.Sync(t.Context()))
		state := p.Watch()
		if state.Late != tt.late || state.Stale != tt.stale {
			t.Errorf("after %v: %+v", tt.after, state)
		}
		is(t, "the directory", state.Directory.Standing, ledger.Confirmed) // it did not grow
		sent, err := p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
		check(t, err)
		if cautioned := hasCaution(sent.Cautions, office.CautionStaleDirectory); cautioned != tt.stale {
			t.Errorf("after %v: cautions %v", tt.after, sent.Cautions)
		}
		w.step()
		opened, err := reader.Read(t.Context(), w.B.Desk, sent.Msg)
		check(t, err)
		if opened.Sender.StaleDirectory != tt.stale || opened.Letter.Standing != ledger.Provisional {
			t.Errorf("after %v: read %+v %+v", tt.after, opened.Sender, opened.Letter)
		}
	}
	w.sleep()
	w.Clock.Advance(5 * time.Minute) // then what did not grow is cosigned again
	w.step()
	check(t, p.Sync(t.Context()))
	if state := p.Watch(); state.Late || state.Stale || state.Record.Standing != ledger.Confirmed {
		t.Errorf("witnesses are back: %+v", state)
	}
}

func hasCaution(list []office.Caution, code string) bool {
	for _, c := range list {
		if c.Code == code {
			return true
		}
	}
	return false
}

// A quiet exchange is as fresh as its last refresh: witnesses cosign it again.
func TestFreshnessOfAQuietExchange(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	p := w.at(w.A, 0, "")
	for range 5 {
		w.Clock.Advance(6 * time.Minute)
		w.step()
		check(t, p.Sync(t.Context()))
		if state := p.Watch(); state.Late {
			t.Errorf("%d minutes after the witnesses cosigned: %+v", (w.Clock.Now()-state.Directory.Until)/60_000, state)
		}
	}
}

// Who serves old checkpoints must not say how old they are: the exchange's clock
// makes them no fresher, nor does one witness whose clock is ahead.
func TestFreshnessIsNotTheExchangesToSay(t *testing.T) {
	w := watch(t)
	w.policy(w.group(2, "w1", "w2", "w3"))
	w.step()
	p := w.at(w.A, 0, "")
	check(t, p.Sync(t.Context()))
	var frozen [2][]byte
	for i, path := range []string{"/dir/checkpoint", "/ev/checkpoint"} {
		p.net.set(answer(path, func(b []byte) []byte { frozen[i] = b; return b }))
		check(t, p.Sync(t.Context()))
	}
	w.Clock.Advance(20 * time.Minute)
	w.step()
	p.net.set(func(path string, body []byte) []byte {
		switch path {
		case "/dir/checkpoint":
			c, err := ledger.ParseCheckpoint(body, w.signers[ledger.Dir].Verifier())
			if err != nil {
				panic(err)
			}
			return append(append([]byte{}, frozen[0]...), w.keys["w4"].Cosign(c, w.Clock.Now())...)
		case "/ev/checkpoint":
			return frozen[1]
		}
		return body
	})
	check(t, p.Sync(t.Context()))
	if state := p.Watch(); !state.Late {
		t.Errorf("checkpoints of twenty minutes ago pass as fresh: %+v", state)
	}
	p.net.set(nil)
	check(t, p.Sync(t.Context()))
	if state := p.Watch(); state.Late {
		t.Errorf("%+v", state)
	}
}

// A caller who gives up gets her own error, not a verdict on the exchange.
func TestConfirmGivenUp(t *testing.T) {
	w := watch(t)
	p := w.at(w.A, 0, "")
	sent, err := p.Send(t.Context(), complaint(w.A.Desk, w.B.Desk))
	check(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := p.Confirm(ctx, sent.Item); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
