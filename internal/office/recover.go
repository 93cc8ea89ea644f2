package office

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"

	"github.com/odziv/odziv/ledger"
)

// What can stand in the way of a recovery. Each is wrapped with the detail.
var (
	ErrCustodian = errors.New("these keys are not those of a custodian of that institution")
	ErrNoEscrow  = errors.New("no escrow that the custodians of today can open")
	ErrNoRelease = errors.New("no release in force names you")
	ErrNotYours  = errors.New("the next layer is another custodian's")
	ErrHandover  = errors.New("not a file of this recovery")
	ErrEscrow    = errors.New("inside the escrow is another key than the directory names")
	ErrReceived  = errors.New("not a file of recovered keys for you")
)

// EscrowStep is one leaf about the escrow of a desk, and how far others vouch for
// its record.
type EscrowStep struct {
	evidence.EscrowStep
	Standing ledger.Standing
	DirN     int64 // size of the directory under which it was recorded
}

// EscrowTrail reads all that ever happened to the escrow of a desk, oldest first.
// Every leaf stands in the ledger and names the one before it, whoever signed was a
// custodian then, and what was released enough of them asked for: what the exchange
// leaves out or makes up in between convicts it. What it leaves out at the end shows
// in the feeds of the desk and of its institution's head.
func (o *Office) EscrowTrail(ctx context.Context, desk string) ([]EscrowStep, error) {
	var trail []EscrowStep
	next := int64(-1) // the leaf that must come, going backwards; at first any
	for {
		page, err := o.Client.Escrow(ctx, desk, next)
		if err != nil {
			return nil, err
		}
		for _, item := range slices.Backward(page.Items) {
			f, err := o.open(ctx, item)
			if err != nil {
				return nil, err
			}
			if f.M == nil || f.M.Obj != desk || len(trail) > 0 && f.Idx != next {
				return nil, o.lie(fmt.Sprintf("entry %d stands in the place of another about the escrow of the desk", item.Idx), item.Meta, item.Priv)
			}
			step, err := o.escrowStep(f)
			if errors.Is(err, ErrBehind) {
				return nil, fmt.Errorf("office: %w", err)
			}
			if err != nil {
				return nil, o.lie(fmt.Sprintf("entry %d about the escrow of the desk: %v", item.Idx, err), item.Meta, item.Priv)
			}
			trail, next = append(trail, step), f.M.Prev
		}
		if next < 0 {
			break
		}
		if len(page.Items) == 0 {
			return nil, o.lie(fmt.Sprintf("entry %d about the escrow of the desk is left out", next))
		}
	}
	slices.Reverse(trail)
	return trail, o.releasesAsked(trail)
}

// releasesAsked wants every release to be of what as many custodians asked for as
// the institution's root wanted then.
func (o *Office) releasesAsked(trail []EscrowStep) error {
	var before []evidence.EscrowStep
	for _, s := range trail {
		if s.Release != nil {
			then := o.Directory().At(s.DirN)
			inst, _ := then.Institution(then.InstOfDesk(s.Ask.Desk))
			asking := evidence.Asking(before, s.Ask, s.At)
			for _, r := range s.Release.Requests {
				if !slices.Contains(asking, r) {
					return o.lie(fmt.Sprintf("entry %d releases the escrow of the desk on a request that nobody made, entry %d", s.Idx, r.Idx))
				}
			}
			if inst.Custodians.K < 1 || len(s.Release.Requests) < inst.Custodians.K {
				return o.lie(fmt.Sprintf("entry %d releases the escrow of the desk to %d custodians, and the institution wants %d", s.Idx, len(s.Release.Requests), inst.Custodians.K))
			}
		}
		before = append(before, s.EscrowStep)
	}
	return nil
}

// escrowStep decodes a leaf and wants a custodian of the time to have signed it.
func (o *Office) escrowStep(f FeedItem) (EscrowStep, error) {
	step, err := evidence.EscrowStepOf(f.M, f.P)
	if err == nil && step.Release != nil {
		err = step.Release.Check()
	}
	s := EscrowStep{EscrowStep: step, Standing: f.Standing, DirN: f.M.DirN}
	if err != nil || step.Release != nil {
		return s, err
	}
	if f.M.DirN > o.Directory().N() {
		return s, ErrBehind
	}
	then := o.Directory().At(f.M.DirN)
	inst, _ := then.Institution(then.InstOfDesk(f.M.Obj))
	for _, key := range inst.Custodians.Keys {
		if statement.KeyID(key) == step.Key {
			return s, f.P.Stmt.Verify(key)
		}
	}
	return s, ErrCustodian
}

// A Recovery is what custodians ask for together, and how far it came.
type Recovery struct {
	evidence.EscrowAsk
	Asked   []string      `json:"asked"`             // key ids of custodians whose requests count
	Refused []Declined    `json:"refused,omitempty"` // since the first of these requests
	Need    int           `json:"need"`              // custodians, by the institution's root
	Since   int64         `json:"since"`             // of the latest step, ms
	Release *ReleaseFound `json:"release,omitempty"` // the latest, in force or not
}

// Declined is a custodian's refusal.
type Declined struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
	At     int64  `json:"at"`
}

// ReleaseFound is a release and what came of it.
type ReleaseFound struct {
	Idx     int64    `json:"idx"`
	At      int64    `json:"at"`
	Until   int64    `json:"until"`
	By      []string `json:"by"`                // key ids of the custodians
	Outcome string   `json:"outcome,omitempty"` // "" until one of them says what was inside
	Opened  int64    `json:"opened,omitempty"`  // when she said so, ms

	data     *evidence.ReleasedData
	asked    int64           // size of the directory under which the first of its requests was recorded
	Standing ledger.Standing `json:"standing"`
}

// InForce reports whether the custodians may still fetch.
func (r *ReleaseFound) InForce(now int64) bool { return r != nil && now < r.Until }

// Recoveries sums a trail up by what was asked for, the latest last.
func (o *Office) Recoveries(trail []EscrowStep) []Recovery {
	var all []Recovery
	var plain []evidence.EscrowStep
	asked := map[int64]int64{}
	for _, s := range trail {
		plain, asked[s.Idx] = append(plain, s.EscrowStep), s.DirN
		at := slices.IndexFunc(all, func(r Recovery) bool { return r.EscrowAsk.Equal(s.Ask) })
		var r Recovery
		if at >= 0 {
			r = all[at]
			all = slices.Delete(all, at, at+1)
		} else {
			inst, _ := o.Directory().Institution(o.Directory().InstOfDesk(s.Ask.Desk))
			r = Recovery{EscrowAsk: *s.Ask, Need: inst.Custodians.K}
		}
		r = r.after(s)
		if s.Release != nil {
			r.Release.asked = asked[s.Release.Requests[0].Idx]
		}
		all = append(all, r)
	}
	for i := range all {
		all[i].Asked = []string{}
		for _, q := range evidence.Asking(plain, &all[i].EscrowAsk, o.Now()) {
			all[i].Asked = append(all[i].Asked, q.Key)
		}
	}
	return all
}

// after is the recovery with one more step.
func (r Recovery) after(s EscrowStep) Recovery {
	r.Since = s.At
	switch {
	case s.Ev == evidence.EscrowRefused:
		r.Refused = append(slices.Clip(r.Refused), Declined{s.Key, s.Reason, s.At})
	case s.Release != nil:
		r.Refused = nil
		r.Release = &ReleaseFound{Idx: s.Idx, At: s.At, Until: s.Release.Until, By: s.Release.Keys(), Standing: s.Standing, data: s.Release}
	case s.Report != nil && r.Release != nil && s.Report.Release == r.Release.Idx:
		done := *r.Release
		if done.Outcome != evidence.OutcomeMatched {
			done.Outcome, done.Opened = s.Report.Outcome, s.At
		}
		r.Release = &done
	}
	return r
}

// Custodian is the seat of whoever holds these keys among the custodians of an
// institution, from 0.
func (o *Office) Custodian(inst string) (seat int, err error) {
	i, _ := o.Directory().Institution(inst)
	rcp, ok := i.Custodians.Recipient(o.me())
	if !ok {
		return 0, fmt.Errorf("office: %w", ErrCustodian)
	}
	if rcp != o.Keys.Recipient() {
		return 0, fmt.Errorf("office: %w: the directory names another recipient for this key", ErrCustodian)
	}
	return slices.Index(i.Custodians.Rcps, rcp), nil
}

// Recoverable lists the keys of a desk that the custodians of today can open: as
// many of them as the root asks for have a layer in the files.
func (o *Office) Recoverable(desk string) []int64 {
	dir := o.Directory()
	inst, _ := dir.Institution(dir.InstOfDesk(desk))
	last, _ := dir.LatestEpoch(desk)
	var keys []string
	for _, k := range inst.Custodians.Keys {
		keys = append(keys, statement.KeyID(k))
	}
	list := []int64{}
	for e := int64(1); e <= last.E; e++ {
		epoch, _ := dir.Epoch(desk, e)
		if !epoch.Disputed && len(dir.EscrowFiles(epoch, keys)) > 0 {
			list = append(list, e)
		}
	}
	return list
}

// maxAsked bounds the epochs of one request.
const maxAsked = 64

// AskEscrow puts a custodian's request on record. Without epochs it is for what
// another custodian asked for already, else for all that can be recovered, the newest
// 64 of them. With it enough may have asked: then the
// release is on record too, and the trail shows it.
func (o *Office) AskEscrow(ctx context.Context, packFamily string, ask evidence.EscrowAsk, reason string) (evidence.EscrowAsk, error) {
	if err := o.Sync(ctx); err != nil {
		return ask, err
	}
	dir := o.Directory()
	if _, err := o.Custodian(dir.InstOfDesk(ask.Desk)); err != nil {
		return ask, err
	}
	if len(ask.Epochs) == 0 {
		var err error
		if ask.Epochs, err = o.epochsToAsk(ctx, ask); err != nil {
			return ask, err
		}
	}
	if len(ask.Epochs) == 0 {
		return ask, fmt.Errorf("office: desk %s: %w", ask.Desk, ErrNoEscrow)
	}
	if err := o.receiver(ask); err != nil {
		return ask, err
	}
	return ask, o.sayEscrow(ctx, packFamily, evidence.EscrowRequested, ask.Desk, func(h statement.Head) any {
		return &evidence.EscrowRequest{Head: h, EscrowAsk: ask, Reason: reason}
	})
}

// epochsToAsk are those that another custodian asks for already, for the same
// officer and purpose; else all that can be recovered, the newest of them.
func (o *Office) epochsToAsk(ctx context.Context, ask evidence.EscrowAsk) ([]int64, error) {
	trail, err := o.EscrowTrail(ctx, ask.Desk)
	if err != nil {
		return nil, err
	}
	for _, r := range slices.Backward(o.Recoveries(trail)) {
		if len(r.Asked) > 0 && r.Officer == ask.Officer && r.Purpose == ask.Purpose {
			return r.Epochs, nil
		}
	}
	all := o.Recoverable(ask.Desk)
	return all[max(0, len(all)-maxAsked):], nil
}

// receiver refuses whom the keys must not go to: the directory as witnesses
// confirmed it says who is a member of the desk.
func (o *Office) receiver(ask evidence.EscrowAsk) error {
	dir, counted := o.Directory(), o.Counted()
	now, ok := dir.Officer(ask.Officer)
	if !ok || !now.ActiveAt(o.Now()) || !dir.IsMember(ask.Desk, ask.Officer) {
		return &Refused{Code: "escrow_officer", Desk: ask.Desk,
			Detail: fmt.Sprintf("%.40s is no active member of desk %s, and only a member receives its keys", ask.Officer, ask.Desk)}
	}
	known, ok := counted.OfficerByKey(now.KeyID)
	if !ok || known.Rcp != now.Rcp || !counted.IsMember(ask.Desk, ask.Officer) {
		return &Refused{Code: "member_provisional", Desk: ask.Desk,
			Detail: fmt.Sprintf("officer %s is provisional at desk %s: the exchange signed it, witnesses have not confirmed it yet", ask.Officer, ask.Desk)}
	}
	return nil
}

// RefuseEscrow puts on record that a custodian takes no part in what others ask
// for, and withdraws her own request for it.
func (o *Office) RefuseEscrow(ctx context.Context, packFamily string, ask evidence.EscrowAsk, reason string) error {
	if _, err := o.Custodian(o.Directory().InstOfDesk(ask.Desk)); err != nil {
		return err
	}
	return o.sayEscrow(ctx, packFamily, evidence.EscrowRefused, ask.Desk, func(h statement.Head) any {
		return &evidence.EscrowRefusal{Head: h, EscrowAsk: ask, Reason: reason}
	})
}

// reportEscrow puts on record what was inside. Said twice, it is said.
func (o *Office) reportEscrow(ctx context.Context, packFamily string, ask evidence.EscrowAsk, release int64, outcome string) error {
	err := o.sayEscrow(ctx, packFamily, evidence.EscrowOpened, ask.Desk, func(h statement.Head) any {
		return &evidence.EscrowReport{Head: h, EscrowAsk: ask, Outcome: outcome, Release: release}
	})
	if IsCode(err, "escrow_asked") {
		return nil
	}
	return err
}

func (o *Office) sayEscrow(ctx context.Context, packFamily, event, desk string, body func(statement.Head) any) error {
	pack, err := o.Pack(packFamily)
	if err != nil {
		return err
	}
	_, err = o.put(ctx, event, func(id string) any { return body(o.head(desk, event, id, "", pack)) })
	return err
}
