package office

import (
	"cmp"
	"context"
	"slices"

	"github.com/odziv/odziv/keys/directory"
)

// What a desk's key asks of its members.
const (
	// RenewNow: somebody has the key who ought not to, or it is a year old.
	RenewNow = "rotate"
	// RenewSoon: it will be a year old within [renewAhead].
	RenewSoon = "rotate-soon"
	// RenewConfirm: a colleague made a new key, and this officer can confirm it.
	RenewConfirm = "acknowledge"
	// RenewWaits: this officer made a new key, which somebody else must confirm.
	RenewWaits = "wait"
	// RenewFirst: the desk has no key that anybody confirmed.
	RenewFirst = "first"
)

// renewAhead is how long before a year is over one is told, in ms: a month.
const renewAhead = 30 * day

// Renewal says what a desk's key asks of its members, and by when.
type Renewal struct {
	Desk    string `json:"desk"`
	What    string `json:"what"`              // one of the Renew words
	Epoch   int64  `json:"epoch,omitempty"`   // that it is about
	Why     string `json:"why,omitempty"`     // reason code of [directory.Staleness]
	Officer string `json:"officer,omitempty"` // whose leaving or key it is
	Since   int64  `json:"since,omitempty"`   // ms
	// By is when others begin to wait with everything that is not immediate, ms; of
	// [RenewSoon] when the key is a year old. 0 where nothing waits.
	By int64 `json:"by,omitempty"`
	// Alone: nobody else at the desk can confirm a key, so a registrar does.
	Alone bool `json:"alone,omitempty"`
}

// Renewals lists what the keys of desks ask of this officer, the most pressing of
// each desk alone.
func (o *Office) Renewals(desks ...string) []Renewal {
	me, err := o.Me()
	if err != nil {
		return []Renewal{}
	}
	list := []Renewal{}
	for _, d := range desks {
		if r, ok := o.renewal(d, me); ok {
			list = append(list, r)
		}
	}
	return list
}

func (o *Office) renewal(desk string, me directory.Officer) (Renewal, bool) {
	dir, now := o.Directory(), o.Now()
	active, sealed := dir.ActiveEpoch(desk)
	latest, _ := dir.LatestEpoch(desk)
	stale, isStale := dir.Staleness(desk, now)
	r := Renewal{Desk: desk, Epoch: active.E, Why: stale.Why, Officer: stale.Officer, Since: stale.Since}
	if isStale {
		r.By = stale.Since + day
	}
	switch waiting := latest.E > active.E && !latest.Disputed; {
	case waiting && latest.ByOfficer == me.U:
		r.What, r.Epoch, r.Alone = RenewWaits, latest.E, len(latest.Pkg) == 1
	case waiting && has(latest, me.KeyID):
		r.What, r.Epoch = RenewConfirm, latest.E
	case !sealed:
		r.What = RenewFirst
	case isStale:
		r.What = RenewNow
	case now >= active.At+directory.EpochLife-renewAhead:
		r.What, r.Why, r.By = RenewSoon, directory.StaleAge, active.At+directory.EpochLife
	default:
		return r, false
	}
	return r, true
}

// Retired is an epoch that was superseded, and whether its key may be forgotten.
type Retired struct {
	Epoch      int64 `json:"epoch"`
	Superseded int64 `json:"superseded"` // when the next key was confirmed, ms
	Messages   int   `json:"messages"`   // of the desk that are sealed to it
	Unopened   int   `json:"unopened"`   // of these, nobody opened yet
	Owed       int   `json:"owed"`       // of these, with an answer still owed by the desk or to it
}

// Forgettable reports whether nothing speaks against forgetting the key.
func (r Retired) Forgettable() bool { return r.Unopened == 0 && r.Owed == 0 }

// Retired lists the keys of a desk that this officer holds and that were
// superseded at least olderThan ms ago, ascending, each with what is still sealed
// to it. A key of a disputed epoch is none of these until a later one is confirmed.
func (o *Office) Retired(ctx context.Context, desk string, olderThan int64) ([]Retired, error) {
	list := []Retired{}
	dir := o.Directory()
	active, _ := dir.ActiveEpoch(desk)
	for n := int64(1); n < active.E; n++ {
		if _, held := o.Keys.DeskIdentity(desk, n); !held {
			continue
		}
		if since := superseded(dir.View, desk, n); since != 0 && since <= o.Now()-olderThan {
			list = append(list, Retired{Epoch: n, Superseded: since})
		}
	}
	if len(list) == 0 {
		return list, nil
	}
	letters, err := o.Letters(ctx, desk)
	if err != nil {
		return nil, err
	}
	owed, err := o.owedOver(ctx, desk)
	if err != nil {
		return nil, err
	}
	for _, l := range letters {
		if to, ok := l.notice.Core.Recipient(desk); ok {
			if at, found := slices.BinarySearchFunc(list, to.Epoch, func(r Retired, n int64) int { return cmp.Compare(r.Epoch, n) }); found {
				list[at].count(l, owed[l.Msg])
			}
		}
	}
	return list, nil
}

func (r *Retired) count(l Letter, owed bool) {
	r.Messages++
	if !l.Mine && l.Opened == 0 {
		r.Unopened++
	}
	if owed {
		r.Owed++
	}
}

// superseded is when the first key after an epoch was confirmed that is not
// disputed, ms; 0 if none was.
func superseded(v directory.View, desk string, epoch int64) int64 {
	latest, _ := v.LatestEpoch(desk)
	for n := epoch + 1; n <= latest.E; n++ {
		if e, ok := v.Epoch(desk, n); ok && e.Acked && !e.Disputed {
			return e.AckedAt
		}
	}
	return 0
}

// owedOver are the messages whose obligations are still open, on either side of a
// desk.
func (o *Office) owedOver(ctx context.Context, desk string) (map[string]bool, error) {
	open := map[string]bool{}
	for _, owing := range []bool{false, true} {
		duties, err := o.Duties(ctx, desk, owing, false)
		if err != nil {
			return nil, err
		}
		for _, d := range duties {
			open[d.TriggerObj] = true
		}
	}
	return open, nil
}
