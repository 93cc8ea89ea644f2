package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/ledger"
)

func pendingCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "pending", Short: "statements that wait for a second person", Args: cobra.NoArgs,
		Long: `pending lists what waits for further signatures and concerns the desk. To whoever
acts for no desk (a registrar, a delegate, a root) it shows what this key signed
or may sign. What nobody completes is forgotten after seven days.

Read a statement before you sign it: your signature says the same as the first.`,
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
					fmt.Fprintf(w, "%s  until %s  signed by %d  %s\n", p.Digest, s.when(p.Until), len(p.DSSE.Signatures), p.DSSE.PayloadType)
				}
			})
		},
	}
	show := &cobra.Command{
		Use: "show DIGEST", Short: "print a waiting statement", Args: cobra.ExactArgs(1),
		Long:    "show prints the exact text that a signature is asked for, as JSON.",
		Example: "  odziv pending show cc7f5c3a2d1f1a0f44c0ad56cb6bb0a2bb0ce1b60dd8a3f1c3dd14d4cc26bbd4",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, p, err := findWaiting(cmd, args[0])
			if err != nil {
				return err
			}
			return s.out(p, func(w io.Writer) { fmt.Fprintf(w, "%s\n", p.DSSE.Payload) })
		},
	}
	sign := &cobra.Command{
		Use: "sign DIGEST", Short: "add your signature", Args: cobra.ExactArgs(1),
		Long: `sign prints the statement, adds your signature and gives it back to the exchange.
With the last signature that it needs the statement is on record.`,
		Example: "  odziv pending sign cc7f5c3a2d1f1a0f44c0ad56cb6bb0a2bb0ce1b60dd8a3f1c3dd14d4cc26bbd4",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, p, err := findWaiting(cmd, args[0])
			if err != nil {
				return err
			}
			if s.hasSigned(p.DSSE) {
				return cli.Hint(errors.New("you signed this already"), "the next signature is somebody else's")
			}
			answer, err := s.Cosign(cmd.Context(), p.DSSE)
			if err != nil {
				return err
			}
			a := signedAnswer{PendingAnswer: answer}
			if a.Standing, err = s.completed(answer); err != nil {
				return err
			}
			return s.out(a, func(w io.Writer) {
				fmt.Fprintf(w, "%s\n", p.DSSE.Payload)
				if answer.Complete {
					fmt.Fprintf(w, "complete and on record — %s\n", inWords(office.Vouched{Standing: a.Standing}))
				} else {
					fmt.Fprintf(w, "signed; %d signatures so far, more are needed\n", len(answer.Signed))
				}
			})
		},
	}
	cmd.AddCommand(show, sign)
	return cmd
}

// signedAnswer is what the exchange said of a signature, and how far others
// vouch for what it completed.
type signedAnswer struct {
	wire.PendingAnswer
	Standing ledger.Standing `json:"standing,omitempty"`
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

func findWaiting(cmd *cobra.Command, digest string) (*session, wire.Pending, error) {
	s, list, err := waiting(cmd)
	if err != nil {
		return nil, wire.Pending{}, err
	}
	for _, p := range list {
		if p.Digest == digest {
			return s, p, nil
		}
	}
	return nil, wire.Pending{}, cli.Hint(errors.New("no such statement waits for you"), "list them with: odziv pending")
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
