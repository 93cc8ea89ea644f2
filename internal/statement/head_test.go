package statement

import (
	"strings"
	"testing"
)

func head() Head {
	return Head{
		At: 1772442000000, DirN: 412, Ev: "consent.given", Pack: "rs-a@1", V: 1,
		ID:   "k_z4vmatgqcwohptmwdrs3s7ijc4",
		Case: "c_fns2nlaj7l3w4qu32abs6lfloy",
		By: By{
			Desk: "d_l5cowwhoax626ecxo2un7vzqwu", Inst: "i_rooefvdqc76v4aa4ktvk2uhrku",
			Key: "ed25519:2f3da5a49159e8750fea18c16eaf27034ec27ca1ed226140c181338c52fb18bf",
		},
	}
}

func TestHeadCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		want   string
		change func(*Head)
	}{
		"whole":                  {"", func(*Head) {}},
		"without a case":         {"", func(h *Head) { h.Case = "" }},
		"occurred at that time":  {"", func(h *Head) { h.Occurred = h.At }},
		"first directory leaf":   {"", func(h *Head) { h.DirN = 0 }},
		"version 0":              {"v: ", func(h *Head) { h.V = 0 }},
		"version 2":              {"v: ", func(h *Head) { h.V = 2 }},
		"no desk":                {"by.desk: ", func(h *Head) { h.By.Desk = "" }},
		"institution for a desk": {"by.desk: ", func(h *Head) { h.By.Desk = h.By.Inst }},
		"desk for institution":   {"by.inst: ", func(h *Head) { h.By.Inst = h.By.Desk }},
		"no key":                 {"by.key: ", func(h *Head) { h.By.Key = "ed25519:" }},
		"other id":               {"id: ", func(h *Head) { h.ID = h.Case }},
		"no id":                  {"id: ", func(h *Head) { h.ID = "" }},
		"other case":             {"case: ", func(h *Head) { h.Case = h.ID }},
		"no time":                {"out of range", func(h *Head) { h.At = 0 }},
		"time before 1970":       {"out of range", func(h *Head) { h.At = -1 }},
		"directory below zero":   {"out of range", func(h *Head) { h.DirN = -1 }},
		"occurred later":         {"out of range", func(h *Head) { h.Occurred = h.At + 1 }},
		"occurred before 1970":   {"out of range", func(h *Head) { h.Occurred = -1 }},
		"no pack":                {"pack: ", func(h *Head) { h.Pack = "" }},
		"pack without version":   {"pack: ", func(h *Head) { h.Pack = "rs-a" }},
	} {
		h := head()
		tt.change(&h)
		err := h.Check(Consent, Other)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
