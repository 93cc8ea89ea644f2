package transparency

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// Names of doubts: a member of a desk, a key of a desk. Keys of officers,
// registrars and custodians are their own names.
func doubtMember(desk, officer string) string  { return desk + "/" + officer }
func doubtChecked(desk string, e int64) string { return fmt.Sprintf("%s/%d", desk, e) }

func keyIDs(keys []ed25519.PublicKey) []string {
	ids := []string{}
	for _, k := range keys {
		ids = append(ids, statement.KeyID(k))
	}
	return ids
}

// hashes are what names recipients: the directory's hash of each.
func hashes(rcps []string) []string {
	list := []string{}
	for _, r := range rcps {
		list = append(list, directory.RecipientHash(r))
	}
	return list
}

// fresh are the names that were not there before.
func fresh(what string, before, after []string) (adds []Addition) {
	for _, name := range after {
		if !slices.Contains(before, name) {
			adds = append(adds, Addition{What: what, Key: name})
		}
	}
	return adds
}

// fewer adds that a smaller number is enough than before.
func fewer(adds []Addition, before, after int) []Addition {
	if before > 0 && after < before {
		return append(adds, Addition{What: AddsThreshold})
	}
	return adds
}

func custodians(before, after directory.Custodians) []Addition {
	adds := fresh(AddsCustodian, hashes(before.Rcps), hashes(after.Rcps))
	adds = append(adds, fresh(AddsCustodianKey, keyIDs(before.Keys), keyIDs(after.Keys))...)
	return fewer(adds, before.K, after.K)
}

// enrolment is the entry by which an officer got her key, nil if there is none.
func (w *watchman) enrolment(o directory.Officer) *Act { return w.log.enrolment(o) }

func (l Log) enrolment(o directory.Officer) *Act {
	if o.U == "" || o.EnrolledN >= int64(len(l.Leaves)) {
		return nil
	}
	signed, err := directory.Decode(l.Leaves[o.EnrolledN])
	if err != nil {
		return nil
	}
	e := l.entry(o.EnrolledN, signed)
	return &e.Act
}

// reads fills in what those whom unexpected changes added were given.
func (w *watchman) reads(list []entry) {
	used := map[string]map[int64][]Span{}
	for i := range w.made.Changes {
		c := &w.made.Changes[i]
		if c.Verdict != Unexpected {
			continue
		}
		for _, a := range c.Adds {
			if a.Officer == "" || a.Desk == "" || a.What == AddsChecker || a.What == AddsMaker {
				continue
			}
			if used[a.Desk] == nil {
				used[a.Desk] = w.log.spans(list, a.Desk)
			}
			c.Reads = append(c.Reads, w.given(c, a, used[a.Desk])...)
		}
	}
}

// given are the keys of a desk that somebody holds by a change: by joining those
// made after it, by an enrolment those for that key, by a key that one.
func (w *watchman) given(c *Change, a Addition, used map[int64][]Span) (list []Reading) {
	latest, _ := w.log.View.LatestEpoch(a.Desk)
	again, _ := w.log.View.At(c.Idx + 1).ActiveEpoch(a.Desk)
	for e := int64(1); e <= latest.E; e++ {
		epoch, _ := w.log.View.Epoch(a.Desk, e)
		holds := slices.ContainsFunc(epoch.Pkg, func(p directory.Package) bool {
			o, _ := w.log.View.OfficerByKey(p.Key)
			return o.U == a.Officer && (a.What == AddsReader || p.Key == a.Key)
		})
		switch {
		case !holds, a.What != AddsFormer && epoch.DirN < c.Idx, a.What == AddsPackage && e != c.Epoch, a.What == AddsFormer && e != again.E:
			continue
		}
		list = append(list, Reading{Desk: a.Desk, Epoch: e, Officer: a.Officer, Used: nonNil(used[e])})
	}
	return list
}

func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
