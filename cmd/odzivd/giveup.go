package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/server"
)

func giveUpCommand() *cobra.Command {
	var holes int
	cmd := &cobra.Command{
		Use:   "give-up",
		Short: "go on without openings that nobody can give back",
		Long: `give-up covers every entry that is still not opened by an erasure on record, with
the ground "lost". The exchange then records again, and consent is read as if
those entries had never been: a withdrawal among them is forgotten.

So it is the last resort. First let every institution's program synchronise, and
call those that have not; what they recorded in the lost time they record anew.
--holes is the number that "odzivd status" tells; any other refuses. It cannot be
undone. Stop every server before.`,
		Example: `  odzivd give-up --dir /var/lib/odziv --holes 3`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("dir")
			return giveUp(cmd, dir, holes)
		},
	}
	cmd.Flags().IntVar(&holes, "holes", 0, "how many entries are not opened, as odzivd status tells")
	_ = cmd.MarkFlagRequired("holes")
	return cmd
}

func giveUp(cmd *cobra.Command, dir string, holes int) (err error) {
	if holes < 1 {
		return cli.UsageError("--holes takes the number of entries that odzivd status says are not opened")
	}
	home, err := server.OpenHome(dir)
	if err != nil {
		return err
	}
	x, err := openAt(cmd.Context(), home)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Store.Close()) }()
	states, err := home.Examine(cmd.Context(), x, false)
	if err != nil {
		return err
	}
	if problem := firstProblem(states); problem != nil {
		return halted(problem, dir) // first the entries, then what opens them
	}
	var n int
	err = sequenced(cmd.Context(), x, func(ctx context.Context) error {
		n, err = x.GiveUp(ctx, holes)
		return err
	})
	if err != nil {
		return cli.Hint(err, "look again with odzivd status --dir %s; nothing was given up", dir)
	}
	return cli.Out(cmd, map[string]int{"given_up": n}, func(w io.Writer) {
		fmt.Fprintf(w, "given up: %d entries; the exchange records again\n", n)
	})
}
