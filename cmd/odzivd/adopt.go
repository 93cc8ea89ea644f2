package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/ledger"
)

func adoptCommand() *cobra.Command {
	var from, compared string
	cmd := &cobra.Command{
		Use:   "adopt",
		Short: "fill the empty anchor of a further server, after comparing with a mirror",
		Long: `adopt lets the anchor of this server begin where the database stands. A further
server on the same database begins with an empty anchor, and so does one whose
disk was lost; nothing but a comparison with somebody outside then tells whether
the database is the newest.

With --from the comparison is made here: the database must have everything that
the mirror has. With --compared SIZE,SIZE you say that you compared the sizes of
dir and ev that a mirror of today shows. An anchor that holds something is never
made smaller.

` + mirrorHelp,
		Example: `  odzivd adopt --dir /var/lib/odziv --from /media/mirror
  odzivd adopt --dir /var/lib/odziv --compared 412,90311`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("dir")
			if (from == "") == (compared == "") {
				return cli.UsageError("compare with a mirror first: --from MIRROR, or --compared SIZE,SIZE of its dir and ev")
			}
			return adopt(cmd, dir, from, compared)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "folder, zip or address of a mirror to compare with")
	cmd.Flags().StringVar(&compared, "compared", "", "sizes of dir and ev that a mirror shows, as in 412,90311")
	return cmd
}

func adopt(cmd *cobra.Command, dir, from, compared string) (err error) {
	ctx := cmd.Context()
	home, err := server.OpenHome(dir)
	if err != nil {
		return err
	}
	x, err := openAt(ctx, home)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Store.Close()) }()
	if err := home.CheckNamed(x.Directory()); err != nil {
		return err
	}
	if compared != "" {
		err = hasSizes(ctx, x.Store, compared)
	} else {
		err = hasMirror(ctx, home, x.Store, from)
	}
	if err != nil {
		return err
	}
	if err := home.Adopt(ctx, x); err != nil {
		return halted(err, dir)
	}
	states, err := home.Examine(ctx, x, false)
	if err != nil {
		return err
	}
	if problem := firstProblem(states); problem != nil {
		return halted(problem, dir)
	}
	return cli.Out(cmd, states, func(w io.Writer) {
		for _, s := range states {
			if s.Anchor != nil {
				fmt.Fprintf(w, "%-3s  the anchor stands at %d\n", s.Log, s.Anchor.Size)
			} else {
				fmt.Fprintf(w, "%-3s  nothing was published yet\n", s.Log)
			}
		}
	})
}

// behind refuses a database that has less than a mirror.
func behind(log string, have, want int64) error {
	return cli.Hint(fmt.Errorf("%s has %d entries, the mirror %d: %w", log, have, want, ledger.ErrRollback),
		"this database is not the newest: bring the rest back with odzivd import --from MIRROR, then adopt")
}

func hasMirror(ctx context.Context, home *server.Home, store exchange.Store, from string) (err error) {
	files, shut, err := openMirror(ctx, from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shut()) }()
	mirror, err := home.Mirror(files)
	if err != nil {
		return err
	}
	states, err := exchange.Compare(ctx, store, mirror)
	if err != nil {
		return err
	}
	for _, s := range states {
		if s.From < s.Mirror {
			return behind(s.Log, s.From, s.Mirror)
		}
	}
	return nil
}

func hasSizes(ctx context.Context, store exchange.Store, compared string) error {
	sizes := strings.Split(compared, ",")
	if len(sizes) != len(ledger.Logs) {
		return cli.UsageError("--compared takes two sizes, those of dir and ev, as in 412,90311")
	}
	return store.View(ctx, func(r ledger.Reader) error {
		for i, log := range ledger.Logs {
			want, err := strconv.ParseInt(sizes[i], 10, 64)
			if err != nil || want < 1 && log == ledger.Dir || want < 0 {
				return cli.UsageError("--compared takes two sizes, those of dir and ev, as in 412,90311")
			}
			head, err := r.Head(ctx, log)
			if err != nil {
				return err
			}
			if head.Size < want {
				return behind(log.String(), head.Size, want)
			}
		}
		return nil
	})
}
