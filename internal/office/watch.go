package office

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/transparency"
	"github.com/odziv/odziv/messaging"
)

// ErrUnexpected says that somebody can read for a desk, or let others do so, whom
// the officer has not looked at: nothing is sealed from the desk, no key of it is
// made, acknowledged or shared. Receiving, reading and recording go on, a
// withdrawal of consent above all. [Office.Accept] ends it.
var ErrUnexpected = errors.New("somebody was added who can read for your desk, or can let others read, and you have not accepted it yet")

// ErrNoChange says that an entry adds nobody, or waits for nobody.
var ErrNoChange = errors.New("no change waits under this number")

// judgement is a judged directory, as long as nothing changed.
type judgement struct {
	size     int64
	accepted map[int64]string
	made     transparency.Judgement
}

// Log is the directory with its entries, as last verified.
func (o *Office) Log() transparency.Log {
	o.mu.Lock()
	defer o.mu.Unlock()
	return transparency.Log{Leaves: o.held.leaves, View: o.held.state.View}
}

// OwnDesks judges every change of who can read for the officer's desks since she
// got her key: what is unexpected waits for [Office.Accept]. The whole directory
// is judged, also what no witness confirmed yet: a warning does not wait. Of a
// key that is no officer's there is nothing to judge.
func (o *Office) OwnDesks() transparency.Judgement {
	log, accepted := o.Log(), map[int64]string{}
	key := o.me()
	for idx, a := range o.Notebook.looked(key).Accepted {
		if n, err := strconv.ParseInt(idx, 10, 64); err == nil {
			accepted[n] = a.SHA256
		}
	}
	o.mu.Lock()
	known := o.judged
	o.mu.Unlock()
	if known != nil && known.size == log.View.N() && maps.Equal(known.accepted, accepted) {
		return known.made
	}
	made := log.Judge(key, accepted)
	o.mu.Lock()
	o.judged = &judgement{log.View.N(), accepted, made}
	o.mu.Unlock()
	return made
}

func (o *Office) me() string { return statement.KeyID(o.Keys.Signer().Public()) }

// Unexpected lists the changes of a desk, or of all of the officer's desks if it
// is empty, that wait for her to look at them.
func (o *Office) Unexpected(desk string) []transparency.Change { return o.OwnDesks().Unexpected(desk) }

// readersKnown refuses what would let somebody read, or be acknowledged to read,
// whom the officer has not looked at.
func (o *Office) readersKnown(desk string) error {
	list := o.Unexpected(desk)
	if len(list) == 0 {
		return nil
	}
	numbers := []string{}
	for _, c := range list {
		numbers = append(numbers, strconv.FormatInt(c.Idx, 10))
	}
	return fmt.Errorf("office: desk %s, entry %s of the directory: %w", desk, strings.Join(numbers, ", "), ErrUnexpected)
}

// sealingAllowed is [Office.readersKnown] of a message. One that is immediate goes all
// the same if the officer says so: a child in danger weighs more than the copy
// that a stranger at her own desk might read, which is all that sealing to the
// desk itself can give away; recipients' keys are not touched by it.
func (o *Office) sealingAllowed(d *Draft) error {
	err := o.readersKnown(d.Desk)
	switch {
	case err == nil || !d.DespiteUnexpected:
		return err
	case d.Urg != messaging.Immediate:
		return &Refused{Code: "despite", Desk: d.Desk, Detail: "only an immediate message is sealed despite a change that you have not looked at"}
	}
	return nil
}

// aboutReaders adds what the sender ought to know of who reads: at her own desk,
// where it is sealed despite a change, and at recipients whose key is another
// than the last time.
func (o *Office) aboutReaders(d *Draft, cautions []Caution) ([]Caution, error) {
	if err := o.sealingAllowed(d); err != nil {
		return nil, err
	}
	for _, c := range o.Unexpected(d.Desk) {
		cautions = append(cautions, Caution{Code: CautionUnexpected, Desk: d.Desk, Since: c.At})
	}
	for _, to := range d.To {
		if r, err := o.Recipient(to); err == nil && r.New() {
			cautions = append(cautions, Caution{Code: CautionNewKey, Desk: to, Since: r.Since})
		}
	}
	return cautions, nil
}

// Codes of cautions about who reads.
const (
	// CautionUnexpected: the message was sealed although somebody can read at
	// Desk, the sender's own, since Since, whom she has not looked at.
	CautionUnexpected = "unexpected-change"
	// CautionNewKey: Desk has had another key since Since than when this program
	// last sealed to it. It is no cause for worry: keys are renewed.
	CautionNewKey = "new-key"
)

// Accept says that the officer looked at changes, on paper or by telephone, and
// that they are as they should be. It is kept on this computer, for her key.
// Nothing is accepted unless all can be.
func (o *Office) Accept(indexes ...int64) ([]transparency.Change, error) {
	waiting := o.Unexpected("")
	var list []transparency.Change
	for _, idx := range indexes {
		i := slices.IndexFunc(waiting, func(c transparency.Change) bool { return c.Idx == idx })
		if i < 0 {
			return nil, fmt.Errorf("office: %d: %w", idx, ErrNoChange)
		}
		list = append(list, waiting[i])
	}
	return list, o.accept(list, byOfficer)
}

func (o *Office) accept(list []transparency.Change, by string) error {
	if len(list) == 0 {
		return nil
	}
	at := o.Now()
	return o.Notebook.keepLooked(o.me(), func(l *lookedAt) {
		for _, c := range list {
			l.Accepted[strconv.FormatInt(c.Idx, 10)] = acceptedEntry{At: at, By: by, SHA256: c.Hash}
		}
	})
}

// Observer is whose lists of expected changes an officer's program takes, and
// from where.
type Observer struct {
	Key    string `json:"key"`    // key id, as when the officer compared it
	Source string `json:"source"` // file or https address; "" if lists are given by hand
}

// ErrObserver says that a list is not of the observer that this program was told
// of.
var ErrObserver = errors.New("the list is not signed by the observer that you accepted")

// FollowObserver takes the lists of the institution's observer from now on, from
// a source or by hand, if the directory names the observer whose fingerprint the
// officer has on paper: 64 hexadecimal digits, in groups or not. No list ever
// covers a change of it.
func (o *Office) FollowObserver(source, fingerprint string) (Observer, error) {
	me, err := o.Me()
	if err != nil {
		return Observer{}, err
	}
	inst, _ := o.Directory().Institution(me.Inst)
	if inst.Observer == nil {
		return Observer{}, fmt.Errorf("office: %s has named no observer: %w", me.Inst, ErrObserver)
	}
	follow := Observer{Key: statement.KeyID(inst.Observer), Source: source}
	if paper := strings.Join(strings.Fields(fingerprint), ""); !strings.EqualFold("ed25519:"+paper, follow.Key) {
		return Observer{}, fmt.Errorf("office: the directory names another observer than that: %w", ErrObserver)
	}
	return follow, o.Notebook.keepLooked(o.me(), func(l *lookedAt) { l.Observer = &follow })
}

// Following is the observer whose lists this program takes, false if none.
func (o *Office) Following() (Observer, bool) {
	l := o.Notebook.looked(o.me())
	if l.Observer == nil {
		return Observer{}, false
	}
	return *l.Observer, true
}

// AcceptList accepts what a signed list says was expected: of the institution's
// observer, under the key that the officer compared and that is in force now, or
// of her own key, from another computer. A change of the observer is accepted by
// herself alone.
func (o *Office) AcceptList(data []byte) ([]transparency.Change, error) {
	me, err := o.Me()
	if err != nil {
		return nil, err
	}
	dir := o.Directory()
	_, _, signer, err := transparency.ParseExpected(data)
	if err != nil {
		return nil, fmt.Errorf("office: %w", err)
	}
	key, by := me.Key, byOtherComputer
	if signer != me.KeyID {
		follow, ok := o.Following()
		inst, _ := dir.Institution(me.Inst)
		if !ok || inst.Observer == nil || signer != follow.Key || signer != statement.KeyID(inst.Observer) {
			return nil, fmt.Errorf("office: %w", ErrObserver)
		}
		key, by = inst.Observer, byObserver
	}
	x, err := transparency.VerifyExpected(data, key, dir.Genesis(), me.Inst)
	if err != nil {
		return nil, fmt.Errorf("office: %w", err)
	}
	var list []transparency.Change
	for _, c := range o.Unexpected("") {
		named := slices.Contains(x.Entries, transparency.LookedAt{Idx: c.Idx, SHA256: c.Hash})
		if named && (by == byOtherComputer || c.What != observerChange) {
			list = append(list, c)
		}
	}
	return list, o.accept(list, by)
}

// observerChange is the one kind of statement that an observer's list never
// covers.
const observerChange = "inst.observer"

// AcceptedList is what the officer accepted, signed, for another computer of
// hers.
func (o *Office) AcceptedList(inst string) (transparency.ExpectedList, error) {
	x := transparency.ExpectedList{At: o.Now(), Genesis: o.Directory().Genesis(), I: inst}
	for _, c := range o.OwnDesks().Changes {
		if c.Verdict == transparency.Accepted {
			x.Entries = append(x.Entries, transparency.LookedAt{Idx: c.Idx, SHA256: c.Hash})
		}
	}
	return x, nil
}

// Starting lists where the watch of desks begins that this computer has not shown
// to the officer yet: what stood then was taken as it was.
func (o *Office) Starting() []transparency.Start {
	shown := o.Notebook.looked(o.me()).Started
	return slices.DeleteFunc(slices.Clone(o.OwnDesks().Starts), func(s transparency.Start) bool {
		idx, ok := shown[s.Desk]
		return ok && idx == s.Idx
	})
}

// Started remembers that starts were shown.
func (o *Office) Started(list []transparency.Start) error {
	if len(list) == 0 {
		return nil
	}
	return o.Notebook.keepLooked(o.me(), func(l *lookedAt) {
		for _, s := range list {
			l.Started[s.Desk] = s.Idx
		}
	})
}

// DeskHistory tells who could ever read for a desk, from the directory alone.
func (o *Office) DeskHistory(desk string) (transparency.DeskHistory, error) {
	h, ok := o.Log().DeskHistory(desk)
	if !ok {
		return h, fmt.Errorf("office: %s: %w", desk, directory.ErrUnknown)
	}
	return h, nil
}

// InstHistory tells who could ever let others read for an institution.
func (o *Office) InstHistory(inst string) (transparency.InstHistory, error) {
	h, ok := o.Log().InstHistory(inst)
	if !ok {
		return h, fmt.Errorf("office: %s: %w", inst, directory.ErrUnknown)
	}
	return h, nil
}
