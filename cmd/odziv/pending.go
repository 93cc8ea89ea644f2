package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
)

func pendingCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "pending", Short: "statements that wait for a second person", Args: cobra.NoArgs,
		Long: `pending lists what waits for further signatures and concerns the desk. Read a
statement before you sign it: your signature says the same as the first.`,
		Example: "  odziv pending\n  odziv pending show DIGEST\n  odziv pending sign DIGEST",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, list, err := waiting(cmd)
			if err != nil {
				return err
			}
			return cli.Out(cmd, list, func(w io.Writer) {
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
		Use: "show DIGEST", Short: "print a waiting statement", Args: cobra.ExactArgs(1), Example: "  odziv pending show DIGEST",
		RunE: func(cmd *cobra.Command, args []string) error {
			_, p, err := findWaiting(cmd, args[0])
			if err != nil {
				return err
			}
			return cli.Out(cmd, p, func(w io.Writer) { fmt.Fprintf(w, "%s\n", p.DSSE.Payload) })
		},
	}
	sign := &cobra.Command{
		Use: "sign DIGEST", Short: "add your signature", Args: cobra.ExactArgs(1), Example: "  odziv pending sign DIGEST",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, p, err := findWaiting(cmd, args[0])
			if err != nil {
				return err
			}
			answer, err := s.Cosign(cmd.Context(), p.DSSE)
			if err != nil {
				return err
			}
			return cli.Out(cmd, answer, func(w io.Writer) {
				if answer.Complete {
					fmt.Fprintln(w, "complete and on record")
				} else {
					fmt.Fprintf(w, "signed; %d signatures so far, more are needed\n", len(answer.Signed))
				}
			})
		},
	}
	cmd.AddCommand(show, sign)
	return cmd
}

func waiting(cmd *cobra.Command) (*session, []wire.Pending, error) {
	s, desk, err := acting(cmd)
	if err != nil {
		return nil, nil, err
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
	return nil, wire.Pending{}, cli.Hint(errors.New("no such statement waits for this desk"), "list them with: odziv pending")
}

// outWaiting prints what became of a statement that may need a second person.
func (s *session) outWaiting(what office.Waiting) error {
	if what.Item != nil {
		item := *what.Item
		return cli.Out(s.cmd, map[string]any{"recorded": true, "idx": item.Idx}, func(w io.Writer) {
			fmt.Fprintf(w, "on record as entry %d\n", item.Idx)
		})
	}
	return cli.Out(s.cmd, map[string]any{"recorded": false, "pending": what.Digest}, func(w io.Writer) {
		fmt.Fprintf(w, "waits for a second signature from another unit or body:\n  odziv pending sign %s\n", what.Digest)
	})
}
