package observe

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// A Shown change is one with all that an administrator compares before she
// accepts it.
type Shown struct {
	Change
	Payload json.RawMessage `json:"payload"`
	By      []Signatory     `json:"by"`
	Before  json.RawMessage `json:"before,omitempty"` // payload of the last statement of this type about this subject
}

// Signatory is whose a signature is, as the directory knew the key then.
type Signatory struct {
	Key     string `json:"key"`
	Kind    string `json:"kind"` // "" if the key was in force for nobody
	Inst    string `json:"inst,omitempty"`
	Officer string `json:"officer,omitempty"`
}

// Show returns a change that is mirrored, accepted or not.
func (o *Observer) Show(ctx context.Context, idx int64) (Shown, error) {
	o.mu.Lock()
	changes := slices.Clone(o.changes)
	o.mu.Unlock()
	i := slices.IndexFunc(changes, func(c Change) bool { return c.Idx == idx })
	if i < 0 {
		return Shown{}, ErrNoChange
	}
	s := Shown{Change: changes[i], By: []Signatory{}}
	var err error
	if s.Payload, err = o.payload(ctx, idx); err != nil {
		return s, err
	}
	for _, key := range s.Signers {
		s.By = append(s.By, o.signatory(key, idx))
	}
	for i--; i >= 0; i-- {
		if changes[i].Subject == s.Subject && changes[i].Type == s.Type {
			s.Before, err = o.payload(ctx, changes[i].Idx)
			break
		}
	}
	return s, err
}

func (o *Observer) payload(ctx context.Context, idx int64) (json.RawMessage, error) {
	leaf, err := o.mirrors[ledger.Dir].Entry(ctx, idx)
	if err != nil {
		return nil, err
	}
	signed, err := directory.Decode(leaf)
	if err != nil {
		return nil, err
	}
	return json.RawMessage(signed.DSSE.Payload), nil
}

// signatory looks a key up as it was before an entry, and, for a key that the
// entry itself brought in, after it.
func (o *Observer) signatory(key string, idx int64) Signatory {
	for _, n := range []int64{idx, idx + 1} {
		if a, ok := o.Directory().At(n).Actor(key); ok {
			return Signatory{key, string(a.Kind), a.Inst, a.Officer}
		}
	}
	return Signatory{Key: key}
}

// TreeStatus is what is mirrored of one tree.
type TreeStatus struct {
	Size     int64  `json:"size"`
	Standing string `json:"standing"` // of its latest checkpoint; "" if nothing is mirrored
	Quorum   int64  `json:"quorum"`   // when enough witnesses cosigned last, ms; 0: never, or nobody is asked
}

// Status is what an observer holds and what is wrong.
type Status struct {
	Dir      TreeStatus `json:"dir"`
	Ev       TreeStatus `json:"ev"`
	Answered int64      `json:"answered"` // when the exchange answered last, ms; 0: never
	Whole    int64      `json:"whole"`    // when everything was compared last, ms; 0: never
	Alarms   int        `json:"alarms"`
	Warnings int        `json:"warnings"`
	Waiting  int        `json:"waiting"` // statements about the institution that nobody accepted
}

// Status sums up.
func (o *Observer) Status() (Status, error) {
	var s Status
	list, err := o.Alarms.List(false)
	waiting, waitErr := o.Waiting()
	if err := errors.Join(err, waitErr); err != nil {
		return s, err
	}
	s.Waiting = len(waiting)
	for _, a := range list {
		if a.Level == Severe {
			s.Alarms++
		} else {
			s.Warnings++
		}
	}
	s.Dir, s.Ev = o.treeStatus(ledger.Dir), o.treeStatus(ledger.Ev)
	o.mu.Lock()
	defer o.mu.Unlock()
	s.Answered, s.Whole = o.seen.Answered, o.seen.Whole
	s.Dir.Quorum, s.Ev.Quorum = o.seen.Quorum[ledger.Dir.String()], o.seen.Quorum[ledger.Ev.String()]
	return s, nil
}

func (o *Observer) treeStatus(log ledger.Log) TreeStatus {
	at, held := o.mirrors[log].At()
	s := TreeStatus{Size: at.Size}
	if policy, err := o.policy(log); err == nil && held != nil {
		s.Standing = string(policy.Standing(held))
	}
	return s
}
