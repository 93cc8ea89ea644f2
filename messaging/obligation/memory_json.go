package obligation

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// memoryJSON is a Memory as JSON, every list in one order.
type memoryJSON struct {
	Obligations []Obligation `json:"obligations"`
	Messages    []Sent       `json:"messages"`
	Handed      []handedJSON `json:"handed"`
	Links       [][2]string  `json:"links"`
	Grants      []Grant      `json:"grants"` // in ledger order
	Ended       []string     `json:"ended"`
	V           int          `json:"v"`
}

type handedJSON struct {
	Obj    string `json:"obj"`
	To     string `json:"to"`
	Handed Handed `json:"handed"`
}

// MarshalJSON writes what the Memory holds, without a layer's base.
func (m *Memory) MarshalJSON() ([]byte, error) {
	j := memoryJSON{Obligations: m.All(), Messages: []Sent{}, Handed: []handedJSON{}, Links: [][2]string{},
		Grants: append([]Grant{}, m.grants...), Ended: []string{}, V: 1}
	for _, s := range m.messages {
		j.Messages = append(j.Messages, s)
	}
	slices.SortFunc(j.Messages, func(a, b Sent) int { return cmp.Or(cmp.Compare(a.Idx, b.Idx), strings.Compare(a.Obj, b.Obj)) })
	for key, h := range m.handed {
		j.Handed = append(j.Handed, handedJSON{key[0], key[1], h})
	}
	slices.SortFunc(j.Handed, func(a, b handedJSON) int {
		return cmp.Or(strings.Compare(a.Obj, b.Obj), strings.Compare(a.To, b.To))
	})
	for a, others := range m.links {
		for _, b := range others {
			if a < b {
				j.Links = append(j.Links, [2]string{a, b})
			}
		}
	}
	slices.SortFunc(j.Links, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for id := range m.ended {
		j.Ended = append(j.Ended, id)
	}
	slices.Sort(j.Ended)
	return json.Marshal(j)
}

// UnmarshalJSON restores a Memory that [Memory.MarshalJSON] wrote.
func (m *Memory) UnmarshalJSON(data []byte) error {
	var j memoryJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("obligation: memory: %w", err)
	}
	if j.V != 1 {
		return fmt.Errorf("obligation: memory: version %d is not 1", j.V)
	}
	*m = *NewMemory()
	for _, o := range j.Obligations {
		m.put(o)
	}
	for _, s := range j.Messages {
		m.send(s)
	}
	for _, h := range j.Handed {
		m.hand(HandedTo{h.Obj, h.To, h.Handed})
	}
	for _, l := range j.Links {
		m.link(l[0], l[1])
	}
	m.grants = j.Grants
	for _, id := range j.Ended {
		m.ended[id] = true
	}
	return nil
}

func byID(a, b Obligation) int { return strings.Compare(a.ID, b.ID) }
