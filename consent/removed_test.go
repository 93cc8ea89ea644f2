package consent

import (
	"reflect"
	"testing"
)

func TestRemoved(t *testing.T) {
	v1 := with(given(), func(s *Statement) { s.To = []string{ngo1.Inst, nesA.Inst, policA.Desk} })
	ver := func(s *Statement) *Version { v := Recorded(s, 1, s.At); return &v }
	narrow := func(to ...string) *Version { return ver(follow(v1, Narrowed, func(s *Statement) { s.To = to })) }
	bare := Party{Desk: nesA.Desk, Type: nesA.Type}
	instOf := func(string) string { return nesA.Inst }
	all := []Party{policA, ngo1, nesA}
	for _, c := range []struct {
		name      string
		prev      *Version
		next      *Version
		instOf    func(string) string
		disclosed []Party
		want      []Party
	}{
		{"one institution", ver(v1), narrow(ngo1.Inst, policA.Desk), nil, all, []Party{nesA}},
		{"one desk", ver(v1), narrow(ngo1.Inst, nesA.Inst), nil, all, []Party{policA}},
		{"withdrawn", ver(v1), ver(follow(v1, Withdrawn, nil)), nil, all, all},
		{"revoked", ver(v1), ver(follow(v1, Revoked, nil)), nil, all, all},
		{"invalidated", ver(v1), ver(follow(v1, Invalidated, nil)), nil, all, all},
		{"renewed", ver(v1), ver(follow(v1, Renewed, nil)), nil, all, nil},
		{"nothing disclosed", ver(v1), ver(follow(v1, Withdrawn, nil)), nil, nil, nil},
		{"disclosed twice", ver(v1), ver(follow(v1, Withdrawn, nil)), nil, []Party{ngo1, ngo1}, []Party{ngo1}},
		{"received on another basis", ver(v1), ver(follow(v1, Withdrawn, nil)), nil, []Party{ppoA, ngo1}, []Party{ngo1}},
		{"removed before", narrow(ngo1.Inst), ver(follow(v1, Withdrawn, nil)), nil, all, []Party{ngo1}},
		{"institution looked up", ver(v1), ver(follow(v1, Withdrawn, nil)), instOf, []Party{bare}, []Party{nesA}},
		{"institution unknown", ver(v1), ver(follow(v1, Withdrawn, nil)), nil, []Party{bare}, nil},
		{"a guest of a named institution", ver(v1), ver(follow(v1, Withdrawn, nil)), nil, []Party{repOf1}, nil},
	} {
		if got := Removed(c.prev, c.next, c.instOf, c.disclosed); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestLapsed(t *testing.T) {
	v1 := with(given(), func(s *Statement) {
		s.From, s.Purposes = []string{swcA.Inst, ngo1.Inst}, []string{"assistance", "legal-aid"}
	})
	sent := Disclosure{From: swcA.Inst, To: nesA, Purpose: "assistance", Cats: []string{"contact"}}
	prev := Recorded(v1, 1, v1.At)
	for _, c := range []struct {
		name   string
		d      Disclosure
		act    Act
		change func(*Statement)
		want   bool
	}{
		{"withdrawn", sent, Withdrawn, nil, true},
		{"still covered", sent, Narrowed, func(s *Statement) { s.To = []string{nesA.Inst} }, false},
		{"its recipient went", sent, Narrowed, func(s *Statement) { s.To = []string{ngo1.Inst} }, true},
		{"its sender went", sent, Narrowed, func(s *Statement) { s.From = []string{ngo1.Inst} }, true},
		{"its purpose went", sent, Narrowed, func(s *Statement) { s.Purposes = []string{"legal-aid"} }, true},
		{"its category went", sent, Narrowed, func(s *Statement) { s.Cats = []string{"needs"} }, true},
		{"another category went", sent, Narrowed, func(s *Statement) { s.Cats = []string{"contact"} }, false},
		{"was never covered", Disclosure{From: swcA.Inst, To: policA, Purpose: "assistance"}, Withdrawn, nil, false},
	} {
		next := Recorded(follow(v1, c.act, c.change), 2, v1.At+day)
		if got := Lapsed(&prev, &next, c.d); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}
