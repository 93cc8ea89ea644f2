package office

import (
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// charter is what genesis or a policy lays down about those who sign and
// cosign.
type charter struct {
	from     int64 // size of the directory from which on it holds
	logs     directory.Logs
	quorum   directory.Quorum
	policies [len(ledger.Logs)]*ledger.Policy // nil where the text makes no sense: then nothing satisfies it
}

// chartersOf lists the charters of a directory in order, beginning with those
// that are known of its first entries.
func chartersOf(dir directory.View, known []charter, after int64) []charter {
	list := slices.Clip(known)
	for n := after + 1; n <= dir.N(); n++ {
		v := dir.At(n)
		logs, quorum := v.Logs(), v.Quorum()
		if len(list) > 0 && list[len(list)-1].logs == logs && list[len(list)-1].quorum == quorum {
			continue
		}
		c := charter{from: n, logs: logs, quorum: quorum}
		for log, text := range map[ledger.Log]string{ledger.Dir: quorum.Dir, ledger.Ev: quorum.Ev} {
			c.policies[log], _ = ledger.ParsePolicy(text)
		}
		list = append(list, c)
	}
	return list
}

// between are the charters in force at some size from n to m.
func between(list []charter, n, m int64) []charter {
	first := 0
	for i, c := range list {
		if c.from <= n {
			first = i
		}
	}
	list = list[first:]
	for i, c := range list {
		if c.from > m && i > 0 {
			return slices.Clip(list[:i])
		}
	}
	return slices.Clip(list)
}

// asked reports whether a charter of a list asks anybody to cosign.
func asked(list []charter, log ledger.Log) bool {
	return slices.ContainsFunc(list, func(c charter) bool { return c.policies[log] == nil || !c.policies[log].None() })
}

// standing judges a checkpoint, whose own signature was verified before, by
// every charter of a list at once: it is confirmed if it satisfies each that
// asks anybody. Of the cosigners it counts those that the last one names. A
// policy that makes no sense asks nobody once there is another after it; until
// then nothing satisfies it.
func standing(list []charter, log ledger.Log, signed []byte) Vouched {
	v := Vouched{Standing: ledger.Unwitnessed}
	for i, c := range list {
		p := c.policies[log]
		if p == nil && i < len(list)-1 {
			continue
		}
		if p == nil {
			return Vouched{Standing: ledger.Provisional}
		}
		v.Cosigned, v.Witnesses = len(p.Cosigned(signed)), len(p.Witnesses())
		switch p.Standing(signed) {
		case ledger.Provisional:
			v.Standing = ledger.Provisional
			return v
		case ledger.Confirmed:
			v.Standing = ledger.Confirmed
		}
	}
	return v
}

// Vouched says how far others vouch for something that the exchange signed.
type Vouched struct {
	Standing  ledger.Standing `json:"standing"`
	Cosigned  int             `json:"cosigned"`  // witnesses of the policy who signed
	Witnesses int             `json:"witnesses"` // whom it names
}

// NotConfirmed stands in place of a standing where not even the exchange has
// signed for an entry yet.
const NotConfirmed ledger.Standing = "not-confirmed"

// vouchedUntil is the latest time, in ms, such that the witnesses who cosigned
// then or later satisfy a policy: so one witness whose clock is ahead moves
// nothing. Where a key of the policy signs without a time, seen, when the note
// was seen first, counts in its place. It is 0 where the policy is not
// satisfied.
func vouchedUntil(p *ledger.Policy, signed []byte, seen int64) int64 {
	if p == nil {
		return 0
	}
	at := map[string]int64{}
	cosigned := p.Cosigned(signed)
	for _, w := range p.Witnesses() {
		if !cosigned[w.Name] {
			continue
		}
		ms, ok := ledger.CosignedAt(signed, w.Verifier)
		if !ok {
			ms = seen
		}
		at[w.Name] = ms
	}
	times := []int64{}
	for _, ms := range at {
		times = append(times, ms)
	}
	slices.Sort(times)
	for _, ms := range slices.Backward(times) {
		since := map[string]bool{}
		for name, t := range at {
			since[name] = t >= ms
		}
		if p.Met(since) {
			return ms
		}
	}
	return 0
}

// keys are the verifier keys of a log that any charter of a list names, the
// last first.
func keys(list []charter, log ledger.Log) []note.Verifier {
	var all []note.Verifier
	var have []string
	for _, c := range slices.Backward(list) {
		vkey := c.logs.Ev
		if log == ledger.Dir {
			vkey = c.logs.Dir
		}
		if slices.Contains(have, vkey) {
			continue
		}
		have = append(have, vkey)
		if v, err := ledger.ParseVerifierKey(vkey); err == nil {
			all = append(all, v)
		}
	}
	return all
}

// parseCheckpoint opens a checkpoint under one of several keys.
func parseCheckpoint(signed []byte, keys []note.Verifier) (cp ledger.Checkpoint, err error) {
	err = ledger.ErrCheckpoint
	for _, v := range keys {
		if cp, err = ledger.ParseCheckpoint(signed, v); err == nil {
			return cp, nil
		}
	}
	return ledger.Checkpoint{}, err
}
