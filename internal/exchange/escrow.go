package exchange

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// maxEscrowSteps bounds what one custodian may put on record about one desk
// within a term: whoever decides reads them all.
const maxEscrowSteps = 24

// escrowTrail reads what happened to the escrow of a desk since a time, oldest
// first. The leaves about one desk are chained by META.prev, so there is no table
// that could say otherwise. Where an opening is missing it ends: what cannot be
// read allows nothing.
func escrowTrail(ctx context.Context, v View, desk string, since int64) ([]evidence.EscrowStep, error) {
	idx, err := v.Last(ctx, desk)
	if err != nil {
		return nil, err
	}
	var trail []evidence.EscrowStep
	for idx >= 0 {
		o, ok, err := v.Opening(ctx, idx)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		meta, priv, err := o.Decode()
		if err != nil {
			return nil, err
		}
		if meta.At < since {
			break
		}
		if evidence.IsEscrow(meta.Ev) {
			step, err := evidence.EscrowStepOf(meta, priv)
			if err != nil {
				return nil, err
			}
			trail = append(trail, step)
		}
		idx = meta.Prev
	}
	slices.Reverse(trail)
	return trail, nil
}

// readEscrow decodes what a custodian signs.
func readEscrow(event string, d *statement.DSSE) (*act, error) {
	switch event {
	case evidence.EscrowRequested:
		r, err := evidence.ParseEscrowRequest(d)
		if err != nil {
			return nil, err
		}
		return &act{head: &r.Head, body: r, obj: r.Desk}, nil
	case evidence.EscrowRefused:
		r, err := evidence.ParseEscrowRefusal(d)
		if err != nil {
			return nil, err
		}
		return &act{head: &r.Head, body: r, obj: r.Desk}, nil
	}
	r, err := evidence.ParseEscrowReport(d)
	if err != nil {
		return nil, err
	}
	return &act{head: &r.Head, body: r, obj: r.Desk}, nil
}

// askOf is what a custodian's statement is about, nil if it is none.
func askOf(body any) *evidence.EscrowAsk {
	switch b := body.(type) {
	case *evidence.EscrowRequest:
		return &b.EscrowAsk
	case *evidence.EscrowRefusal:
		return &b.EscrowAsk
	case *evidence.EscrowReport:
		return &b.EscrowAsk
	}
	return nil
}

// recordEscrow records what a custodian says, and releases the files in the same
// transaction when with her enough have asked for the same. Desk and head learn of
// both in their feeds before anybody can fetch a byte. Terms are counted from the
// times of the record, which auditors have too, not from the clock.
func (s *section) recordEscrow(d *statement.DSSE, a *act) (evidence.Item, error) {
	if _, err := s.checkStatement(a.head); err != nil {
		return evidence.Item{}, err
	}
	ask := askOf(a.body)
	if err := s.checkCustodian(d, a.head, ask); err != nil {
		return evidence.Item{}, err
	}
	trail, err := escrowTrail(s.ctx, s.tx, ask.Desk, s.at-2*evidence.EscrowTerm)
	if err != nil {
		return evidence.Item{}, err
	}
	if err := s.checkEscrow(a, ask, trail); err != nil {
		return evidence.Item{}, err
	}
	draft := s.newDraft(a.head.Ev, a.head.By.Inst+"/"+a.head.By.Desk, ask.Desk).signed(d)
	draft.meta.From, draft.to = s.dir.TypeOfDesk(ask.Desk), s.escrowReaders(ask.Desk)
	item, err := s.record(draft)
	if err != nil || a.head.Ev != evidence.EscrowRequested {
		return item, err
	}
	mine := evidence.ReleaseAsk{Idx: item.Idx, Key: a.head.By.Key}
	return item, s.release(ask, append(evidence.Asking(trail, ask, s.at), mine))
}

// escrowReaders are the desk itself and every open head desk of its institution.
func (s *section) escrowReaders(desk string) []string {
	to := []string{desk}
	for _, d := range s.dir.DesksOfInst(s.dir.InstOfDesk(desk)) {
		if row, _ := s.dir.Desk(d); row.Fn == "head" && s.dir.DeskOpen(d, s.now) {
			to = append(to, d)
		}
	}
	return to
}

// checkCustodian wants one signature, of somebody who is a custodian of the desk's
// institution now and has a layer in the escrow of every epoch named.
func (s *section) checkCustodian(d *statement.DSSE, h *statement.Head, ask *evidence.EscrowAsk) error {
	if len(d.Signatures) != 1 || d.Signatures[0].KeyID != h.By.Key {
		return refuse(Forbidden, "signatures", "exactly one signature is wanted, of the custodian it names")
	}
	inst, _ := s.dir.Institution(h.By.Inst)
	if _, ok := inst.Custodians.Recipient(h.By.Key); !ok {
		return refuse(Forbidden, "custodian", "the key is not that of a custodian of the desk's institution").
			hint("the institution's root names its custodians and what they sign with: odziv recovery setup")
	}
	for _, e := range ask.Epochs {
		epoch, ok := s.dir.Epoch(ask.Desk, e)
		if !ok || len(epoch.Esc) == 0 {
			return refuse(Unprocessable, "escrow", "there is no escrow of key %d of the desk", e).hint("see: odziv recovery status")
		}
		if _, ok := s.dir.EscrowSeat(epoch, h.By.Key); !ok {
			return refuse(Unprocessable, "escrow", "the escrow of key %d is not sealed to this custodian", e).
				hint("it was made before she was one: ask for the newer keys alone, or ask a custodian of that time")
		}
	}
	return nil
}

// checkEscrow holds a custodian's statement against what happened before.
func (s *section) checkEscrow(a *act, ask *evidence.EscrowAsk, trail []evidence.EscrowStep) error {
	mine := func(r evidence.ReleaseAsk) bool { return r.Key == a.head.By.Key }
	recent := 0
	for _, step := range trail {
		if step.Key == a.head.By.Key && step.At > s.at-evidence.EscrowTerm {
			recent++
		}
	}
	if recent >= maxEscrowSteps {
		return refuse(Conflicting, "escrow_asked", "this custodian has said enough about this desk for a week")
	}
	open := evidence.Asking(trail, ask, s.at)
	switch b := a.body.(type) {
	case *evidence.EscrowRequest:
		if slices.ContainsFunc(open, mine) {
			return refuse(Conflicting, "escrow_asked", "this custodian has asked for the same within the week, and it counts").
				hint("the next custodian asks now: odziv recovery status")
		}
		return s.checkReceiver(ask)
	case *evidence.EscrowRefusal:
		if len(open) == 0 {
			return refuse(Conflicting, "escrow_asked", "nobody asks for that: there is nothing to refuse").hint("see: odziv recovery status")
		}
	case *evidence.EscrowReport:
		return s.checkReport(a.head.By.Key, b, trail)
	}
	return nil
}

// checkReceiver wants the keys to go to a member of the desk that lost them.
func (s *section) checkReceiver(ask *evidence.EscrowAsk) error {
	o, ok := s.dir.Officer(ask.Officer)
	if !ok || !o.ActiveAt(s.now) || !s.dir.IsMember(ask.Desk, o.U) {
		return refuse(Unprocessable, "escrow_officer", "whoever receives the keys must be an active member of the desk").
			hint("two registrars enrol her and make her a member first")
	}
	return nil
}

// checkReport wants a report to be by a custodian of a release that it names, and
// the only one by her.
func (s *section) checkReport(key string, b *evidence.EscrowReport, trail []evidence.EscrowStep) error {
	for _, step := range trail {
		if step.Report != nil && step.Key == key && step.Report.Release == b.Release {
			return refuse(Conflicting, "escrow_asked", "this custodian has said what came of it")
		}
	}
	for _, step := range trail {
		if step.Idx != b.Release || step.Release == nil {
			continue
		}
		named := slices.ContainsFunc(step.Release.Requests, func(r evidence.ReleaseAsk) bool { return r.Key == key })
		if named && step.Ask.Equal(&b.EscrowAsk) {
			return nil
		}
	}
	return refuse(Forbidden, "escrow_sealed", "no release of that escrow names this custodian").hint("see: odziv recovery status")
}

// release records that files are released, if those who asked are enough: as many
// as the institution's root wants now, and for every epoch all of a subset that a
// file is sealed to.
func (s *section) release(ask *evidence.EscrowAsk, by []evidence.ReleaseAsk) error {
	inst, _ := s.dir.Institution(s.dir.InstOfDesk(ask.Desk))
	by = slices.DeleteFunc(by, func(r evidence.ReleaseAsk) bool { // who was replaced since she asked
		_, still := inst.Custodians.Recipient(r.Key)
		return !still
	})
	if len(by) < inst.Custodians.K {
		return nil
	}
	data := evidence.ReleasedData{EscrowAsk: *ask, Requests: by, Until: s.at + evidence.EscrowTerm}
	for _, e := range ask.Epochs {
		epoch, _ := s.dir.Epoch(ask.Desk, e)
		files := s.dir.EscrowFiles(epoch, data.Keys())
		if len(files) == 0 {
			return nil
		}
		for _, f := range files {
			data.Files = append(data.Files, evidence.ReleasedFile{Cust: f.Cust, E: e, SHA256: f.SHA256})
		}
	}
	draft, err := s.newDraft(evidence.EscrowReleased, evidence.System, ask.Desk).data(data)
	if err != nil {
		return err
	}
	draft.to = s.escrowReaders(ask.Desk)
	_, err = s.record(draft)
	return err
}

// EscrowFile returns an escrow file to a custodian whom a release in force names
// for it. Before that leaf is on record nobody gets a byte of it, and by no other
// path.
func (x *Exchange) EscrowFile(ctx context.Context, c Caller, desk string, epoch int64, sha256 string) ([]byte, error) {
	dir, now := x.Directory(), x.Clock.Now()
	actor, err := x.mayCall(c)
	if err != nil {
		return nil, err
	}
	if actor.Kind != directory.KindCustodian || actor.Inst != dir.InstOfDesk(desk) {
		return nil, notFound()
	}
	if w, ok := dir.WrappedAs(sha256); !ok || w != (directory.Wrapped{D: desk, E: epoch}) {
		return nil, notFound()
	}
	var data []byte
	err = x.Store.Read(ctx, func(v View) error {
		trail, err := escrowTrail(ctx, v, desk, now-evidence.EscrowTerm)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(trail, func(s evidence.EscrowStep) bool {
			return s.Release != nil && released(s.Release, c.Key, epoch, sha256, now)
		}) {
			return refuse(Forbidden, "escrow_sealed", "no release in force gives this custodian this file").
				hint("as many custodians as the institution wants must ask for the same within a week: odziv recovery status")
		}
		var ok bool
		if data, ok, err = v.Package(ctx, sha256); err == nil && !ok {
			err = notFound()
		}
		return err
	})
	return data, err
}

func released(r *evidence.ReleasedData, key string, epoch int64, sha256 string, now int64) bool {
	return now < r.Until &&
		slices.ContainsFunc(r.Requests, func(q evidence.ReleaseAsk) bool { return q.Key == key }) &&
		slices.ContainsFunc(r.Files, func(f evidence.ReleasedFile) bool { return f.E == epoch && f.SHA256 == sha256 })
}

// EscrowPage is a stretch of what happened to the escrow of a desk, oldest first.
// Prev is the leaf before its first, -1 if there is none.
type EscrowPage struct {
	Items []evidence.Item `json:"items"`
	Prev  int64           `json:"prev"`
	V     int             `json:"v"`
}

// maxEscrowPage bounds the leaves read for one page.
const maxEscrowPage = 100

// Escrow tells what happened to the escrow of a desk, from a leaf backwards; -1
// is from the latest. It is shown to whom its openings go, and to those of the
// institution who must see that it works: registrars, custodians, root, observer.
func (x *Exchange) Escrow(ctx context.Context, c Caller, desk string, from int64) (EscrowPage, error) {
	if err := x.mayWatchEscrow(c, desk); err != nil {
		return EscrowPage{}, err
	}
	page := EscrowPage{Items: []evidence.Item{}, Prev: -1, V: 1}
	err := x.Store.Read(ctx, func(v View) error {
		idx := from
		if idx < 0 {
			var err error
			if idx, err = v.Last(ctx, desk); err != nil {
				return err
			}
		}
		for read := 0; idx >= 0 && read < maxEscrowPage; read++ {
			o, ok, err := v.Opening(ctx, idx)
			if err != nil {
				return err
			}
			if !ok {
				return refuse(Unavailable, "ledger_incomplete", "an opening about this escrow is missing").
					hint("the operator is importing the missing part")
			}
			meta, _, err := o.Decode()
			if err != nil {
				return err
			}
			if meta.Obj != desk { // a leaf that the caller guessed
				return notFound()
			}
			if evidence.IsEscrow(meta.Ev) {
				page.Items = append(page.Items, evidence.ItemOf(idx, 0, o))
			}
			idx = meta.Prev
		}
		page.Prev = idx
		return nil
	})
	slices.Reverse(page.Items)
	return page, err
}

// mayWatchEscrow answers everybody else as if there were no such desk.
func (x *Exchange) mayWatchEscrow(c Caller, desk string) error {
	dir := x.Directory()
	actor, err := x.mayCall(c)
	if err != nil {
		return err
	}
	inst := dir.InstOfDesk(desk)
	if inst == "" || actor.Inst != inst {
		return notFound()
	}
	if actor.Kind != directory.KindOfficer && actor.Kind != directory.KindDelegate {
		return nil
	}
	for _, d := range dir.DesksOf(actor.Officer) {
		if row, _ := dir.Desk(d); d == desk || row.Fn == "head" {
			return nil
		}
	}
	if slices.ContainsFunc(dir.Registrars(inst), func(k ed25519.PublicKey) bool { return statement.KeyID(k) == c.Key }) {
		return nil
	}
	return notFound()
}

// checkEscrow wants the escrow files of every desk's present key, and of a newer one,
// to be stored whole: there is no other copy, and a store that lost one would show it
// on the day it is needed. Of older keys nothing can be mended by anybody, so they
// are left to rehearsals, which open them all.
func checkEscrow(ctx context.Context, v View, dir *directory.State) ([]Finding, error) {
	var found []Finding
	for _, inst := range dir.Institutions() {
		for _, d := range dir.DesksOfInst(inst) {
			last, _ := dir.LatestEpoch(d)
			active, _ := dir.ActiveEpoch(d)
			for e := max(1, active.E); e <= last.E; e++ {
				epoch, _ := dir.Epoch(d, e)
				for _, f := range epoch.Esc {
					data, ok, err := v.Package(ctx, f.SHA256)
					if err != nil {
						return found, err
					}
					if (!ok || digestHex(data) != f.SHA256) && len(found) < maxFindings {
						found = append(found, Finding{Where: fmt.Sprintf("dir entry %d", epoch.DirN),
							What: fmt.Sprintf("an escrow file of key %d of desk %s is missing or damaged: the desk must rotate", e, d)})
					}
				}
			}
		}
	}
	return found, nil
}
