package api_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/evidence"
)

// escrowModel is what a release depends on, said another way than the exchange
// says it: per ask who asked when, and which releases there are.
type escrowModel struct {
	asked    map[string]map[int]int64 // ask -> custodian -> time of the request that counts
	said     [3][]int64               // times of all statements of a custodian
	releases []modelRelease
}

type modelRelease struct {
	by    []int
	until int64
}

func (m *escrowModel) counting(ask string, now int64) []int {
	var who []int
	for c, at := range m.asked[ask] {
		if at > now-evidence.EscrowTerm {
			who = append(who, c)
		} else {
			delete(m.asked[ask], c)
		}
	}
	slices.Sort(who)
	return who
}

func (m *escrowModel) silenced(c int, now int64) bool {
	n := 0
	for _, at := range m.said[c] {
		if at > now-evidence.EscrowTerm {
			n++
		}
	}
	return n >= 24
}

// request says whether the exchange takes it.
func (m *escrowModel) request(c int, ask string, now int64) bool {
	who := m.counting(ask, now)
	if m.silenced(c, now) || slices.Contains(who, c) {
		return false
	}
	m.said[c] = append(m.said[c], now)
	if m.asked[ask] == nil {
		m.asked[ask] = map[int]int64{}
	}
	m.asked[ask][c] = now
	if who = m.counting(ask, now); len(who) >= 2 {
		m.releases = append(m.releases, modelRelease{who, now + evidence.EscrowTerm})
		m.asked[ask] = nil
	}
	return true
}

func (m *escrowModel) refuse(c int, ask string, now int64) bool {
	if m.silenced(c, now) || len(m.counting(ask, now)) == 0 {
		return false
	}
	m.said[c] = append(m.said[c], now)
	delete(m.asked[ask], c)
	return true
}

func (m *escrowModel) mayFetch(c int, cust []int, now int64) bool {
	return slices.ContainsFunc(m.releases, func(r modelRelease) bool {
		return now < r.until && slices.Contains(r.by, c) && !slices.ContainsFunc(cust, func(s int) bool { return !slices.Contains(r.by, s) })
	})
}

// TestEscrowModel lets three custodians ask, refuse, wait and fetch at random, and
// holds every answer against the model.
func TestEscrowModel(t *testing.T) {
	rounds, _ := strconv.ParseFloat(os.Getenv("ODZIV_ROUNDS"), 64)
	for round := range max(1, int(rounds)) {
		seed := uint64(round) + 7
		rnd := rand.New(rand.NewPCG(seed, seed))
		c, m := withCustody(open(t, api.Options{})), &escrowModel{asked: map[string]map[int]int64{}}
		released := 0
		for step := range 120 {
			who, now := rnd.IntN(3), c.Clock.Now()
			ask, name := c.ask, "recovery"
			if rnd.IntN(4) == 0 {
				name = "rehearsal"
			}
			ask.Purpose = name
			took, want, what := answer{}, false, ""
			switch rnd.IntN(6) {
			case 0, 1:
				what, want, took = "request", m.request(who, name, now), c.request(c.cust[who], ask)
			case 2:
				h := c.EscrowHead(c.cust[who], c.A, evidence.EscrowRefused)
				d := c.Say(c.cust[who], h.Ev, &evidence.EscrowRefusal{Head: h, EscrowAsk: ask, Reason: "not-in-person"})
				what, want, took = "refusal", m.refuse(who, name, now), c.say(c.cust[who], h.ID, d)
			case 3, 4:
				cust := c.epoch.Esc[rnd.IntN(3)].Cust
				what, want, took = fmt.Sprint("file of ", cust), m.mayFetch(who, cust, now), c.fetch(c.cust[who].Signer, cust...)
				if want {
					released++
				}
			default:
				c.Clock.Advance(time.Duration(rnd.IntN(72)) * time.Hour)
				continue
			}
			if (took.status == http.StatusOK) != want {
				t.Fatalf("seed %d, step %d: %s of custodian %d (%s): %d %s, the model says %v", seed, step, what, who, name, took.status, took.code(), want)
			}
		}
		if released == 0 {
			t.Errorf("seed %d never fetched anything", seed)
		}
		c.sound()
	}
}
