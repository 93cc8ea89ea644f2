package storetest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
)

// caseBytes stores every byte value, and the largest things there are.
func caseBytes(s *suite) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	large := bytes.Repeat(every, 1<<12) // 1 MiB
	s.scratch(func(sc exchange.Scratch) error {
		for part := range 4 {
			if err := sc.PutChunk(s.ctx, "m_a", part, 0, append(slices.Clone(large), byte(part))); err != nil {
				return err
			}
		}
		return all(sc.PutPackage(s.ctx, digest("large"), large), sc.PutPackage(s.ctx, digest("every"), every))
	})
	wide := evidence.Opening{Meta: large[:evidence.MaxObject], RM: every[:32], Priv: large[1 : 1+evidence.MaxObject], RP: every[224:]}
	s.record(1, func(int64) bool { return false })
	s.write(func(tx exchange.Tx) error { return tx.PutOpening(s.ctx, 0, wide) })
	s.read(func(v exchange.View) error {
		for part := range 4 {
			s.chunk(v, "m_a", part, 0, append(slices.Clone(large), byte(part)))
		}
		got, ok, err := v.Package(s.ctx, digest("large"))
		if err != nil || !ok || !bytes.Equal(got, large) {
			s.Errorf("1 MiB package: %d bytes, %v, %v", len(got), ok, err)
		}
		found(s, "every byte", every)(v.Package(s.ctx, digest("every")))
		found(s, "wide opening", wide)(v.Opening(s.ctx, 0))
		return nil
	})
}

// texts differ in their bytes though a collation might call some of them equal:
// case, script, composition, width, trailing space.
var texts = []string{"", " ", "'; --", "A", "Z", "a", "a ", "a b", "a\"b", "a%", "a_", "z", "\u0041\u030a", "\u00c5",
	"ß", "ss", "SS", "ẞ", "1", "01", "2", "10", "١", "lj", "ǉ", "č", "ć", "c", "đ", "dj",
	"Š", "š", "А", "Ђ", "Ж", "а", "ђ", "ж", "ш", "е", "ё", "\u200b", "ﬀ", "𝔸", "\U0010ffff"}

func sortedTexts() []string {
	list := slices.Clone(texts)
	slices.Sort(list)
	return list
}

// caseText keeps texts apart that differ, and returns them as they are.
func caseText(s *suite) {
	s.write(func(tx exchange.Tx) error {
		for i, t := range texts {
			m := message("m_"+t, int64(i))
			m.Case, m.Kind, m.Reason, m.Subj = t, t, t, []string{t, "<&>" + t}
			if err := all(tx.PutLast(s.ctx, t, int64(i)), tx.PutMessage(s.ctx, m, nil, []string{t})); err != nil {
				return err
			}
		}
		return nil
	})
	s.read(func(v exchange.View) error {
		for i, t := range texts {
			m := message("m_"+t, int64(i))
			m.Case, m.Kind, m.Reason, m.Subj = t, t, t, []string{t, "<&>" + t}
			last, err := v.Last(s.ctx, t)
			if err != nil || last != int64(i) {
				s.Errorf("last of %q: %d, %v, want %d", t, last, err, i)
			}
			found(s, fmt.Sprintf("message of %q", t), m)(v.Message(s.ctx, "m_"+t))
			list, err := v.Sent(s.ctx, []string{t}, t)
			same(s, fmt.Sprintf("sent in %q", t), list, err, m)
			list, err = v.Disclosed(s.ctx, t)
			same(s, fmt.Sprintf("disclosed under %q", t), list, err, m)
		}
		return nil
	})
}

// caseTextRefused: PostgreSQL takes neither NUL nor invalid UTF-8 in text, so no
// engine may. The transaction goes on.
func caseTextRefused(s *suite) {
	for _, bad := range []string{"m\x00", "\x00", "m\xff", "m\xc3"} {
		s.write(func(tx exchange.Tx) error {
			if err := tx.PutLast(s.ctx, bad, 1); err == nil {
				s.Errorf("took the text %q", bad)
			}
			return tx.PutLast(s.ctx, "m_a", 2)
		})
		s.equal("rows", s.dump(), []string{"last\tm_a\t" + `["m_a",2]`})
	}
}

// caseTextOrder: lists are in the order of bytes on every engine.
func caseTextOrder(s *suite) {
	want := sortedTexts()
	s.write(func(tx exchange.Tx) error {
		if err := tx.Link(s.ctx, texts); err != nil {
			return err
		}
		for _, t := range texts {
			o := duty("o_"+t, 5)
			err := all(tx.PutParty(s.ctx, "c_a", exchange.PartyRow{Desk: t, Inst: "i_a"}), tx.PutObligation(s.ctx, o))
			if err != nil {
				return err
			}
		}
		return nil
	})
	s.read(func(v exchange.View) error {
		linked, err := v.Linked(s.ctx, "ж")
		same(s, "linked", linked, err, want...)
		parties, err := v.Parties(s.ctx, []string{"c_a"})
		if err != nil || len(parties) != len(want) {
			s.Fatalf("%d parties, %v", len(parties), err)
		}
		for i, p := range parties {
			s.equal("party", p.Desk, want[i])
		}
		duties, err := v.Opened(s.ctx, "m_a", "")
		if err != nil {
			return err
		}
		got := ids(duties)
		if len(got) != len(want) || !slices.IsSorted(got) {
			s.Errorf("opened: %q", got)
		}
		s.equal("in pages", s.pages(v, exchange.ObligationQuery{Limit: 4}), got)
		return nil
	})
}

// caseTimes: milliseconds, beyond 32 bits, up to what JSON keeps exact.
func caseTimes(s *suite) {
	times := []int64{0, 1, 1<<31 - 1, 1 << 31, 1<<31 + 1, 1772441999123, 1772441999124, 253402300799999, 1<<53 - 1}
	s.write(func(tx exchange.Tx) error {
		for i, at := range times {
			m := message(fmt.Sprint("m_", i), int64(i))
			m.At, m.Occurred, m.Hold = at, at, at
			o := duty(fmt.Sprint("o_", i), at)
			o.Start, o.Occurred = at, at
			err := all(tx.PutMessage(s.ctx, m, nil, nil), tx.PutObligation(s.ctx, o), tx.PutRefusal(s.ctx, "k", at, int64(i)),
				tx.PutPending(s.ctx, exchange.PendingRow{Digest: digest(fmt.Sprint(i)), DSSE: []byte{}, At: at}))
			if err != nil {
				return err
			}
		}
		return nil
	})
	s.read(func(v exchange.View) error {
		for i, at := range times {
			m, _, err := v.Message(s.ctx, fmt.Sprint("m_", i))
			if err != nil || m.At != at || m.Occurred != at || m.Hold != at {
				s.Errorf("message at %d: %+v, %v", at, m, err)
			}
			twin, err := v.Twin(s.ctx, []string{"c_a"}, "registration", "d_or", "p_a", "complaint", at)
			if err != nil || !twin {
				s.Errorf("twin of %d: %v, %v", at, twin, err)
			}
			n, err := v.RefusalsSince(s.ctx, "k", at)
			if err != nil || n != len(times)-i {
				s.Errorf("refusals since %d: %d, %v", at, n, err)
			}
		}
		list, err := v.Obligations(s.ctx, exchange.ObligationQuery{Limit: 20})
		for i, o := range list {
			s.equal("due", o.Due, times[i])
		}
		return err
	})
}
