package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// statusAnswer is who one is and what one is connected to.
type statusAnswer struct {
	Exchange  string   `json:"exchange"`
	Genesis   string   `json:"genesis"`
	Demo      bool     `json:"demo"`
	Witnessed bool     `json:"witnessed"`
	Directory int64    `json:"directory"` // entries verified
	Key       string   `json:"key"`
	Officer   string   `json:"officer"`
	Roles     []string `json:"roles"`
	Until     int64    `json:"until"` // end of the officer's term, ms, exclusive; 0 for who is none
	Desks     []string `json:"desks"`
	Offset    int64    `json:"clock_offset_ms"`
	Unsent    []string `json:"unsent"` // sealed, and not known to have arrived

	Renew  []office.Renewal `json:"renew"` // what the keys of the officer's desks ask for
	Watch  office.Watch     `json:"watch"`
	Proofs keptProofs       `json:"proofs"`

	Recovery []recoveryDue   `json:"recovery"` // what is to be done so that desks can be recovered
	Changes  []office.Change `json:"changes"`  // last of the keys of the institution and the officer's desks
}

// keptProofs counts the proofs of own acts on this computer.
type keptProofs struct {
	Kept         int     `json:"kept"`          // that will not change any more
	Provisional  []int64 `json:"provisional"`   // entries that witnesses have not confirmed yet
	NotConfirmed []int64 `json:"not_confirmed"` // entries that no checkpoint covers yet
}

// lastChanges is how many changes of keys status shows.
const lastChanges = 5

// maxOffset is from where on a wrong clock is worth a word, in ms.
const maxOffset = 10 * 60 * 1000

func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "who you are, which exchange this is, and whether its record agrees with itself", Args: cobra.NoArgs,
		Long: `status synchronises, verifies everything it fetched, and says what it found: who
vouches for the record, which proofs of what you did are still waiting, and who
last changed the keys of your desk and institution. A change that nobody there
expects is worth a call to a registrar at once.

An entry is unwitnessed where nobody is asked to watch the exchange, provisional
while the exchange alone has signed for it, confirmed once enough witnesses have.`,
		Example: `  odziv status`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			dir := s.Directory()
			a := statusAnswer{Exchange: s.Notebook.Pin.URL, Genesis: dir.Genesis(), Demo: dir.Demo(), Witnessed: dir.Quorum().Ev != directory.QuorumNone, Changes: []office.Change{}, Renew: []office.Renewal{},
				Directory: dir.N(), Key: statement.KeyID(s.keys.Signer().Public()), Roles: []string{}, Desks: []string{}, Offset: s.Client.Offset()}
			if me, err := s.Me(); err == nil {
				a.Officer, a.Roles, a.Desks, a.Until = me.U, me.Roles, dir.DesksOf(me.U), me.NA
				a.Changes = s.Changes(me.Inst, a.Desks, lastChanges)
				a.Renew = s.Renewals(a.Desks...)
			}
			a.Watch = s.Watch()
			if err := a.Proofs.count(s.Notebook); err != nil {
				return err
			}
			if a.Recovery, err = s.recoveriesDue(); err != nil {
				return err
			}
			if a.Unsent, err = s.Notebook.Outbox(); err != nil {
				return err
			}
			return s.out(a, func(w io.Writer) { a.print(w, s) })
		},
	}
}

func (k *keptProofs) count(n *office.Notebook) error {
	all, err := n.Kept()
	*k = keptProofs{Provisional: []int64{}, NotConfirmed: []int64{}}
	for _, p := range all {
		switch p.Standing {
		case ledger.Provisional:
			k.Provisional = append(k.Provisional, p.Idx)
		case office.NotConfirmed:
			k.NotConfirmed = append(k.NotConfirmed, p.Idx)
		default:
			k.Kept++
		}
	}
	return err
}

func (a *statusAnswer) print(w io.Writer, s *session) {
	fmt.Fprintf(w, "exchange   %s\ngenesis    %s\n", a.Exchange, a.Genesis)
	s.printTree(w, "directory", a.Watch.Directory)
	s.printTree(w, "record", a.Watch.Record)
	if a.Demo {
		fmt.Fprintln(w, "           DEMONSTRATION: nothing in it is safe")
	}
	if a.Offset > maxOffset || a.Offset < -maxOffset {
		fmt.Fprintf(w, "clock      this computer's is wrong by %d minutes; what you write is dated by the exchange's\n", a.Offset/60_000)
	}
	for _, id := range a.Unsent {
		fmt.Fprintf(w, "unsent     %s: go on with odziv send --resume %s\n", id, id)
	}
	fmt.Fprintf(w, "proofs     %d kept, %d provisional, %d not confirmed yet\n", a.Proofs.Kept, len(a.Proofs.Provisional), len(a.Proofs.NotConfirmed))
	fmt.Fprintf(w, "key        %s\n", a.Key)
	if a.Officer == "" {
		s.printDue(w, a.Recovery)
		fmt.Fprintln(w, "officer    not enrolled yet")
		return
	}
	fmt.Fprintf(w, "officer    %s %v, until %s\n", a.Officer, a.Roles, s.when(a.Until))
	for _, d := range a.Desks {
		fmt.Fprintf(w, "desk       %s  %s  %s\n", d, s.called(d), s.keyOf(d))
	}
	s.printDue(w, a.Recovery)
	if n := len(s.Unexpected("")); n > 0 {
		fmt.Fprintf(w, "readers    %d changes of who reads wait for you: odziv directory watch\n", n)
	}
	for i, c := range a.Changes {
		label := "changes"
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(w, "%-10s entry %d of the directory, %s: %s by %s  %s\n", label, c.Idx, s.when(c.At), s.changed(&c), signers(c.By), inWord(c.Standing))
	}
}

// keyOf says which key others seal to a desk, and until when it is meant to last.
func (s *session) keyOf(desk string) string {
	e, ok := s.Directory().ActiveEpoch(desk)
	if !ok {
		return "no key"
	}
	return fmt.Sprintf("key %d, to be renewed by %s", e.E, s.when(e.At+directory.EpochLife))
}

// signers names officers, and others by the beginning of their keys.
func signers(by []string) string {
	var names []string
	for _, id := range by {
		if key, ok := strings.CutPrefix(id, "ed25519:"); ok {
			id = "key " + key[:min(16, len(key))]
		}
		names = append(names, id)
	}
	return strings.Join(names, ", ")
}

// changed says what happened to which keys.
func (s *session) changed(c *office.Change) string {
	what, ok := map[string]string{"officer.enrol": "officer enrolled", "officer.revoke": "officer's key revoked", "desk.members": "members of",
		"desk.epoch.ack": "confirmed", "desk.epoch.dispute": "disputed", "desk.epoch": "made", "inst.root": "root of", "inst.registrars": "registrars of",
		"inst.custodians": "custodians of", "inst.observer": "observer of"}[c.What]
	if !ok {
		what = c.What
	}
	if c.Epoch > 0 {
		return fmt.Sprintf("key %d of %s %s", c.Epoch, s.called(c.About), what)
	}
	return what + " " + s.called(c.About)
}

// printTree says how far a tree goes and who vouches for it.
func (s *session) printTree(w io.Writer, name string, t office.TreeWatch) {
	words := inWords(office.Vouched{Standing: t.Standing, Cosigned: t.Cosigned, Witnesses: t.Witnesses})
	switch t.Standing {
	case ledger.Provisional:
		words = fmt.Sprintf("%d of them confirmed, the last provisional: witnesses have not confirmed it yet", t.Confirmed)
	case ledger.Confirmed:
		words += ", last on " + s.when(t.Until)
	}
	fmt.Fprintf(w, "%-10s %d entries, verified — %s\n", name, t.Entries, words)
}
