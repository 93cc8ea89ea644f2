package evidence

import (
	"errors"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/statement"
)

// Purposes of asking for an escrow.
const (
	PurposeRecovery  = "recovery"  // the desk lost its keys: an officer receives them
	PurposeRehearsal = "rehearsal" // to prove that it would work: nobody receives anything
)

// What came of opening an escrow.
const (
	OutcomeMatched = "matched" // inside was the key that the directory names
	OutcomeFailed  = "failed"  // it was not, or nothing opened
)

// EscrowTerm is how long a request counts, and a release lasts, in ms: 7 days.
const EscrowTerm = 7 * 24 * 3600 * 1000

// maxEscrowEpochs bounds the epochs of one request.
const maxEscrowEpochs = 64

// An EscrowAsk says what an escrow is to be opened for. Custodians whose asks are
// equal ask together.
type EscrowAsk struct {
	Desk    string  `json:"desk"`
	Epochs  []int64 `json:"epochs"`  // ascending
	Officer string  `json:"officer"` // who is to receive the keys; at a rehearsal, who would
	Purpose string  `json:"purpose"`
}

// Equal reports whether two ask for the same.
func (a *EscrowAsk) Equal(b *EscrowAsk) bool {
	return a.Desk == b.Desk && a.Officer == b.Officer && a.Purpose == b.Purpose && slices.Equal(a.Epochs, b.Epochs)
}

// EscrowRequest is the payload of escrow.requested: one custodian asks that the
// escrow of a desk be opened. by.desk is the desk to be recovered, by.key the
// custodian's.
type EscrowRequest struct {
	statement.Head
	EscrowAsk
	Reason string `json:"reason"`
}

// EscrowRefusal is the payload of escrow.refused: a custodian says that she will
// not take part in what another asked for, and withdraws what she asked herself.
type EscrowRefusal struct {
	statement.Head
	EscrowAsk
	Reason string `json:"reason"`
}

// EscrowReport is the payload of escrow.opened: the custodian who took off the last
// layer says what was inside.
type EscrowReport struct {
	statement.Head
	EscrowAsk
	Outcome string `json:"outcome"`
	Release int64  `json:"release"` // index of the escrow.released under which the files were fetched
}

// ReleasedData is the data of escrow.released: exactly these custodians may fetch
// exactly these files, until a time.
type ReleasedData struct {
	EscrowAsk
	Files    []ReleasedFile `json:"files"`
	Requests []ReleaseAsk   `json:"requests"` // those that together were enough, by index
	Until    int64          `json:"until"`    // exclusive, ms
}

// ReleasedFile is one escrow file of an epoch, sealed to custodians all of whom
// asked.
type ReleasedFile struct {
	Cust   []int  `json:"cust"` // their numbers in the escrow of the epoch
	E      int64  `json:"e"`
	SHA256 string `json:"sha256"`
}

// ReleaseAsk names a request and who made it.
type ReleaseAsk struct {
	Idx int64  `json:"idx"`
	Key string `json:"key"`
}

// IsEscrow reports whether an event is about the escrow of a desk.
func IsEscrow(event string) bool {
	switch event {
	case EscrowRequested, EscrowRefused, EscrowReleased, EscrowOpened:
		return true
	}
	return false
}

// ParseEscrowRequest decodes and checks an escrow.requested.
func ParseEscrowRequest(d *statement.DSSE) (*EscrowRequest, error) {
	var r EscrowRequest
	if err := parse(d, EscrowRequested, &r, &r.Head); err != nil {
		return nil, err
	}
	return &r, errors.Join(r.checkFor(&r.Head), statement.CheckCode("reason", r.Reason))
}

// ParseEscrowRefusal decodes and checks an escrow.refused.
func ParseEscrowRefusal(d *statement.DSSE) (*EscrowRefusal, error) {
	var r EscrowRefusal
	if err := parse(d, EscrowRefused, &r, &r.Head); err != nil {
		return nil, err
	}
	return &r, errors.Join(r.checkFor(&r.Head), statement.CheckCode("reason", r.Reason))
}

// ParseEscrowReport decodes and checks an escrow.opened.
func ParseEscrowReport(d *statement.DSSE) (*EscrowReport, error) {
	var o EscrowReport
	if err := parse(d, EscrowOpened, &o, &o.Head); err != nil {
		return nil, err
	}
	if err := o.checkFor(&o.Head); err != nil {
		return nil, err
	}
	if o.Outcome != OutcomeMatched && o.Outcome != OutcomeFailed {
		return nil, fmt.Errorf("outcome: %.40q is neither matched nor failed", o.Outcome)
	}
	if o.Release < 0 {
		return nil, errors.New("release: not the index of a leaf")
	}
	return &o, nil
}

func (a *EscrowAsk) checkFor(h *statement.Head) error {
	if h.Case != "" {
		return errors.New("case: an escrow belongs to no case")
	}
	if a.Desk != h.By.Desk {
		return errors.New("desk: by.desk is the desk to be recovered")
	}
	return a.check()
}

func (a *EscrowAsk) check() error {
	if err := statement.CheckID("desk", a.Desk, statement.Desk); err != nil {
		return err
	}
	if err := statement.CheckID("officer", a.Officer, statement.Officer); err != nil {
		return err
	}
	if a.Purpose != PurposeRecovery && a.Purpose != PurposeRehearsal {
		return fmt.Errorf("purpose: %.40q is neither recovery nor rehearsal", a.Purpose)
	}
	if len(a.Epochs) == 0 || len(a.Epochs) > maxEscrowEpochs {
		return fmt.Errorf("epochs: %d of them, want 1 to %d", len(a.Epochs), maxEscrowEpochs)
	}
	for i, e := range a.Epochs {
		if e < 1 || i > 0 && e <= a.Epochs[i-1] {
			return errors.New("epochs: they are positive and ascend")
		}
	}
	return nil
}

// Keys are the key ids of those who asked.
func (r *ReleasedData) Keys() []string {
	keys := make([]string, len(r.Requests))
	for i, q := range r.Requests {
		keys[i] = q.Key
	}
	return keys
}

// Check refuses data of an escrow.released that no exchange can have meant.
func (r *ReleasedData) Check() error {
	if err := r.check(); err != nil {
		return err
	}
	if len(r.Requests) < 1 || len(r.Requests) > 5 || len(r.Files) < len(r.Epochs) || len(r.Files) > 10*len(r.Epochs) || r.Until <= 0 {
		return errors.New("requests, files or until is out of range")
	}
	for i, q := range r.Requests {
		if !statement.IsKeyID(q.Key) || q.Idx < 0 || i > 0 && q.Idx <= r.Requests[i-1].Idx {
			return errors.New("requests: each has a key, and their indexes ascend")
		}
	}
	if repeats(r.Keys()) {
		return errors.New("requests: each is by another custodian")
	}
	for _, f := range r.Files {
		if !statement.IsHash(f.SHA256) || !slices.Contains(r.Epochs, f.E) || len(f.Cust) == 0 || len(f.Cust) > len(r.Requests) {
			return errors.New("files: each is of an epoch asked for, and sealed to no more than asked")
		}
	}
	return nil
}

// An EscrowStep is one leaf about the escrow of a desk, decoded.
type EscrowStep struct {
	Idx, At int64
	Ev      string
	Key     string     // of the custodian who signed; "" of a release
	Ask     *EscrowAsk // what it is about
	Reason  string     // of a request or a refusal
	Release *ReleasedData
	Report  *EscrowReport
}

// EscrowStepOf decodes an opening of one of the events [IsEscrow] names. It
// verifies no signature.
func EscrowStepOf(meta *Meta, priv *Priv) (EscrowStep, error) {
	step := EscrowStep{Idx: meta.Idx, At: meta.At, Ev: meta.Ev}
	if meta.Ev == EscrowReleased {
		step.Release = &ReleasedData{}
		step.Ask = &step.Release.EscrowAsk
		return step, statement.Unmarshal(priv.Data, step.Release)
	}
	if priv.Stmt == nil {
		return step, errors.New("a signed event without its statement")
	}
	return step, step.said(priv.Stmt)
}

func (s *EscrowStep) said(d *statement.DSSE) error {
	switch s.Ev {
	case EscrowRequested:
		r, err := ParseEscrowRequest(d)
		if err != nil {
			return err
		}
		s.Key, s.Ask, s.Reason = r.By.Key, &r.EscrowAsk, r.Reason
	case EscrowRefused:
		r, err := ParseEscrowRefusal(d)
		if err != nil {
			return err
		}
		s.Key, s.Ask, s.Reason = r.By.Key, &r.EscrowAsk, r.Reason
	default:
		r, err := ParseEscrowReport(d)
		if err != nil {
			return err
		}
		s.Key, s.Ask, s.Report = r.By.Key, &r.EscrowAsk, r
	}
	return nil
}

// Asking are the requests for the same that still count at a time, of a trail
// whose oldest step comes first: none older than [EscrowTerm], none that a release
// used up, none that its custodian withdrew.
func Asking(trail []EscrowStep, ask *EscrowAsk, now int64) []ReleaseAsk {
	var open []ReleaseAsk
	for _, s := range trail {
		if s.At <= now-EscrowTerm || !s.Ask.Equal(ask) {
			continue
		}
		switch s.Ev {
		case EscrowRequested:
			open = append(open, ReleaseAsk{Idx: s.Idx, Key: s.Key})
		case EscrowRefused:
			open = slices.DeleteFunc(open, func(r ReleaseAsk) bool { return r.Key == s.Key })
		case EscrowReleased:
			open = slices.DeleteFunc(open, func(r ReleaseAsk) bool {
				return slices.ContainsFunc(s.Release.Requests, func(used ReleaseAsk) bool { return used.Idx == r.Idx })
			})
		}
	}
	return open
}
