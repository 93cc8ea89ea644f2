package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/observe"
	"github.com/odziv/odziv/ledger"
)

func observeStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "what is mirrored, and whether anything is wrong", Args: cobra.NoArgs,
		Long: `status says how much of the ledger is mirrored, how it stands with the other
witnesses, and how many alarms are open. It asks nobody, and works beside odziv
observe run. It ends with 1 while an alarm is open.`,
		Example: `  odziv observe status --home /var/lib/odziv-observer`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := openObserver(cmd, watchFlags{}, true)
			if err != nil {
				return err
			}
			st, err := o.Status()
			if err != nil {
				return observerHint(err)
			}
			err = cli.Out(cmd, st, func(w io.Writer) { printStatus(w, st) })
			if err == nil && st.Alarms > 0 {
				err = cli.Ended(cli.Failed)
			}
			return err
		},
	}
}

func printStatus(w io.Writer, s observe.Status) {
	fmt.Fprintf(w, "directory  %d entries %s\nevidence   %d entries %s\n", s.Dir.Size, s.Dir.Standing, s.Ev.Size, s.Ev.Standing)
	fmt.Fprintf(w, "answered   %s\ncompared   %s\n", stamp(s.Answered), stamp(s.Whole))
	fmt.Fprintf(w, "waiting    %d statements about this institution\nalarms     %d\nwarnings   %d\n", s.Waiting, s.Alarms, s.Warnings)
	if s.Alarms+s.Warnings > 0 {
		fmt.Fprintln(w, "\nsee them with: odziv observe alarms")
	}
}

// stamp shows a time by this computer.
func stamp(ms int64) string {
	if ms == 0 {
		return "never"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04Z")
}

func observeAlarmsCommand() *cobra.Command {
	var all bool
	var zipFile, closeID string
	cmd := &cobra.Command{
		Use: "alarms", Short: "what is wrong, with its evidence", Args: cobra.NoArgs,
		Long: `alarms lists what is wrong, one line each and the folder with the evidence: signed
checkpoints, entries and proofs that anybody can verify. docs/observer.md says what
to do about each. An alarm that has been looked into is closed by hand; its
evidence stays. It ends with 1 while an alarm is open.`,
		Example: `  odziv observe alarms --home /var/lib/odziv-observer
  odziv observe alarms --home /var/lib/odziv-observer --zip evidence.zip
  odziv observe alarms --home /var/lib/odziv-observer --close fork-1f0e6b8a92c4`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := openObserver(cmd, watchFlags{}, true)
			if err != nil {
				return err
			}
			if closeID != "" {
				if err := o.Alarms.Close(closeID); err != nil {
					return observerHint(err)
				}
			}
			if zipFile != "" {
				if err := zipAlarms(o, zipFile); err != nil {
					return err
				}
			}
			list, err := o.Alarms.List(all)
			if err != nil {
				return observerHint(err)
			}
			return outAlarms(cmd, list)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "closed ones too")
	cmd.Flags().StringVar(&zipFile, "zip", "", "write all of them with their evidence into this new file")
	cmd.Flags().StringVar(&closeID, "close", "", "close one that has been looked into, by its id")
	return cmd
}

func zipAlarms(o *observe.Observer, name string) error {
	var b bytes.Buffer
	if err := o.Alarms.Zip(&b); err != nil {
		return err
	}
	return cli.Hint(writeNew(name, b.Bytes()), "name a file that does not exist yet with --zip")
}

func observeAcceptCommand() *cobra.Command {
	var all, show bool
	cmd := &cobra.Command{
		Use: "accept [INDEX…]", Short: "say that a change of your institution's keys or desks was expected",
		Long: `accept shows directory statements about your institution that nobody has accepted
yet: what changed, what it was before, and by whose signatures. Compare them with
the papers. What you name is accepted and its alarm closed; with --show it is only
shown. Without an index it lists what waits.`,
		Example: `  odziv observe accept --home /var/lib/odziv-observer
  odziv observe accept --home /var/lib/odziv-observer --show 117
  odziv observe accept --home /var/lib/odziv-observer 117 118
  odziv observe accept --home /var/lib/odziv-observer --all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all && len(args) > 0 {
				return cli.UsageError("give indexes or --all, not both")
			}
			o, err := openObserver(cmd, watchFlags{}, true)
			if err != nil {
				return err
			}
			indexes, err := indexesOf(o, args)
			if err != nil {
				return err
			}
			return observerHint(accept(cmd, o, indexes, (all || len(args) > 0) && !show))
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "everything that waits")
	cmd.Flags().BoolVar(&show, "show", false, "show only, accept nothing")
	return cmd
}

// indexesOf are those named, else all that wait.
func indexesOf(o *observe.Observer, args []string) ([]int64, error) {
	indexes := []int64{}
	for _, arg := range args {
		idx, err := strconv.ParseInt(arg, 10, 64)
		if err != nil || idx < 0 {
			return nil, cli.UsageError("%.40q is no index of an entry", arg)
		}
		indexes = append(indexes, idx)
	}
	if len(args) > 0 {
		return indexes, nil
	}
	waiting, err := o.Waiting()
	for _, c := range waiting {
		indexes = append(indexes, c.Idx)
	}
	return indexes, err
}

func accept(cmd *cobra.Command, o *observe.Observer, indexes []int64, really bool) error {
	list := []observe.Shown{}
	for _, idx := range indexes {
		s, err := o.Show(cmd.Context(), idx)
		if err != nil {
			return err
		}
		list = append(list, s)
	}
	if really {
		if err := o.Accept(indexes...); err != nil {
			return err
		}
	}
	return cli.Out(cmd, list, func(w io.Writer) {
		for _, s := range list {
			printChange(w, s)
		}
		switch {
		case len(list) == 0:
			fmt.Fprintln(w, "nothing waits")
		case really:
			fmt.Fprintf(w, "%d accepted\n", len(list))
		default:
			fmt.Fprintln(w, "nothing was accepted; name the indexes that you expected, or --all")
		}
	})
}

func printChange(w io.Writer, s observe.Shown) {
	fmt.Fprintf(w, "%d  %s  of %s, dated %s\n", s.Idx, s.Type, s.Subject, stamp(s.At))
	for _, by := range s.By {
		who := strings.TrimSpace(strings.Join([]string{by.Kind, by.Officer, by.Inst}, " "))
		fmt.Fprintf(w, "    signed by %s  %s\n", by.Key, who)
	}
	fmt.Fprintf(w, "    now     %s\n", compact(s.Payload))
	if s.Before != nil {
		fmt.Fprintf(w, "    before  %s\n", compact(s.Before))
	}
}

func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

// compared is the answer of compare.
type compared struct {
	Verdict observe.Verdict `json:"verdict"`
}

func observeCompareCommand() *cobra.Command {
	return &cobra.Command{
		Use: "compare FILE|URL", Short: "hold a checkpoint of somebody else against the mirror", Args: cobra.ExactArgs(1),
		Long: `compare reads a checkpoint or a .tlog-proof, from a file that another institution gave
you, from another observer or from the exchange's public address, and holds it
against what is mirrored. Two histories are an alarm, with the proof. It ends with
0 if it is one history, with 1 if there are two, and with 4 if the checkpoint is
larger than what is mirrored: then compare again in a minute.`,
		Example: `  odziv observe compare --home /var/lib/odziv-observer https://observer.ombudsman.example.rs/ev/checkpoint
  odziv observe compare --home /var/lib/odziv-observer receipt.tlog-proof`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := openObserver(cmd, watchFlags{}, true)
			if err != nil {
				return err
			}
			signed, err := readCheckpoint(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			verdict, err := o.Compare(cmd.Context(), signed)
			if err != nil {
				return observerHint(err)
			}
			err = cli.Out(cmd, compared{verdict}, func(w io.Writer) { fmt.Fprintln(w, verdictText[verdict]) })
			switch {
			case err == nil && verdict == observe.Different:
				err = cli.Ended(cli.Failed)
			case err == nil && verdict == observe.Larger:
				err = cli.Ended(cli.Away)
			}
			return err
		},
	}
}

var verdictText = map[observe.Verdict]string{
	observe.Same:      "one history: the checkpoint is of the ledger that is mirrored here",
	observe.Different: "TWO HISTORIES: the exchange signed this and something else; see odziv observe alarms",
	observe.Larger:    "the checkpoint is larger than what is mirrored here: compare it again in a minute",
}

func readCheckpoint(ctx context.Context, from string) ([]byte, error) {
	if !strings.Contains(from, "://") {
		return cli.ReadFile(from, ledger.MaxProof)
	}
	data, err := observe.Fetch(ctx, from)
	if err != nil {
		return nil, &cli.Error{Err: err, Hint: "check the address; only https is spoken beyond this machine", Code: cli.Away}
	}
	return data, nil
}

func observeExportCommand() *cobra.Command {
	var archive bool
	cmd := &cobra.Command{
		Use: "export DIR", Short: "copy the mirror, for whoever restores or audits the exchange", Args: cobra.ExactArgs(1),
		Long: `export writes both trees into a new folder, each with its checkpoint and its tiles
(C2SP tlog-tiles). An exchange that lost its newest entries imports them from
there; tools for transparency logs read it. With --zip each tree is a series of zip
files in the form of CT archives.`,
		Example: `  odziv observe export --home /var/lib/odziv-observer /media/usb/ledger
  odziv observe export --home /var/lib/odziv-observer --zip /media/usb/ledger-archive`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := openObserver(cmd, watchFlags{}, true)
			if err != nil {
				return err
			}
			list, err := o.Export(cmd.Context(), args[0], archive)
			if errors.Is(err, os.ErrExist) {
				return cli.Hint(err, "nothing was changed; name a folder that does not exist yet")
			}
			if err != nil {
				return observerHint(err)
			}
			return cli.Out(cmd, list, func(w io.Writer) {
				for _, e := range list {
					fmt.Fprintf(w, "%s  %d entries  %s\n", e.Log, e.Size, e.Folder)
				}
			})
		},
	}
	cmd.Flags().BoolVar(&archive, "zip", false, "as zip files")
	return cmd
}

func observeRepostCommand() *cobra.Command {
	var f watchFlags
	cmd := &cobra.Command{
		Use: "repost", Short: "give back to a restored exchange the openings that it lost", Args: cobra.NoArgs,
		Long: `repost asks the exchange which entries it cannot read any more after a loss, and
gives back those that were read from your desks' feeds (odziv observe run --feed).
Until all institutions have done so the exchange refuses what depends on consent.
It ends with 1 if some are not kept here either.`,
		Example: `  odziv observe repost --home /var/lib/odziv-observer --feed /srv/odziv/homes/intake --feed-passphrase-file /etc/odziv/intake.pass`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			home, err := homeOf(cmd)
			if err != nil {
				return err
			}
			o, err := openObserver(cmd, watchFlags{}, true)
			if err != nil {
				return err
			}
			desks, err := f.desksOf(cmd, home)
			if err != nil {
				return err
			}
			answer, err := o.Repost(cmd.Context(), desks[0].Feeder, nil)
			if err != nil {
				return observerHint(err)
			}
			err = cli.Out(cmd, answer, func(w io.Writer) {
				fmt.Fprintf(w, "%d entries asked for, %d given back, %d not kept here\n", answer.Asked, answer.Given, len(answer.Missing))
			})
			if err == nil && len(answer.Missing) > 0 {
				err = cli.Ended(cli.Failed)
			}
			return err
		},
	}
	f.addFeeds(cmd)
	cmd.MarkFlagRequired("feed")
	return cmd
}
