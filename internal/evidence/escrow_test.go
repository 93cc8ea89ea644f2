package evidence

import (
	"bytes"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
)

func wholeAsk() (statement.Head, EscrowAsk) {
	h := headOf(EscrowRequested)
	h.Case = ""
	return h, EscrowAsk{Desk: h.By.Desk, Epochs: []int64{2, 5}, Officer: id(statement.Officer), Purpose: PurposeRecovery}
}

func TestParseEscrowRequest(t *testing.T) {
	many := func(n int) []int64 {
		var list []int64
		for e := range int64(n) {
			list = append(list, e+1)
		}
		return list
	}
	for name, tt := range map[string]struct {
		want   string
		change func(*EscrowRequest)
	}{
		"whole":               {"", func(*EscrowRequest) {}},
		"a rehearsal":         {"", func(r *EscrowRequest) { r.Purpose = PurposeRehearsal }},
		"64 epochs":           {"", func(r *EscrowRequest) { r.Epochs = many(64) }},
		"65 epochs":           {"epochs: ", func(r *EscrowRequest) { r.Epochs = many(65) }},
		"no epoch":            {"epochs: ", func(r *EscrowRequest) { r.Epochs = []int64{} }},
		"epoch 0":             {"epochs: ", func(r *EscrowRequest) { r.Epochs[0] = 0 }},
		"epochs that descend": {"epochs: ", func(r *EscrowRequest) { r.Epochs[0] = 6 }},
		"an epoch twice":      {"epochs: ", func(r *EscrowRequest) { r.Epochs[0] = 5 }},
		"another desk":        {"desk: ", func(r *EscrowRequest) { r.Desk = statement.FormatID("d", bytes.Repeat([]byte{7}, 16)) }},
		"no officer":          {"officer: ", func(r *EscrowRequest) { r.Officer = "" }},
		"another purpose":     {"purpose: ", func(r *EscrowRequest) { r.Purpose = "curiosity" }},
		"no reason":           {"reason: ", func(r *EscrowRequest) { r.Reason = "" }},
		"prose":               {"reason: ", func(r *EscrowRequest) { r.Reason = "the office burned" }},
		"a case":              {"case: ", func(r *EscrowRequest) { r.Case = id(statement.Case) }},
		"the head is checked": {"pack: ", func(r *EscrowRequest) { r.Pack = "" }},
		"the event's name":    {"ev: ", func(r *EscrowRequest) { r.Ev = EscrowRefused }},
	} {
		h, ask := wholeAsk()
		r := EscrowRequest{Head: h, EscrowAsk: ask, Reason: "keys-lost"}
		tt.change(&r)
		_, err := ParseEscrowRequest(wrap(t, EscrowRequested, r))
		expect(t, name, err, tt.want)
	}
}

func TestParseEscrowRefusal(t *testing.T) {
	h, ask := wholeAsk()
	h.Ev = EscrowRefused
	r := EscrowRefusal{Head: h, EscrowAsk: ask, Reason: "nobody-told-me"}
	_, err := ParseEscrowRefusal(wrap(t, EscrowRefused, r))
	expect(t, "whole", err, "")
	r.Reason = ""
	_, err = ParseEscrowRefusal(wrap(t, EscrowRefused, r))
	expect(t, "no reason", err, "reason: ")
	_, err = ParseEscrowRequest(wrap(t, EscrowRefused, r))
	expect(t, "as a request", err, "payload type")
}

func TestParseEscrowReport(t *testing.T) {
	for name, tt := range map[string]struct {
		want   string
		change func(*EscrowReport)
	}{
		"matched":        {"", func(*EscrowReport) {}},
		"failed":         {"", func(o *EscrowReport) { o.Outcome = OutcomeFailed }},
		"leaf 0":         {"", func(o *EscrowReport) { o.Release = 0 }},
		"neither":        {"outcome: ", func(o *EscrowReport) { o.Outcome = "fine" }},
		"no leaf":        {"release: ", func(o *EscrowReport) { o.Release = -1 }},
		"no such person": {"officer: ", func(o *EscrowReport) { o.Officer = "u_" }},
	} {
		h, ask := wholeAsk()
		h.Ev = EscrowOpened
		o := EscrowReport{Head: h, EscrowAsk: ask, Outcome: OutcomeMatched, Release: 17}
		tt.change(&o)
		_, err := ParseEscrowReport(wrap(t, EscrowOpened, o))
		expect(t, name, err, tt.want)
	}
}

func TestReleasedData(t *testing.T) {
	key := func(b string) string { return "ed25519:" + strings.Repeat(b, 32) }
	for name, tt := range map[string]struct {
		want   string
		change func(*ReleasedData)
	}{
		"whole":                  {"", func(*ReleasedData) {}},
		"nobody asked":           {"requests, files", func(r *ReleasedData) { r.Requests = nil }},
		"six asked":              {"requests, files", func(r *ReleasedData) { r.Requests = make([]ReleaseAsk, 6) }},
		"no file for an epoch":   {"requests, files", func(r *ReleasedData) { r.Files = r.Files[:1] }},
		"for ever":               {"requests, files", func(r *ReleasedData) { r.Until = 0 }},
		"one custodian twice":    {"requests: ", func(r *ReleasedData) { r.Requests[1].Key = key("0a") }},
		"out of order":           {"requests: ", func(r *ReleasedData) { r.Requests[1].Idx = 3 }},
		"no key":                 {"requests: ", func(r *ReleasedData) { r.Requests[1].Key = "" }},
		"file of another epoch":  {"files: ", func(r *ReleasedData) { r.Files[0].E = 3 }},
		"file without a digest":  {"files: ", func(r *ReleasedData) { r.Files[0].SHA256 = "" }},
		"file of nobody":         {"files: ", func(r *ReleasedData) { r.Files[0].Cust = nil }},
		"file of more than them": {"files: ", func(r *ReleasedData) { r.Files[0].Cust = []int{0, 1, 2} }},
		"desk":                   {"desk: ", func(r *ReleasedData) { r.Desk = "" }},
	} {
		_, ask := wholeAsk()
		r := ReleasedData{EscrowAsk: ask, Until: 1, Requests: []ReleaseAsk{{Idx: 3, Key: key("0a")}, {Idx: 5, Key: key("0b")}},
			Files: []ReleasedFile{{Cust: []int{0, 2}, E: 2, SHA256: strings.Repeat("0a", 32)}, {Cust: []int{0, 2}, E: 5, SHA256: strings.Repeat("0b", 32)}}}
		tt.change(&r)
		expect(t, name, r.Check(), tt.want)
	}
}

func TestEscrowAsksAreEqual(t *testing.T) {
	_, a := wholeAsk()
	_, b := wholeAsk()
	if !a.Equal(&b) {
		t.Error("equal asks differ")
	}
	for name, change := range map[string]func(*EscrowAsk){
		"desk": func(a *EscrowAsk) { a.Desk = "" }, "officer": func(a *EscrowAsk) { a.Officer = "" },
		"purpose": func(a *EscrowAsk) { a.Purpose = PurposeRehearsal }, "epochs": func(a *EscrowAsk) { a.Epochs = a.Epochs[:1] },
	} {
		_, b := wholeAsk()
		change(&b)
		if a.Equal(&b) {
			t.Errorf("asks with another %s are taken together", name)
		}
	}
}
