package office

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
)

// What gives somebody a right counts once a quorum of witnesses confirmed it;
// what takes one away counts at once. So a question is asked of both: of the
// beginning of the directory that counts, and of all of it.

// Caution is something a person ought to know about what was done all the same.
type Caution struct {
	Code  string `json:"code"`
	Desk  string `json:"desk,omitempty"`
	Since int64  `json:"since,omitempty"` // ms
}

// Codes of cautions.
const (
	// CautionStaleKey: the key of Desk ought to be renewed since Since, because
	// somebody who holds it ought not to any more, or for its age.
	CautionStaleKey = "stale-key"
	// CautionProvisionalKey: the key of Desk was not confirmed by witnesses yet
	// and was used because life is in danger.
	CautionProvisionalKey = "provisional-key"
	// CautionStaleDirectory: no quorum confirmed the directory since Since, and
	// the message says so.
	CautionStaleDirectory = "stale-directory"
)

// day is how long a desk may take to renew a key before only what is immediate
// is sealed to it, in ms.
const day = 24 * 3600 * 1000

// sealingEpoch is the key that a desk is sealed to. It is the active one of the
// whole directory, for the exchange takes no other; and it counts only if it is
// acknowledged and undisputed in the part that witnesses confirmed. A key that
// they did not confirm yet is refused, unless the message is immediate and the
// last quorum less than a day old: then life weighs more than the chance that
// the exchange, two registrars of that institution and their silence deceive
// this one sender, who holds the proof of it afterwards.
func (o *Office) sealingEpoch(desk, urgency string) (directory.Epoch, []Caution, error) {
	dir, counted, w := o.Directory(), o.Counted(), o.Watch()
	e, ok := dir.ActiveEpoch(desk)
	if !ok {
		return e, nil, noKey(desk)
	}
	immediate := urgency == messaging.Immediate
	var cautions []Caution
	known, ok := counted.Epoch(desk, e.E)
	if confirmed := ok && known.Acked && !known.Disputed; !confirmed && !o.holds(e) {
		if !immediate || w.Stale {
			return e, nil, provisionalKey(desk)
		}
		cautions = append(cautions, Caution{Code: CautionProvisionalKey, Desk: desk})
	}
	if since, stale := dir.Stale(desk, o.Now()); stale {
		if !immediate && o.Now() >= since+day {
			return e, nil, o.staleKey(desk)
		}
		cautions = append(cautions, Caution{Code: CautionStaleKey, Desk: desk, Since: since})
	}
	return e, cautions, nil
}

// holds reports whether this officer holds the key itself, of a desk of her own:
// then there is nobody to be deceived about it.
func (o *Office) holds(e directory.Epoch) bool {
	id, ok := o.Keys.DeskIdentity(e.D, e.E)
	return ok && directory.RecipientHash(id.Recipient().String()) == e.RK
}

func noKey(desk string) error {
	return &Refused{Code: "epoch", Desk: desk,
		Detail: fmt.Sprintf("desk %s has no key that a second member confirmed, so nothing can be sealed to it", desk)}
}

func provisionalKey(desk string) error {
	return &Refused{Code: "epoch_provisional", Desk: desk,
		Detail: fmt.Sprintf("the new key of desk %s is provisional: the exchange signed it, witnesses have not confirmed it yet", desk)}
}

func (o *Office) staleKey(desk string) error {
	r := &Refused{Code: "epoch_stale", Desk: desk, Detail: fmt.Sprintf("desk %s must renew its key first", desk)}
	if me, err := o.Me(); err == nil && o.Directory().IsMember(desk, me.U) {
		r.Detail = fmt.Sprintf("your own desk %s, which keeps a copy of what it sends, must renew its key first", desk)
	}
	return r
}

// awaitKeys gives witnesses a moment to confirm the keys of desks that were
// renewed just now.
func (o *Office) awaitKeys(ctx context.Context, desks []string) error {
	provisional := func(desk string) bool {
		_, _, err := o.sealingEpoch(desk, messaging.Regular)
		var r *Refused
		return errors.As(err, &r) && r.Code == "epoch_provisional"
	}
	for due := o.quorumDue(); slices.ContainsFunc(desks, provisional) && time.Now().Before(due); {
		if err := sleep(ctx, confirmEvery); err != nil {
			return fmt.Errorf("office: %w", err)
		}
		if err := o.follow(ctx); err != nil {
			return err
		}
	}
	return nil
}

// staff are the active members of a desk, who get its keys. One whom witnesses
// did not confirm yet gets none, and nobody does while one is there whom this
// officer has not looked at.
func (o *Office) staff(desk string) ([]directory.Officer, error) {
	dir, counted := o.Directory(), o.Counted()
	d, ok := dir.Desk(desk)
	if !ok {
		return nil, fmt.Errorf("office: %s: %w", desk, ErrNoDesk)
	}
	var all []directory.Officer
	for _, u := range d.Members {
		member, ok := dir.Officer(u)
		if !ok || !member.ActiveAt(o.Now()) {
			continue
		}
		known, ok := counted.OfficerByKey(member.KeyID)
		if !ok || known.Rcp != member.Rcp || !counted.IsMember(desk, u) {
			return nil, &Refused{Code: "member_provisional", Desk: desk,
				Detail: fmt.Sprintf("officer %s is provisional at desk %s: the exchange signed it, witnesses have not confirmed it yet", u, desk)}
		}
		all = append(all, member)
	}
	return all, o.readersKnown(desk)
}

// Sender is what the directory says of who signed a message.
type Sender struct {
	Officer string `json:"officer"`
	// Standing of the right to send it: provisional where witnesses did not
	// confirm yet that the key is enrolled and of that desk.
	Standing ledger.Standing `json:"standing"`
	// StaleDirectory: the sender's program had seen no quorum over the directory
	// for a day.
	StaleDirectory bool `json:"stale_directory"`
	// Doubted is since when what the key signed deserves a second look, ms: it
	// was revoked later, with effect before the message. 0 if not.
	Doubted int64 `json:"doubted,omitempty"`
}

// sender wants whoever sent a message to have been enrolled, unrevoked and a
// member of the desk both when it was written and when it was accepted, and to
// have written it by this directory and no other.
func (o *Office) sender(l Letter) ([]byte, Sender, error) {
	c := l.notice.Core
	o.mu.Lock()
	r := o.held
	o.mu.Unlock()
	s := Sender{StaleDirectory: c.Dir.Stale, Standing: countedStanding(r)}
	if max(c.Dir.N, l.item.M.DirN) > r.size() {
		return nil, s, fmt.Errorf("office: %w", ErrBehind)
	}
	if root := r.tree.root(c.Dir.N); string(c.Dir.Root) != string(root[:]) {
		return nil, s, o.lie("it showed the sender of a message another directory", l.item.Meta, l.item.Priv)
	}
	var officer directory.Officer
	for _, n := range []int64{c.Dir.N, l.item.M.DirN} {
		v, ok := r.state.At(n), false
		officer, ok = v.OfficerByKey(c.From.Key)
		if !ok || !officer.ActiveAt(l.item.M.At) || !v.IsMember(c.From.Desk, officer.U) {
			return nil, s, o.lie("it accepted a message from somebody who could not send it", l.item.Meta, l.item.Priv)
		}
		counted := r.state.At(min(n, r.vouched))
		if known, ok := counted.OfficerByKey(c.From.Key); !ok || known.Revoked() || !counted.IsMember(c.From.Desk, officer.U) {
			s.Standing = ledger.Provisional
		}
	}
	s.Officer = officer.U
	if now, ok := r.state.OfficerByKey(c.From.Key); ok && now.Revoked() && now.RevokedFrom <= l.item.M.At {
		s.Doubted = now.RevokedFrom
	}
	return officer.Key, s, nil
}
