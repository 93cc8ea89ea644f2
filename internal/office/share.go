package office

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/keys/directory"
)

// RoleDeskKey is the role that may give past keys of a desk to a new member.
const RoleDeskKey = "desk-key"

// maxShared bounds the epochs of one desk.grant.
const maxShared = 64

// Shared says which keys of a desk were given to a member.
type Shared struct {
	Desk    string
	Officer string
	Epochs  []int64         // given now, ascending
	Had     []int64         // for which she has a package already
	Lacking []int64         // asked for, and this officer cannot open them herself
	Items   []evidence.Item // of the grants on record
}

// ShareEpochs gives past keys of a desk to another member, so that she reads what
// was sealed before she joined: each wrapped for her, and a desk.grant that the
// desk and the head of its institution see. nil epochs are all that this officer
// holds. It takes the role desk-key; whom witnesses did not confirm yet gets none.
func (o *Office) ShareEpochs(ctx context.Context, desk, packFamily, officer string, epochs []int64) (Shared, error) {
	s := Shared{Desk: desk, Officer: officer, Epochs: []int64{}, Had: []int64{}, Lacking: []int64{}}
	if err := o.Sync(ctx); err != nil {
		return s, err
	}
	pack, err := o.Pack(packFamily)
	if err != nil {
		return s, err
	}
	to, err := o.shareable(desk, officer)
	if err != nil {
		return s, err
	}
	var packages []evidence.SharedEpoch
	for _, e := range o.epochsAsked(desk, epochs) {
		if has(e, to.KeyID) {
			s.Had = append(s.Had, e.E)
			continue
		}
		id, err := o.deskKey(ctx, desk, e.E)
		if errors.Is(err, ErrNoPackage) || errors.Is(err, ErrNoEpoch) || errors.Is(err, ErrForgotten) {
			s.Lacking = append(s.Lacking, e.E)
			continue
		}
		if err != nil {
			return s, err
		}
		digest, err := o.putPackage(ctx, to.Rcp, desk, e.E, id)
		if err != nil {
			return s, err
		}
		packages = append(packages, evidence.SharedEpoch{E: e.E, SHA256: digest})
	}
	for some := range slices.Chunk(packages, maxShared) {
		item, numbers, err := o.grantEpochs(ctx, desk, officer, pack, some)
		if err != nil {
			return s, err
		}
		s.Epochs, s.Items = append(s.Epochs, numbers...), append(s.Items, item)
	}
	return s, nil
}

// grantEpochs puts one grant on record.
func (o *Office) grantEpochs(ctx context.Context, desk, officer string, pack *rules.Pack, packages []evidence.SharedEpoch) (evidence.Item, []int64, error) {
	numbers := make([]int64, 0, len(packages))
	for _, p := range packages {
		numbers = append(numbers, p.E)
	}
	item, err := o.put(ctx, evidence.DeskGrant, func(id string) any {
		return &evidence.DeskShare{Head: o.head(desk, evidence.DeskGrant, id, "", pack), Desk: desk, Epochs: numbers, Officer: officer, Pkg: packages}
	})
	return item, numbers, err
}

// shareable refuses, before anything is wrapped, what the exchange would refuse.
func (o *Office) shareable(desk, officer string) (directory.Officer, error) {
	none := directory.Officer{}
	if _, err := o.Desk(desk); err != nil {
		return none, err
	}
	me, err := o.Me()
	if err != nil {
		return none, err
	}
	if !me.HasRole(RoleDeskKey) {
		return none, &Refused{Code: "desk_key", Desk: desk, Detail: "giving past keys of a desk needs the role " + RoleDeskKey + ", which you do not have"}
	}
	if officer == me.U {
		return none, &Refused{Code: "grantee", Desk: desk, Detail: "these are your own keys"}
	}
	staff, err := o.staff(desk)
	if err != nil {
		return none, err
	}
	at := slices.IndexFunc(staff, func(m directory.Officer) bool { return m.U == officer })
	if at < 0 {
		return none, &Refused{Code: "grantee", Desk: desk, Detail: fmt.Sprintf("%.40s is no active member of desk %s, and only its members get its keys", officer, desk)}
	}
	return staff[at], nil
}

// epochsAsked are the desk's epochs of these numbers, or all of them. A number
// that there is none of comes back as an epoch that nobody can open.
func (o *Office) epochsAsked(desk string, numbers []int64) []directory.Epoch {
	dir := o.Directory()
	if numbers == nil {
		last, _ := dir.LatestEpoch(desk)
		for e := int64(1); e <= last.E; e++ {
			numbers = append(numbers, e)
		}
	}
	numbers = slices.Compact(slices.Sorted(slices.Values(numbers)))
	all := make([]directory.Epoch, 0, len(numbers))
	for _, n := range numbers {
		e, _ := dir.Epoch(desk, n)
		e.E = n
		all = append(all, e)
	}
	return all
}

// has reports whether an epoch has a package for a key.
func has(e directory.Epoch, keyID string) bool {
	return slices.ContainsFunc(e.Pkg, func(p directory.Package) bool { return p.Key == keyID })
}

// Shares lists what was granted in a desk, in the order of its feed.
func (o *Office) Shares(ctx context.Context, desk string) ([]ShareRecord, error) {
	items, err := o.Feed(ctx, desk, 0)
	if err != nil {
		return nil, err
	}
	list := []ShareRecord{}
	for _, f := range items {
		if f.M == nil || f.M.Ev != evidence.DeskGrant {
			continue
		}
		share, err := evidence.ParseDeskShare(f.P.Stmt)
		if err != nil {
			return nil, err
		}
		list = append(list, ShareRecord{DeskShare: share, Recorded: f.M.At, Idx: f.Idx})
	}
	return list, nil
}

// ShareRecord is a grant of keys as a desk sees it on record.
type ShareRecord struct {
	*evidence.DeskShare
	Recorded int64 // ms
	Idx      int64
}

// TakeShares opens what colleagues granted this officer in a desk and puts it into
// her keys, to be kept by the caller. Each key must be the one that the directory
// names, whoever wrapped it; one that is not is left out, and is an error once the
// others are taken. It returns the epochs that were not held before, ascending.
func (o *Office) TakeShares(ctx context.Context, desk string) ([]int64, error) {
	me, err := o.Me()
	if err != nil {
		return nil, err
	}
	list, err := o.Shares(ctx, desk)
	if err != nil {
		return nil, err
	}
	taken, wrong := []int64{}, error(nil)
	for _, share := range list {
		if share.Officer != me.U || share.Desk != desk {
			continue
		}
		for _, p := range share.Pkg {
			if share.Recorded <= o.Notebook.forgottenAt(me.KeyID, desk, p.E) {
				continue // she deleted it since
			}
			fresh, err := o.takeShared(ctx, desk, p)
			if err != nil {
				wrong = errors.Join(wrong, fmt.Errorf("office: key %d of desk %s, granted in entry %d: %w", p.E, desk, share.Idx, err))
			}
			if fresh {
				taken = append(taken, p.E)
			}
		}
	}
	slices.Sort(taken)
	return taken, wrong
}

// takeShared opens one granted package, unless its key is held. One that was made
// for an earlier key pair of this officer is passed over.
func (o *Office) takeShared(ctx context.Context, desk string, p evidence.SharedEpoch) (fresh bool, err error) {
	e, ok := o.Directory().Epoch(desk, p.E)
	if !ok {
		return false, ErrNoEpoch
	}
	if id, ok := o.Keys.DeskIdentity(desk, p.E); ok && rkOf(id) == e.RK {
		return false, nil
	}
	id, err := o.fetchPackage(ctx, p.SHA256, e.RK)
	if errors.Is(err, errSealedToOther) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, o.add(desk, p.E, id)
}
