package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/server"
)

// clockTolerance is how far the time an operator reads off may be from the
// exchange's.
const clockTolerance = 2 * time.Minute

func acceptClockCommand() *cobra.Command {
	var now string
	cmd := &cobra.Command{
		Use:   "accept-clock",
		Short: "put on record that the clock is right, after it jumped",
		Long: `accept-clock lets the exchange write again after its clock jumped by more than five
minutes, or was found before the last checkpoint. Set the clock right first (on
PostgreSQL that of the database server), then read the time off something else, a
phone perhaps, and give it as --now: it must agree within two minutes.

The act is a leaf (clock.accepted) in the feed of the center's audit desk. Running
servers go on at their next write. Entries keep the order of their times: after a
clock that was ahead, new ones bear the last time on record until it has come.`,
		Example: `  odzivd accept-clock --dir /var/lib/odziv --now 2026-03-02T09:15:00+01:00`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("dir")
			at, err := time.Parse(time.RFC3339, now)
			if err != nil {
				return cli.UsageError("--now takes date, time and zone, as in 2026-03-02T09:15:00+01:00")
			}
			return acceptClock(cmd, dir, at)
		},
	}
	cmd.Flags().StringVar(&now, "now", "", "the time by another clock, RFC 3339")
	_ = cmd.MarkFlagRequired("now")
	return cmd
}

func acceptClock(cmd *cobra.Command, dir string, at time.Time) (err error) {
	home, err := server.OpenHome(dir)
	if err != nil {
		return err
	}
	x, err := openAt(cmd.Context(), home)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Store.Close()) }()
	var jump int64
	err = sequenced(cmd.Context(), x, func(ctx context.Context) error {
		jump, err = x.AcceptClock(ctx, at.UnixMilli(), clockTolerance.Milliseconds())
		return err
	})
	if err != nil {
		return cli.Hint(err, "nothing was recorded; set the clock right, on PostgreSQL that of the database server, and try again")
	}
	return cli.Out(cmd, map[string]int64{"jump": jump}, func(w io.Writer) {
		fmt.Fprintf(w, "accepted: the clock is %s from the last time on record\n", time.Duration(jump)*time.Millisecond)
	})
}
