package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/transparency"
)

func historyCommand() *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use: "history DESK|INSTITUTION", Short: "who could ever read for a desk, since when, by whose signature", Args: cobra.ExactArgs(1),
		Long: `history tells who could ever read for a desk: every key it had, from when to when
senders used it, each officer who was given it and by whose signatures she came to
that (registrars who enrolled her, the root that named them, the delegates that
admitted the institution), which custodians can recover it, who made and who
acknowledged it. Of an institution it tells who held its root, its registrars and
custodians, and who was ever enrolled.

Any desk can be asked about: it is read from the directory, which every program
replays. Of a desk of your own it also shows past keys that were given to new members.
--at asks about one day, or one moment: who can open what was sealed to the desk then.
Dates are those that statements claim; what is proven is the order of entries.`,
		Example: `  odziv directory history ppo-nis.registry
  odziv directory history d_5m7wq3rtu6u5hf7v2zkgqxk3ja --at 2026-03-02
  odziv directory history i_rooefvdqc76v4aa4ktvk2uhrku --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			from, until, err := s.period(at)
			if err != nil {
				return err
			}
			if inst, ok := s.institution(args[0]); ok {
				return s.historyOfInst(inst, at, from, until)
			}
			desk, err := s.desk(args[0])
			if err != nil {
				return err
			}
			return s.historyOfDesk(desk, at, from, until)
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "a day, as 2026-03-02, or a moment, as 2026-03-02T15:04")
	return cmd
}

// period is the time that --at names, in the zone of the rules.
func (s *session) period(at string) (from, until int64, err error) {
	if at == "" {
		return 0, 0, nil
	}
	zone := time.UTC
	if p, err := s.Pack(s.family); err == nil {
		zone = p.Location()
	}
	if from, until, err = dayOf(at, zone); err != nil {
		return 0, 0, cli.UsageError("--at: %v", err)
	}
	return from, until, nil
}

// institution is what a person means by an institution's name or id.
func (s *session) institution(name string) (string, bool) {
	if statement.IsID(name, statement.Institution) {
		return name, true
	}
	id, ok := s.names[name]
	return id, ok && statement.IsID(id, statement.Institution)
}

func (s *session) historyOfDesk(desk, at string, from, until int64) error {
	h, err := s.DeskLog(s.cmd.Context(), desk)
	if err != nil {
		return err
	}
	if at != "" {
		h.DeskHistory = h.At(from, until)
	}
	return s.out(h, func(w io.Writer) {
		p := newSheet(w, s)
		p.desk(h, at)
		p.fingerprints()
	})
}

func (s *session) historyOfInst(inst, at string, from, until int64) error {
	h, err := s.InstHistory(inst)
	if err != nil {
		return err
	}
	if at != "" {
		h = h.At(from, until)
	}
	return s.out(h, func(w io.Writer) {
		p := newSheet(w, s)
		p.institution(h, at)
		p.fingerprints()
	})
}

// sheet prints a history on lines of at most 80 columns. Keys are called F1, F2…
// and listed at the end with their whole fingerprints.
type sheet struct {
	w     io.Writer
	s     *session
	keys  []string
	names map[string]string
	who   map[string]string // what is said of a key at the end
}

func newSheet(w io.Writer, s *session) *sheet {
	return &sheet{w: w, s: s, names: map[string]string{}, who: map[string]string{}}
}

func (p *sheet) line(indent int, format string, args ...any) {
	for i, part := range wrapped(fmt.Sprintf(format, args...), 78-indent) {
		in := indent
		if i > 0 {
			in += 2
		}
		fmt.Fprintf(p.w, "%s%s\n", strings.Repeat(" ", in), part)
	}
}

// key is the short name of a key on this sheet.
func (p *sheet) key(id, who string) string {
	if name, ok := p.names[id]; ok {
		return name
	}
	name := fmt.Sprintf("F%d", len(p.keys)+1)
	p.keys, p.names[id], p.who[id] = append(p.keys, id), name, who
	return name
}

// signers are the keys that signed, by what they signed as: registrars F3 and F4.
func (p *sheet) signers(by []transparency.Signer) string {
	var sorts []string
	keys := map[string][]string{}
	for _, b := range by {
		if keys[b.As] == nil {
			sorts = append(sorts, b.As)
		}
		keys[b.As] = append(keys[b.As], p.key(b.Key, strings.TrimSpace(b.As+" "+b.Officer)))
	}
	for i, as := range sorts {
		name := as
		if len(keys[as]) > 1 {
			name += "s"
		}
		sorts[i] = name + " " + strings.Join(keys[as], " and ")
	}
	return strings.Join(sorts, ", ")
}

// act says when, in which entry and by whom.
func (p *sheet) act(a transparency.Act) string {
	return fmt.Sprintf("entry %d, %s, by %s", a.Idx, p.s.when(a.At), p.signers(a.By))
}

func (p *sheet) desk(h office.DeskLog, at string) {
	s := p.s
	p.line(0, "desk %s (%s)", s.called(h.Desk), h.Fn)
	p.line(2, "%s of %s", h.Desk, h.Inst)
	p.line(2, "from %d entries of the directory, each replayed", h.Entries)
	if at != "" {
		p.line(2, "keys in use on %s; whoever holds one can open what was sealed to it then", at)
	}
	if len(h.Keys) == 0 {
		p.line(2, "no key: nothing could be sealed to the desk")
	}
	for _, k := range h.Keys {
		fmt.Fprintln(p.w)
		p.deskKey(k)
	}
	p.shared(h)
	p.chain(h)
}

func (p *sheet) deskKey(k transparency.DeskKey) {
	p.line(0, "KEY %d, %s", k.Epoch, p.used(k.Used))
	p.line(2, "made (%s): %s", k.Why, p.act(k.Made))
	for _, a := range k.Acks {
		p.line(2, "acknowledged: %s", p.act(a))
	}
	if k.Disputed != nil {
		p.line(2, "DISPUTED: %s", p.act(*k.Disputed))
	}
	for _, r := range k.Readers {
		p.line(2, "reader %s with %s", r.Officer, p.key(r.Key, "officer "+r.Officer))
		if r.Enrolled != nil {
			p.line(6, "enrolled: %s", p.act(*r.Enrolled))
		}
		if r.Added != nil {
			p.line(6, "joined the desk: %s", p.act(*r.Added))
		}
		if r.Left != nil {
			p.line(6, "left the desk: %s", p.act(*r.Left))
		}
		if r.Revoked != nil {
			p.line(6, "key revoked: %s", p.act(*r.Revoked))
		}
	}
	if k.Escrow == nil {
		p.line(2, "no custodian can recover it")
		return
	}
	var who []string
	for _, c := range k.Escrow.Custodians {
		who = append(who, p.key(c, "custodian"))
	}
	p.line(2, "recoverable by any %d together of custodians %s", k.Escrow.K, strings.Join(who, ", "))
	if k.Escrow.Named != nil {
		p.line(6, "named: %s", p.act(*k.Escrow.Named))
	}
}

func (p *sheet) used(spans []transparency.Span) string {
	if len(spans) == 0 {
		return "never used: not acknowledged, nothing was sealed to it"
	}
	var parts []string
	for _, u := range spans {
		until := "until now"
		if u.Until > 0 {
			until = "until " + p.s.when(u.UntilAt)
		}
		parts = append(parts, fmt.Sprintf("used from %s %s", p.s.when(u.FromAt), until))
	}
	return strings.Join(parts, ", and ")
}

func (p *sheet) shared(h office.DeskLog) {
	fmt.Fprintln(p.w)
	if !h.FeedRead {
		p.line(0, "Past keys may have been given to new members later, and keys recovered: the record of that is the desk's own, read it there.")
		return
	}
	p.line(0, "past keys given to members, and recovered, as far as this desk's record shows:")
	for _, g := range h.Shared {
		p.line(2, "%s", p.share(g))
	}
	if len(h.Shared) == 0 {
		p.line(2, "none")
	}
}

// share says who came to hold past keys, or was let at their escrow.
func (p *sheet) share(g office.Share) string {
	var keys, by []string
	for _, e := range g.Epochs {
		keys = append(keys, fmt.Sprint(e))
	}
	for _, k := range g.By {
		by = append(by, p.key(k, map[bool]string{true: "custodian", false: "officer"}[g.Purpose != ""]))
	}
	at := fmt.Sprintf("record %d, %s, by %s", g.Idx, p.s.when(g.At), strings.Join(by, " and "))
	switch g.Purpose {
	case "":
		return fmt.Sprintf("keys %s given to %s: %s", strings.Join(keys, ", "), g.Officer, at)
	case evidence.PurposeRehearsal:
		return fmt.Sprintf("keys %s recovered as a rehearsal, for nobody: %s", strings.Join(keys, ", "), at)
	}
	return fmt.Sprintf("keys %s RECOVERED for %s: %s", strings.Join(keys, ", "), g.Officer, at)
}

// chain is on whose word the readers came to be readers.
func (p *sheet) chain(h office.DeskLog) {
	fmt.Fprintln(p.w)
	p.line(0, "who could let others read for %s", h.Inst)
	p.offices(h.Office)
}

func (p *sheet) offices(h transparency.InstHistory) {
	for _, o := range []struct {
		name string
		list []transparency.Holders
	}{{"root", h.Roots}, {"registrars", h.Registrars}, {"custodians", h.Custodians}, {"observer", h.Observers}} {
		for _, x := range o.list {
			var keys []string
			for _, k := range x.Keys {
				keys = append(keys, p.key(k, strings.TrimSuffix(o.name, "s")))
			}
			until := "until now"
			if x.Until > 0 {
				until = fmt.Sprintf("until entry %d, %s", x.Until, p.s.when(x.UntilAt))
			}
			p.line(2, "%s: %d of %s; %s", o.name, x.K, strings.Join(keys, ", "), until)
			p.line(6, "named: %s", p.act(x.Named))
		}
	}
}

func (p *sheet) institution(h transparency.InstHistory, at string) {
	p.line(0, "institution %s", p.s.called(h.Inst))
	p.line(2, "%s", h.Inst)
	p.line(2, "from %d entries of the directory, each replayed", h.Entries)
	if at != "" {
		p.line(2, "as it was on %s; desks as they are now", at)
	}
	fmt.Fprintln(p.w)
	p.offices(h)
	fmt.Fprintln(p.w)
	p.line(0, "officers ever enrolled")
	for _, o := range h.Officers {
		p.line(2, "%s with %s %v", o.Officer, p.key(o.Key, "officer "+o.Officer), o.Roles)
		p.line(6, "enrolled: %s", p.act(o.Enrolled))
		if o.Revoked != nil {
			p.line(6, "revoked: %s", p.act(*o.Revoked))
		}
	}
	fmt.Fprintln(p.w)
	p.line(0, "desks")
	for _, d := range h.Desks {
		p.line(2, "%s %s (%s): key %d, %d members; odziv directory history %s", p.s.called(d.Desk), d.Desk, d.Fn, d.Epoch, len(d.Members), d.Desk)
	}
}

// fingerprints lists every key that the sheet names, in full: this is what is
// compared with paper.
func (p *sheet) fingerprints() {
	fmt.Fprintln(p.w, "\nfingerprints (SHA-256)")
	for _, k := range p.keys {
		fmt.Fprintf(p.w, "  %-4s %s\n       %s\n", p.names[k], p.who[k], fingerprintLines(k, 7))
	}
}
