package office

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/escrow"
)

func newStatementID() string { return statement.NewID(statement.Other) }

// A Dropper is Keys that can forget a desk's key, and reports whether it was
// there. Without it a key that nothing was ever sealed to stays in the way of the
// real one of its number.
type Dropper interface {
	DropDeskEpoch(desk string, epoch int64) bool
}

// Rotate makes a new key for a desk: one package for each active member and one
// file for every k of its institution's custodians, so that only they can open
// what is sealed to the desk from now on. Senders use it once another member has
// acknowledged it ([Office.Acknowledge]), or, of a desk with one member, a
// registrar ([Office.Countersign]).
//
// It may be interrupted anywhere and run again. First come key and packages, which
// nothing names yet; then the keystore ([Config.Keep]); the statement, which gives
// the number to this key, comes last. Before it nothing happened but that a key
// lies in the keystore, and the next run uses it. After it every member has a
// package, the maker too.
func (o *Office) Rotate(ctx context.Context, desk, why string) (int64, error) {
	if err := o.Sync(ctx); err != nil {
		return 0, err
	}
	if _, err := o.Desk(desk); err != nil {
		return 0, err
	}
	last, _ := o.Directory().LatestEpoch(desk)
	if o.madeJustNow(last) {
		return last.E, nil
	}
	epoch := last.E + 1
	id, err := o.draftKey(desk, epoch)
	if err != nil {
		return 0, err
	}
	body := &directory.DeskEpoch{D: desk, E: epoch, RK: rkOf(id), Why: why}
	if body.Pkg, err = o.wrapFor(ctx, desk, epoch, id); err != nil {
		return 0, err
	}
	if err := o.opensOwn(desk, epoch, id); err != nil {
		return 0, err
	}
	if body.Esc, err = o.escrow(ctx, desk, epoch, id); err != nil {
		return 0, err
	}
	if err := o.Client.PutKey(ctx, id.Recipient().String()); err != nil {
		return 0, err
	}
	if err := o.hold(desk, epoch, id); err != nil {
		return 0, err
	}
	idx, err := o.propose(ctx, body, func(v directory.View) bool {
		e, ok := v.Epoch(desk, epoch)
		return ok && e.RK == body.RK
	})
	if err != nil {
		return 0, err
	}
	_, err = o.Await(ctx, idx)
	return epoch, err
}

// madeJustNow reports whether an epoch is this officer's own of today, for the
// present members, and still waits to be acknowledged: the answer to the run that
// made it was lost, and another key would only make the desk wait longer.
func (o *Office) madeJustNow(e directory.Epoch) bool {
	me, err := o.Me()
	if err != nil || e.ByOfficer != me.U || e.By != me.KeyID || e.Acked || e.Disputed || o.Now() >= e.At+day {
		return false
	}
	staff, err := o.staff(e.D)
	if err != nil || len(staff) != len(e.Pkg) {
		return false
	}
	for _, member := range staff {
		if !slices.ContainsFunc(e.Pkg, func(p directory.Package) bool { return p.Key == member.KeyID }) {
			return false
		}
	}
	return true
}

// rkOf is the hash by which the directory knows an epoch's key.
func rkOf(id *age.HybridIdentity) string { return directory.RecipientHash(id.Recipient().String()) }

// draftKey is the key of an epoch that is not on record: the one of a run that was
// interrupted, which only this keystore knows, else a fresh one.
func (o *Office) draftKey(desk string, epoch int64) (*age.HybridIdentity, error) {
	if id, ok := o.Keys.DeskIdentity(desk, epoch); ok {
		return id, nil
	}
	return age.GenerateHybridIdentity()
}

// hold puts a key that the directory names, or is about to, into the keystore, and
// keeps it. Another key of the same number was drafted here and lost the number to
// a colleague's: nothing can ever be sealed to it, so it gives way.
func (o *Office) hold(desk string, epoch int64, id *age.HybridIdentity) error {
	if err := o.add(desk, epoch, id); err != nil {
		return err
	}
	if o.Keep == nil {
		return nil
	}
	if err := o.Keep(); err != nil {
		return fmt.Errorf("office: key %d of the desk could not be kept: %w", epoch, err)
	}
	return nil
}

// add is hold without keeping it: each package can be fetched again.
func (o *Office) add(desk string, epoch int64, id *age.HybridIdentity) error {
	if have, ok := o.Keys.DeskIdentity(desk, epoch); ok && rkOf(have) != rkOf(id) {
		keys, can := o.Keys.(Dropper)
		if !can {
			return fmt.Errorf("office: key %d of desk %s: %w", epoch, desk, ErrDraft)
		}
		keys.DropDeskEpoch(desk, epoch)
	}
	return o.Keys.AddDeskEpoch(desk, epoch, id)
}

// propose submits a directory statement. Where the exchange says no because the
// same came in before, its answer having been lost, done finds it in the
// directory.
func (o *Office) propose(ctx context.Context, body directory.Body, done func(directory.View) bool) (int64, error) {
	p, err := o.Propose(ctx, body)
	if err == nil {
		if !p.Complete {
			return 0, fmt.Errorf("office: %w: others must sign %s", ErrIncomplete, p.Digest)
		}
		return p.Idx, nil
	}
	if again := o.Sync(ctx); again != nil {
		return 0, errors.Join(err, again)
	}
	if dir := o.Directory(); done(dir.View) {
		return dir.N() - 1, nil
	}
	return 0, err
}

// escrow seals the key for the custodians of the desk's institution, if it has
// any, and uploads the files: the exchange holds the only copies.
func (o *Office) escrow(ctx context.Context, desk string, epoch int64, id *age.HybridIdentity) ([]directory.Escrow, error) {
	dir := o.Directory()
	inst, _ := dir.Institution(dir.InstOfDesk(desk))
	files, err := escrow.Seal(id, desk, epoch, inst.Custodians.Rcps, inst.Custodians.K)
	if err != nil {
		return nil, err
	}
	named := []directory.Escrow{}
	for _, f := range files {
		if err := o.Client.PutPackage(ctx, f.Age); err != nil {
			return nil, err
		}
		named = append(named, directory.Escrow{Cust: f.Cust, SHA256: f.SHA256()})
	}
	return named, nil
}

// Acknowledge opens the package of a desk's latest key, compares the key with
// the directory, keeps it and says so: from then on senders use it. It is kept
// before anybody is told that it is.
func (o *Office) Acknowledge(ctx context.Context, desk string) error {
	if err := o.Sync(ctx); err != nil {
		return err
	}
	e, ok := o.Directory().LatestEpoch(desk)
	if !ok {
		return fmt.Errorf("office: %s: %w", desk, ErrNoEpoch)
	}
	if _, err := o.staff(desk); err != nil {
		return err // senders would seal to somebody whom witnesses did not confirm
	}
	me, err := o.Me()
	if err != nil {
		return err
	}
	if e.ByOfficer == me.U {
		return &Refused{Code: "own_epoch", Desk: desk, Detail: fmt.Sprintf("you made key %d yourself: somebody else confirms it", e.E)}
	}
	id, err := o.openPackage(ctx, desk, e.E)
	if err != nil {
		return err
	}
	if err := o.hold(desk, e.E, id); err != nil {
		return err
	}
	return o.confirmEpoch(ctx, &directory.DeskEpochAck{D: desk, E: e.E}, func(now directory.Epoch) bool {
		return slices.Contains(now.Acks, me.KeyID)
	})
}

// Countersign acknowledges the latest key of a desk with one member, for a
// registrar. She cannot open the package; what she confirms is that the member
// herself read this fingerprint (the 64 hex digits of rk, in groups or not) out to
// her, so that nobody else made the key in that member's name.
func (o *Office) Countersign(ctx context.Context, desk, fingerprint string) (int64, error) {
	if err := o.Sync(ctx); err != nil {
		return 0, err
	}
	e, ok := o.Directory().LatestEpoch(desk)
	if !ok {
		return 0, fmt.Errorf("office: %s: %w", desk, ErrNoEpoch)
	}
	if spoken := strings.NewReplacer(" ", "", "-", "", ".", "", ":", "", "\u00a0", "", "\t", "", "\n", "", "\r", "").Replace(fingerprint); !strings.EqualFold(spoken, e.RK) {
		return 0, &Refused{Code: "fingerprint", Desk: desk, Detail: fmt.Sprintf("that is not the fingerprint of key %d", e.E)}
	}
	mine := statement.KeyID(o.Keys.Signer().Public())
	return e.E, o.confirmEpoch(ctx, &directory.DeskEpochAck{D: desk, E: e.E}, func(now directory.Epoch) bool {
		return slices.Contains(now.Acks, mine)
	})
}

// Dispute says that a key is wrong: its package does not open, holds another key,
// or nobody there made it. Nobody seals to it from then on, whatever was
// acknowledged; the desk rotates again. Of a desk with one member a registrar may.
// epoch 0 is the latest.
func (o *Office) Dispute(ctx context.Context, desk string, epoch int64, why string) (int64, error) {
	if err := o.Sync(ctx); err != nil {
		return 0, err
	}
	if epoch == 0 {
		last, ok := o.Directory().LatestEpoch(desk)
		if !ok {
			return 0, fmt.Errorf("office: %s: %w", desk, ErrNoEpoch)
		}
		epoch = last.E
	}
	return epoch, o.confirmEpoch(ctx, &directory.DeskEpochDispute{D: desk, E: epoch, Why: why}, func(now directory.Epoch) bool {
		return now.Disputed
	})
}

// confirmEpoch submits a word about an epoch and waits until it stands in the
// directory.
func (o *Office) confirmEpoch(ctx context.Context, body directory.Body, said func(directory.Epoch) bool) error {
	var d string
	var e int64
	switch b := body.(type) {
	case *directory.DeskEpochAck:
		d, e = b.D, b.E
	case *directory.DeskEpochDispute:
		d, e = b.D, b.E
	}
	idx, err := o.propose(ctx, body, func(v directory.View) bool {
		now, ok := v.Epoch(d, e)
		return ok && said(now)
	})
	if err != nil {
		return err
	}
	_, err = o.Await(ctx, idx)
	return err
}

// deskKey finds a desk's epoch key in the keystore, else in the package that was
// wrapped for this officer, unless she deleted the key, else in what a colleague
// granted her. A key that the
// directory does not name under this number opens nothing and is not used.
func (o *Office) deskKey(ctx context.Context, desk string, epoch int64) (*age.HybridIdentity, error) {
	e, ok := o.Directory().Epoch(desk, epoch)
	if !ok {
		return nil, fmt.Errorf("office: key %d of desk %s: %w", epoch, desk, ErrNoEpoch)
	}
	if id, ok := o.Keys.DeskIdentity(desk, epoch); ok && rkOf(id) == e.RK {
		return id, nil
	}
	id, err := o.openPackage(ctx, desk, epoch)
	if o.Notebook.forgottenAt(o.me(), desk, epoch) != 0 {
		err = ErrForgotten
	}
	if errors.Is(err, ErrNoPackage) || errors.Is(err, ErrForgotten) {
		_, wrong := o.TakeShares(ctx, desk)
		if id, ok := o.Keys.DeskIdentity(desk, epoch); ok && rkOf(id) == e.RK {
			return id, nil
		}
		err = errors.Join(err, wrong)
	}
	if err != nil {
		return nil, fmt.Errorf("office: key %d of desk %s: %w", epoch, desk, err)
	}
	return id, o.add(desk, epoch, id)
}
