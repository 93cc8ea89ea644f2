package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

func pendingCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "pending", Short: "statements that wait for a second person", Args: cobra.NoArgs,
		Long: `pending says in words what waits for further signatures and concerns the desk, who
signed it and who may. To whoever acts for no desk (a registrar, a delegate, a
root) it shows what this key signed or may sign. What nobody completes is
forgotten after seven days.

Read a statement before you sign it: your signature says the same as the first.
Where it brings in a key, hold the fingerprint against the paper of its owner.
With --json the statements are printed as they are signed.`,
		Example: "  odziv pending\n  odziv pending show DIGEST\n  odziv pending sign DIGEST",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, list, err := waiting(cmd)
			if err != nil {
				return err
			}
			return s.out(list, func(w io.Writer) {
				if len(list) == 0 {
					fmt.Fprintln(w, "nothing waits")
				}
				for _, p := range list {
					s.printWaiting(w, p)
				}
			})
		},
	}
	cmd.AddCommand(showPendingCommand(), signPendingCommand())
	return cmd
}

// printWaiting says what waits, and what to do about it.
func (s *session) printWaiting(w io.Writer, p wire.Pending) {
	fmt.Fprintf(w, "%s  until %s  signed by %d  %s\n", p.Digest, s.when(p.Until), len(p.DSSE.Signatures), p.DSSE.PayloadType)
	t, err := s.tellWaiting(p)
	if err != nil {
		fmt.Fprintf(w, "  this program cannot read it (%v)\n\n", err)
		return
	}
	t.print(w)
	switch {
	case t.May:
		fmt.Fprintf(w, "\n  you may sign it: odziv pending sign %s\n", p.Digest)
	case t.Mine:
		fmt.Fprintf(w, "\n  you signed it; it waits for somebody else\n")
	}
	fmt.Fprintln(w)
}

// tellWaiting puts what waits into words.
func (s *session) tellWaiting(p wire.Pending) (told, error) {
	if p.DSSE.PayloadType == statement.TypeDirectory {
		t, err := s.tell(p.DSSE)
		t.Until = p.Until
		return t, err
	}
	event, _ := statement.EventOfType(p.DSSE.PayloadType)
	words, err := s.teller().TellEvent(event, p.DSSE.Payload)
	t := told{Digest: p.Digest, Words: words, Until: p.Until, Since: p.Until - ceremony.Term, Mine: s.hasSigned(p.DSSE)}
	t.May = !t.Mine
	t.Signed = s.teller().Signers(p.DSSE)
	t.Missing = []string{"a second person, from another unit or body"}
	return t, err
}

func showPendingCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show DIGEST", Short: "say in words what a waiting statement says", Args: cobra.ExactArgs(1),
		Long:    "show says everything that a statement says, who signed it and who may. With --json it\nprints the exact text that a signature is asked for.",
		Example: "  odziv pending show cc7f5c3a2d1f1a0f44c0ad56cb6bb0a2bb0ce1b60dd8a3f1c3dd14d4cc26bbd4",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, p, err := findWaiting(cmd, args[0])
			if err != nil {
				return err
			}
			return s.out(p, func(w io.Writer) { s.printWaiting(w, p) })
		},
	}
}

func signPendingCommand() *cobra.Command {
	var a *asker
	cmd := &cobra.Command{
		Use: "sign DIGEST", Short: "read it, compare it, add your signature", Args: cobra.ExactArgs(1),
		Long: `sign says what the statement says, asks you to compare the fingerprints it brings in
with paper, adds your signature and gives it back to the exchange. With the last
signature that it needs the statement is on record. Answer no and nothing is
signed.`,
		Example: "  odziv pending sign cc7f5c3a2d1f1a0f44c0ad56cb6bb0a2bb0ce1b60dd8a3f1c3dd14d4cc26bbd4",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, p, err := findWaiting(cmd, args[0])
			if err != nil {
				return err
			}
			if err := s.readBeforeSigning(a, p); err != nil {
				return err
			}
			answer, err := s.Cosign(cmd.Context(), p.DSSE)
			if err != nil {
				return err
			}
			return s.outCosigned(answer, p)
		},
	}
	a = askingAbout(cmd)
	return cmd
}

// readBeforeSigning shows a statement and asks.
func (s *session) readBeforeSigning(a *asker, p wire.Pending) error {
	t, err := s.tellWaiting(p)
	if err != nil {
		return err
	}
	if t.Mine || p.DSSE.PayloadType == statement.TypeDirectory {
		if err := t.signable(s.Now()); err != nil {
			return err
		}
	}
	if !cli.JSON(s.cmd) {
		t.print(s.cmd.OutOrStdout())
		fmt.Fprintln(s.cmd.OutOrStdout())
	}
	if p.DSSE.PayloadType == statement.TypeDirectory {
		body, err := directory.DecodePayload(p.DSSE.Payload)
		if err != nil {
			return err
		}
		if err := s.compareNew(a, body); err != nil {
			return err
		}
	}
	return a.confirm("Is this what you want to sign?", "nothing else is needed; unsigned, it is forgotten after seven days")
}

// compareNew asks for every key that a statement brings in, but one's own.
func (s *session) compareNew(a *asker, body directory.Body) error {
	mine := s.keys.Signer().Public()
	for _, k := range s.teller().NewKeys(body) {
		if slices.Equal(k.Key, mine) {
			continue
		}
		if err := a.compare(k.Who, k.Digest, notSame); err != nil {
			return err
		}
	}
	return nil
}

// signedAnswer is what the exchange said of a signature, and how far others
// vouch for what it completed.
type signedAnswer struct {
	wire.PendingAnswer
	Standing ledger.Standing `json:"standing,omitempty"`
}

func (s *session) outCosigned(answer wire.PendingAnswer, p wire.Pending) error {
	a := signedAnswer{PendingAnswer: answer}
	var err error
	if a.Standing, err = s.completed(answer); err != nil {
		return err
	}
	return s.out(a, func(w io.Writer) {
		if !answer.Complete {
			fmt.Fprintf(w, "signed; %d signatures so far, more are needed: the others find it with odziv pending\n", len(answer.Signed))
			return
		}
		fmt.Fprintf(w, "complete and on record — %s\n", inWords(office.Vouched{Standing: a.Standing}))
		if next := nextAfter(p.DSSE); next != "" {
			fmt.Fprintf(w, "next: %s\n", next)
		}
	})
}

// nextAfter is what follows a directory statement that is on record.
func nextAfter(d *statement.DSSE) string {
	if d.PayloadType != statement.TypeDirectory {
		return ""
	}
	body, err := directory.DecodePayload(d.Payload)
	if err != nil {
		return ""
	}
	switch b := body.(type) {
	case *directory.InstJoin:
		return "say what the institution is: odziv institution profile " + b.I
	case *directory.InstProfile:
		return "its root names registrars: odziv institution registrars"
	case *directory.InstRoot:
		return "the old root keys that are left out count no more; store the new ones apart from each other"
	case *directory.InstRegistrars:
		return "registrars enrol officers: odziv officer enrol REQUEST"
	case *directory.InstCustodians:
		return "each desk makes a new key, which these custodians can recover: odziv directory rotate"
	case *directory.OfficerEnrol:
		return "put the officer at a desk: odziv officer desk put DESK " + b.U
	case *directory.OfficerRevoke:
		return "each desk of hers makes a new key: odziv directory rotate"
	case *directory.DeskProfile:
		return "put officers at it: odziv officer desk put " + b.D + " OFFICER"
	case *directory.DeskMembers:
		return "a member makes the desk's key, another confirms it: odziv directory rotate, odziv directory acknowledge"
	}
	return ""
}

// completed waits until a checkpoint covers what a signature completed.
func (s *session) completed(answer wire.PendingAnswer) (ledger.Standing, error) {
	switch {
	case answer.Entry != nil:
		return s.Await(s.cmd.Context(), answer.Entry.Idx)
	case answer.Item != nil:
		r, err := s.confirm(*answer.Item)
		return r.Standing, err
	}
	return "", nil
}

func waiting(cmd *cobra.Command) (*session, []wire.Pending, error) {
	s, err := synced(cmd)
	if err != nil {
		return nil, nil, err
	}
	desk := ""
	if me, err := s.Me(); err == nil && len(s.Directory().DesksOf(me.U)) > 0 {
		if desk, err = s.acts(); err != nil {
			return nil, nil, err
		}
	}
	list, err := s.Pending(cmd.Context(), desk)
	return s, list, err
}

// shortDigest is how much of a digest finds a statement among those that wait.
// What is signed is then shown whole.
const shortDigest = 8

func findWaiting(cmd *cobra.Command, digest string) (*session, wire.Pending, error) {
	s, list, err := waiting(cmd)
	if err != nil {
		return nil, wire.Pending{}, err
	}
	var found []wire.Pending
	for _, p := range list {
		if p.Digest == digest || len(digest) >= shortDigest && strings.HasPrefix(p.Digest, digest) {
			found = append(found, p)
		}
	}
	if len(found) == 1 {
		return s, found[0], nil
	}
	return nil, wire.Pending{}, cli.Hint(errors.New("no such statement waits for you"), "list them with: odziv pending; what nobody completed within seven days is forgotten and made anew")
}

// waitedAnswer is a statement that needed nobody else any more.
type waitedAnswer struct {
	Recorded bool `json:"recorded"`
	recorded
}

// outWaiting prints what became of a statement that may need a second person.
func (s *session) outWaiting(what office.Waiting) error {
	if what.Item != nil {
		r, err := s.confirm(*what.Item)
		if err != nil {
			return err
		}
		return s.out(waitedAnswer{true, r}, r.print)
	}
	return s.out(map[string]any{"recorded": false, "pending": what.Digest}, func(w io.Writer) {
		fmt.Fprintf(w, "waits for a second signature from another unit or body:\n  odziv pending sign %s\n", what.Digest)
	})
}
