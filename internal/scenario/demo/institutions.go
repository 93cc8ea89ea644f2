package demo

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
)

//go:embed data/institutions.csv
var institutionsCSV []byte

// Institution is a line of the demonstration directory. Its names are public
// names of offices; there are no people in it.
type Institution struct {
	Code        string   `json:"code"` // such as swc-nis
	Type        string   `json:"type"` // as in the rule pack
	City        string   `json:"city"`
	NameEN      string   `json:"name_en"`
	NameSR      string   `json:"name_sr"` // Cyrillic
	Desks       []string `json:"desks"`   // functions
	EscalatesTo string   `json:"escalates_to,omitempty"`
}

// columns of the file, in order.
const columns = 7

// Institutions reads the demonstration directory: the seven cities of the field
// study, the national Center, two associations called A and B, and what stands
// above and beside them.
func Institutions() ([]Institution, error) {
	r := csv.NewReader(bytes.NewReader(institutionsCSV))
	r.FieldsPerRecord = columns
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("demo: institutions: %w", err)
	}
	list := make([]Institution, 0, len(rows))
	for _, r := range rows[1:] {
		list = append(list, Institution{Code: r[0], Type: r[1], City: r[2], NameEN: r[3], NameSR: r[4],
			Desks: strings.Split(r[5], ";"), EscalatesTo: r[6]})
	}
	return list, nil
}

// center has the desk that rules of several packs name by type, and hosts a
// delegate of the council.
const center = "center"

// closure lists the institutions named by codes, the center, and whom they
// escalate to, in the order of the demonstration directory. No code means all.
func closure(all []Institution, codes []string) ([]Institution, error) {
	if len(codes) == 0 {
		return all, nil
	}
	byCode := map[string]*Institution{}
	for i := range all {
		byCode[all[i].Code] = &all[i]
	}
	wanted := map[string]bool{}
	for _, code := range append([]string{center}, codes...) {
		if byCode[code] == nil {
			return nil, fmt.Errorf("demo: the demonstration directory has no institution %q", code)
		}
		for code != "" && !wanted[code] {
			wanted[code] = true
			code = byCode[code].EscalatesTo
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(i Institution) bool { return !wanted[i.Code] }), nil
}
