package exchange

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// Windows of time a submission must fall into, in ms.
const (
	createdWindow = 10 * 60 * 1000
	day           = 24 * hour
)

// admitted is what the rules found on the way to yes.
type admitted struct {
	pack     *rules.Pack
	kind     *rules.Kind
	consents []consent.Ref
}

// admit runs the checks of a submission in the order of FORMAT.md §2, up
// to the acts, which are judged where the event is derived.
func (s *section) admit(n *messaging.Notice) (*admitted, error) {
	c := n.Core
	if err := s.checkTimes(c); err != nil {
		return nil, err
	}
	officer, err := s.checkSender(c.From)
	if err != nil {
		return nil, err
	}
	if err := s.checkEpochs(c); err != nil {
		return nil, err
	}
	a, err := s.checkKind(c, officer)
	if err != nil {
		return nil, err
	}
	if err := s.checkThread(c, a.kind); err != nil {
		return nil, err
	}
	a.consents, err = s.checkBasis(c, a)
	return a, err
}

// checkTimes bounds created, and wants the directory head the sender saw to be
// one that was current within a day.
func (s *section) checkTimes(c *messaging.Core) error {
	if c.Created > s.now+createdWindow || c.Created < s.now-createdWindow {
		return refuse(Unprocessable, "created", "core.created is more than ten minutes from the exchange's time").
			hint("check the clock of this computer and send again")
	}
	if err := s.checkHead(c.Dir); err != nil {
		return err
	}
	return nil
}

func (s *section) checkHead(d messaging.DirHead) error {
	unknown := refuse(Conflicting, "dir_unknown", "core.dir is not a recent state of the directory").
		hint("synchronise the directory and send again")
	if d.N > s.log[ledger.Dir].Head().Size {
		return unknown
	}
	root, err := s.dirRoot(d.N)
	if err != nil {
		return err
	}
	if !bytes.Equal(root[:], d.Root) {
		return unknown
	}
	if d.Stale || d.N == s.log[ledger.Dir].Head().Size {
		return nil
	}
	next, err := s.tx.CheckpointFor(s.ctx, ledger.Dir, d.N)
	if err != nil {
		return err
	}
	if next.Exists() && next.At < s.now-day {
		return unknown
	}
	return nil
}

// dirRoot is the root that the directory had at a size. Most senders saw the
// present one, whose root was read with the head.
func (s *section) dirRoot(size int64) (tlog.Hash, error) {
	if head := s.log[ledger.Dir].Head(); size == head.Size {
		return head.Root, nil
	}
	return ledger.RootAt(s.ctx, s.tx, ledger.Dir, size)
}

// checkSender wants an officer who may act for the desk now.
func (s *section) checkSender(f messaging.From) (directory.Officer, error) {
	officer, err := s.officer(f.Key, f.Desk)
	if err != nil {
		return officer, err
	}
	if s.dir.InstOfDesk(f.Desk) != f.Inst {
		return officer, refuse(Forbidden, "sender", "the desk is not one of that institution").onRecord()
	}
	return officer, nil
}

// officer finds who holds the key and checks that they act for the desk now.
func (s *section) officer(key, desk string) (directory.Officer, error) {
	o, ok := s.dir.OfficerByKey(key)
	switch {
	case !ok:
		return o, refuse(Forbidden, "sender", "the key is not enrolled")
	case !o.ActiveAt(s.now):
		return o, refuse(Forbidden, "sender", "the officer's key is revoked or out of its term").
			hint("ask a registrar of the institution").onRecord()
	case !s.dir.IsMember(desk, o.U):
		return o, refuse(Forbidden, "sender", "the officer is not a member of the desk").
			hint("act for a desk you belong to, or ask a registrar").onRecord()
	}
	if !s.dir.DeskOpen(desk, s.now) {
		return o, refuse(Forbidden, "sender", "the desk or its institution is closed, or not open yet").onRecord()
	}
	return o, nil
}

// checkEpochs wants every recipient to be open, and named under its current key.
func (s *section) checkEpochs(c *messaging.Core) error {
	for _, to := range c.To {
		if !s.dir.DeskOpen(to.Desk, s.now) {
			return refuse(Conflicting, "recipient_closed", "desk %s or its institution is closed, or not open yet: nobody there could sign for it", to.Desk).
				hint("the directory says which institution succeeds it: odziv institution list")
		}
		e, ok := s.dir.ActiveEpoch(to.Desk)
		if !ok || e.E != to.Epoch || e.RK != to.RK {
			return refuse(Conflicting, "epoch_old", "the key of desk %s changed", to.Desk).
				hint("synchronise the directory and seal again")
		}
		since, stale := s.dir.Stale(to.Desk, s.now)
		if stale && c.Urg != messaging.Immediate && s.now >= since+day {
			return refuse(Conflicting, "epoch_stale", "desk %s must renew its key first", to.Desk).
				hint("ask the desk to rotate its key; in danger send with urgency I")
		}
	}
	return nil
}

// checkKind holds the visible members against the pack in force.
func (s *section) checkKind(c *messaging.Core, officer directory.Officer) (*admitted, error) {
	pack, err := s.pack(c.Pack)
	if err != nil {
		return nil, err
	}
	kind, ok := pack.Kind(c.Kind)
	if !ok {
		return nil, refuse(Unprocessable, "kind", "rule pack %s knows no kind %q", c.Pack, c.Kind).onRecord()
	}
	if !mayUse(kind.Roles, officer) {
		return nil, refuse(Forbidden, "sender", "the officer's role may not send %s", c.Kind).onRecord()
	}
	if err := errors.Join(checkShape(c, kind), s.checkHold(c, pack)); err != nil {
		return nil, refuse(Unprocessable, "kind", "%v", err).onRecord()
	}
	if err := checkFacts(c, kind); err != nil {
		return nil, refuse(Unprocessable, "facts", "%v", err).onRecord()
	}
	return &admitted{pack: pack, kind: kind}, nil
}

// pack finds the rule pack a statement names and wants it to be in force.
func (s *section) pack(id string) (*rules.Pack, error) {
	family, _, _ := strings.Cut(id, "@")
	inForce, hash := s.dir.AdoptedPack(family, s.now)
	if inForce != id {
		return nil, refuse(Conflicting, "pack", "rule pack %s is not in force", id).
			hint("use %s", orNone(inForce)).onRecord()
	}
	pack, err := s.x.Packs.Adopted(id, hash)
	if err != nil {
		return nil, refuse(Unavailable, "pack", "this server does not hold rule pack %s", id).
			hint("the operator installs the release that ships it")
	}
	return pack, nil
}

func orNone(id string) string {
	if id == "" {
		return "none: no pack of this family was adopted"
	}
	return id
}

func mayUse(roles []string, o directory.Officer) bool {
	return len(roles) == 0 || slices.ContainsFunc(roles, o.HasRole)
}

func checkShape(c *messaging.Core, kind *rules.Kind) error {
	if !slices.Contains(kind.Urgency, c.Urg) {
		return fmt.Errorf("%s is not sent with urgency %s", c.Kind, c.Urg)
	}
	if kind.Caseless != (c.Case == "") {
		return fmt.Errorf("case and subj are absent for a caseless kind and present for any other")
	}
	for _, cat := range c.Cats {
		if !slices.Contains(kind.Categories, cat) {
			return fmt.Errorf("%s does not carry data of category %s", c.Kind, cat)
		}
	}
	return presence("occurred", kind.Occurred, c.Occurred != 0)
}

// checkHold wants a hold to have a reason of the pack and an end within its
// longest.
func (s *section) checkHold(c *messaging.Core, pack *rules.Pack) error {
	if c.Hold == nil {
		return nil
	}
	if _, ok := pack.ReasonFor(c.Hold.Reason, "hold"); !ok {
		return fmt.Errorf("hold: %q is no reason for a hold", c.Hold.Reason)
	}
	longest, _, err := s.calendar(pack).Due(rules.Deadline{Term: pack.LongestHold, Start: "consigned", Shift: "none"}, c.Created)
	if err != nil || c.Hold.Until > longest {
		return fmt.Errorf("hold: longer than the pack permits")
	}
	return nil
}

// presence checks a member that the pack calls none, optional or required.
func presence(member, rule string, present bool) error {
	if rule == "required" && !present {
		return fmt.Errorf("%s is required", member)
	}
	if rule == "none" && present {
		return fmt.Errorf("%s is not permitted here", member)
	}
	return nil
}

func checkFacts(c *messaging.Core, kind *rules.Kind) error {
	for _, f := range kind.Facts {
		value, ok := c.Facts[f.Code]
		if f.Required && !ok {
			return fmt.Errorf("fact %s is required", f.Code)
		}
		if ok && !slices.Contains(f.Values, value) {
			return fmt.Errorf("fact %s has no value %q", f.Code, value)
		}
	}
	for code := range c.Facts {
		if !slices.ContainsFunc(kind.Facts, func(f rules.Fact) bool { return f.Code == code }) {
			return fmt.Errorf("%s shows no fact %q: it belongs into the sealed body", c.Kind, code)
		}
	}
	return nil
}

// checkThread wants re to be an accepted message of the same case that the
// sending desk sent or received.
func (s *section) checkThread(c *messaging.Core, kind *rules.Kind) error {
	if err := presence("re", kind.Re, c.Re != ""); err != nil {
		return refuse(Unprocessable, "re", "%v", err).onRecord()
	}
	if c.Re == "" {
		return nil
	}
	unknown := refuse(Unprocessable, "re", "core.re is no message of this case that the desk's institution sent or received").onRecord()
	m, ok, err := s.tx.Message(s.ctx, c.Re)
	if err != nil {
		return err
	}
	if !ok || m.Case != c.Case {
		return unknown
	}
	if s.oneParty(m.Desk, c.From.Desk) {
		return nil
	}
	to, err := s.tx.Recipients(s.ctx, c.Re)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(to, func(r RecipientRow) bool { return s.oneParty(r.Desk, c.From.Desk) }) {
		return unknown
	}
	return nil
}

// checkBasis asks consent whether the message may go to everyone it names.
func (s *section) checkBasis(c *messaging.Core, a *admitted) ([]consent.Ref, error) {
	req := consent.Request{Kind: c.Kind, Basis: c.Basis, Case: c.Case, Cats: c.Cats, Subj: c.Subj,
		From: s.party(c.From.Desk)}
	for _, to := range c.Others() {
		req.To = append(req.To, s.party(to.Desk))
	}
	book := s.projection()
	d, err := consent.DecideBasis(book, a.pack, req, s.now)
	if err != nil || !d.Allow {
		return nil, errors.Join(err, decisionRefusal(d))
	}
	basis, _ := a.pack.Basis(c.Basis.Code)
	if !basis.Consent {
		return nil, nil
	}
	incomplete, err := s.tx.Incomplete(s.ctx)
	if err != nil {
		return nil, err
	}
	if incomplete {
		return nil, refuse(Unavailable, "ledger_incomplete", "the ledger was restored and is not complete yet, so consent cannot be read from it").
			hint("use another legal basis if there is one; the operator is importing the missing part")
	}
	d, err = consent.DecideConsent(book, req, s.now)
	if err != nil || !d.Allow {
		return nil, errors.Join(err, decisionRefusal(d))
	}
	return d.Used, nil
}

func decisionRefusal(d consent.Decision) error {
	if d.Allow {
		return nil
	}
	r := refuse(Forbidden, d.Code, "%s", d.Detail).onRecord()
	if d.Desk != "" {
		r.hint("recipient %s: leave it out, or choose a basis that holds for it", d.Desk)
	}
	return r
}

// party is a desk with its institution and type.
func (s *section) party(desk string) consent.Party {
	return consent.Party{Desk: desk, Inst: s.dir.InstOfDesk(desk), Type: s.dir.TypeOfDesk(desk)}
}

// checkWarnings refuses what a blocking warning of the pack forbids.
func (s *section) checkWarnings(a *admitted, c *messaging.Core) error {
	for _, w := range a.pack.Warnings {
		if w.Blocking && warns(&w, c) {
			return refuse(Forbidden, "warning_"+w.ID, "%s", w.Name.EN).onRecord()
		}
	}
	return nil
}

func warns(w *rules.Warning, c *messaging.Core) bool {
	if !slices.Contains(w.Kinds, c.Kind) {
		return false
	}
	for fact, value := range w.Facts {
		if c.Facts[fact] != value {
			return false
		}
	}
	return true
}

// actRefusal turns an inadmissible act into the refusal it is.
func actRefusal(err error) error {
	var act *obligation.ActError
	if !errors.As(err, &act) {
		return err
	}
	return refuse(Conflicting, "obl_"+act.Reason, "%v", act).
		hint("look at the obligation with: odziv owed --explain").onRecord()
}
