package office

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/escrow"
)

// MaxHandover bounds the file that goes from custodian to custodian, in bytes.
const MaxHandover = 2 << 20

// A Handover is what one custodian gives to the next: the files of a release with
// the layers that are left, each still sealed to whoever comes next. It may travel
// by any way.
type Handover struct {
	evidence.EscrowAsk
	Files   []HandoverFile `json:"files"` // one for each epoch, ascending
	Release int64          `json:"release"`
	Type    string         `json:"type"`
	V       int            `json:"v"`
}

// HandoverFile is the escrow of one epoch.
type HandoverFile struct {
	Age    []byte `json:"age"`
	Cust   []int  `json:"cust"` // seats, in the order in which they peel
	E      int64  `json:"e"`
	Peeled int    `json:"peeled"` // layers that are off
	SHA256 string `json:"sha256"` // of the whole file, as desk.epoch names it
}

const typeHandover = "odziv-escrow"

// ParseHandover reads a handover. What it says is believed only as far as the
// directory and the release bear it out.
func ParseHandover(data []byte) (*Handover, error) {
	var h Handover
	bad := func(why string) (*Handover, error) { return nil, fmt.Errorf("office: %w: %s", ErrHandover, why) }
	if len(data) > MaxHandover {
		return bad("it is too long")
	}
	if err := statement.Unmarshal(data, &h); err != nil {
		return bad("it cannot be read, or was changed")
	}
	if h.Type != typeHandover || h.V != 1 || h.Release < 0 || len(h.Files) != len(h.Epochs) || len(h.Files) == 0 || len(h.Files) > maxAsked {
		return bad("its members do not fit together")
	}
	for i, f := range h.Files {
		if f.E != h.Epochs[i] || len(f.Age) == 0 || len(f.Age) > escrow.MaxFile || f.Peeled < 0 || f.Peeled >= len(f.Cust) || len(f.Cust) > escrow.MaxCustodians {
			return bad(fmt.Sprintf("file %d of it is none of an escrow", i+1))
		}
	}
	return &h, nil
}

// Encode spells a handover.
func (h *Handover) Encode() ([]byte, error) { return statement.Marshal(h) }

// A Turn is what one custodian's turn led to.
type Turn struct {
	Recovery
	Peeled  int       // layers that she took off
	Next    *Handover // for the next custodian; nil if nothing is left sealed
	NextKey string    // key id of the custodian who comes next
	Gift    []byte    // for the officer, an age file sealed to her; of a rehearsal nil
	Proven  []int64   // epochs whose key came out and is the directory's
}

// OpenEscrow takes a custodian's turn in a release: she takes off her layers. h is
// what the custodian before her handed over, nil for who begins. Nothing is kept and
// nothing is on record but by the last: what comes out is held in memory, compared
// with the directory, sealed to the officer who is to receive it (not at a
// rehearsal) and given to keep, and only then is it said on record. So whoever is
// interrupted takes the same turn again.
func (o *Office) OpenEscrow(ctx context.Context, packFamily string, ask evidence.EscrowAsk, h *Handover, keep func(gift []byte) error) (Turn, error) {
	if err := o.Sync(ctx); err != nil {
		return Turn{}, err
	}
	if h != nil {
		ask = h.EscrowAsk
	}
	r, err := o.releaseFor(ctx, ask)
	if err != nil {
		return Turn{}, err
	}
	t := Turn{Recovery: r}
	passedOn := h != nil
	if h == nil {
		h, err = o.fetchEscrow(ctx, r)
	} else {
		err = o.checkHandover(r, h)
	}
	if err != nil {
		return t, err
	}
	found, err := o.peel(&t, h)
	// What was damaged on the way says nothing about the escrow: it is passed on again.
	if errors.Is(err, ErrEscrow) || errors.Is(err, escrow.ErrFormat) && !passedOn {
		return t, errors.Join(err, o.reportEscrow(ctx, packFamily, ask, r.Release.Idx, evidence.OutcomeFailed))
	}
	if err != nil || t.Next != nil {
		return t, err
	}
	return t, o.conclude(ctx, packFamily, &t, found, keep)
}

// conclude hands over what came out, then says so on record.
func (o *Office) conclude(ctx context.Context, packFamily string, t *Turn, found []recovered, keep func([]byte) error) error {
	if t.Purpose == evidence.PurposeRecovery {
		if err := o.receiver(t.EscrowAsk); err != nil {
			return err
		}
		to, _ := o.Directory().Officer(t.Officer)
		if seen, _ := o.Directory().At(t.Release.asked).Officer(t.Officer); seen.KeyID != to.KeyID || seen.Rcp != to.Rcp {
			return &Refused{Code: "escrow_officer", Desk: t.Desk,
				Detail: fmt.Sprintf("officer %s got another key since custodians compared hers", t.Officer)}
		}
		gift, err := sealGift(to.Rcp, t.Desk, found)
		if err != nil {
			return err
		}
		t.Gift = gift
		if err := keep(gift); err != nil {
			return err
		}
	}
	return o.reportEscrow(ctx, packFamily, t.EscrowAsk, t.Release.Idx, evidence.OutcomeMatched)
}

// releaseFor finds the release in force of what was asked for, which must name this
// custodian and stand under a signed checkpoint: before that nobody fetches.
func (o *Office) releaseFor(ctx context.Context, ask evidence.EscrowAsk) (Recovery, error) {
	if _, err := o.Custodian(o.Directory().InstOfDesk(ask.Desk)); err != nil {
		return Recovery{}, err
	}
	trail, err := o.EscrowTrail(ctx, ask.Desk)
	if err != nil {
		return Recovery{}, err
	}
	all := o.Recoveries(trail)
	at := slices.IndexFunc(all, func(r Recovery) bool { return r.EscrowAsk.Equal(&ask) })
	if at < 0 || !all[at].Release.InForce(o.Now()) || !slices.Contains(all[at].Release.By, o.me()) {
		return Recovery{}, fmt.Errorf("office: desk %s: %w", ask.Desk, ErrNoRelease)
	}
	if all[at].Release.Standing == NotConfirmed {
		return all[at], fmt.Errorf("office: the release: %w", ErrNotConfirmed)
	}
	return all[at], nil
}

// fetchEscrow gets one file for each epoch of a release. That they are released
// stands in the ledger: an exchange that does not give them out, or gives others, is
// convicted by it.
func (o *Office) fetchEscrow(ctx context.Context, r Recovery) (*Handover, error) {
	h := &Handover{EscrowAsk: r.EscrowAsk, Release: r.Release.Idx, Type: typeHandover, V: 1}
	for _, e := range r.Epochs {
		at := slices.IndexFunc(r.Release.data.Files, func(f evidence.ReleasedFile) bool { return f.E == e })
		if at < 0 {
			return nil, o.lie(fmt.Sprintf("it released the escrow of the desk in entry %d without a file of key %d", r.Release.Idx, e))
		}
		f := r.Release.data.Files[at]
		epoch, _ := o.Directory().Epoch(r.Desk, e)
		if !slices.ContainsFunc(epoch.Esc, func(x directory.Escrow) bool { return x.SHA256 == f.SHA256 && slices.Equal(x.Cust, f.Cust) }) {
			return nil, o.lie(fmt.Sprintf("it released a file in entry %d that the directory does not name", r.Release.Idx))
		}
		data, err := o.Client.EscrowFile(ctx, r.Desk, e, f.SHA256)
		switch {
		case errors.Is(err, client.ErrDigest):
			return nil, o.lie(fmt.Sprintf("it offered another escrow file of key %d than the directory names", e), []byte(f.SHA256))
		case IsCode(err, "not_found"), IsCode(err, "escrow_sealed"):
			return nil, o.lie(fmt.Sprintf("entry %d releases the escrow file of key %d to you, and it does not give it out", r.Release.Idx, e), []byte(f.SHA256))
		case err != nil:
			return nil, err
		}
		h.Files = append(h.Files, HandoverFile{Age: data, Cust: f.Cust, E: e, SHA256: f.SHA256})
	}
	return h, nil
}

// checkHandover wants the files of the release, at least by name: what is left of
// them proves itself by opening.
func (o *Office) checkHandover(r Recovery, h *Handover) error {
	for _, f := range h.Files {
		released := slices.ContainsFunc(r.Release.data.Files, func(x evidence.ReleasedFile) bool {
			return x.E == f.E && x.SHA256 == f.SHA256 && slices.Equal(x.Cust, f.Cust)
		})
		whole := sha256.Sum256(f.Age)
		if !released || h.Release != r.Release.Idx || f.Peeled == 0 && hex.EncodeToString(whole[:]) != f.SHA256 {
			return fmt.Errorf("office: %w: key %d is not of the release in entry %d", ErrHandover, f.E, r.Release.Idx)
		}
	}
	return nil
}

// recovered is a key that came out of its escrow.
type recovered struct {
	e  int64
	id *age.HybridIdentity
}

// peel takes off the layers that are this custodian's.
func (o *Office) peel(t *Turn, h *Handover) ([]recovered, error) {
	next := *h
	next.Files = slices.Clone(h.Files)
	var found []recovered
	left := false
	for i := range next.Files {
		id, err := o.peelFile(t, h.Desk, &next.Files[i])
		if err != nil {
			return nil, err
		}
		if id == nil {
			left = true
			continue
		}
		found = append(found, recovered{next.Files[i].E, id})
		t.Proven = append(t.Proven, next.Files[i].E)
	}
	if !left {
		return found, nil
	}
	if t.Peeled == 0 {
		return nil, fmt.Errorf("office: %w: it goes to %s", ErrNotYours, orNobody(t.NextKey))
	}
	if len(found) > 0 { // their seats changed between the keys: nobody may hold some while others are sealed
		return nil, fmt.Errorf("office: %w: the keys have different last custodians; ask for them in separate requests", ErrHandover)
	}
	t.Next = &next
	return nil, nil
}

func orNobody(keyID string) string {
	if keyID == "" {
		return "a custodian who was replaced"
	}
	return "the custodian with the key " + keyID
}

// peelFile takes off the next layer of one file if it is this custodian's. It
// returns the key under the last one, which must be the directory's.
func (o *Office) peelFile(t *Turn, desk string, f *HandoverFile) (*age.HybridIdentity, error) {
	dir := o.Directory()
	epoch, _ := dir.Epoch(desk, f.E)
	seat, ok := dir.EscrowSeat(epoch, o.me())
	if !ok || f.Cust[f.Peeled] != seat {
		t.NextKey = o.keyAt(epoch, f.Cust[f.Peeled])
		return nil, nil
	}
	p, err := escrow.Peel(f.Age, o.Keys.Identity())
	if errors.Is(err, escrow.ErrNotMine) {
		return nil, fmt.Errorf("office: %w: key %d does not open with yours, although the turn is yours", escrow.ErrFormat, f.E)
	}
	if err != nil {
		return nil, fmt.Errorf("office: key %d: %w", f.E, err)
	}
	t.Peeled++
	id, last := p.Identity()
	if last != (f.Peeled+1 == len(f.Cust)) {
		return nil, fmt.Errorf("office: key %d: %w: it has not as many layers as custodians", f.E, escrow.ErrFormat)
	}
	if !last {
		f.Age, f.Peeled = p.Next(), f.Peeled+1
		t.NextKey = o.keyAt(epoch, f.Cust[f.Peeled])
		return nil, nil
	}
	if rkOf(id) != epoch.RK {
		return nil, fmt.Errorf("office: key %d of desk %s, made by officer %s: %w", f.E, desk, epoch.ByOfficer, ErrEscrow)
	}
	return id, nil
}

// keyAt is what the custodian with a seat in an epoch signs with now.
func (o *Office) keyAt(epoch directory.Epoch, seat int) string {
	dir := o.Directory()
	then := dir.EscrowOf(epoch)
	if seat >= len(then.Rcps) {
		return ""
	}
	inst, _ := dir.Institution(dir.InstOfDesk(epoch.D))
	return inst.Custodians.KeyOf(then.Rcps[seat])
}
