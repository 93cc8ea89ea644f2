package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/statement"
)

// shared says which keys of a desk were given to a member.
type shared struct {
	Desk    string     `json:"desk"`
	Officer string     `json:"officer"`
	Epochs  []int64    `json:"epochs"`  // given now
	Had     []int64    `json:"had"`     // she has a package already
	Lacking []int64    `json:"lacking"` // you cannot open them yourself
	Records []recorded `json:"records"`
}

// keyGrant is a grant of keys on record.
type keyGrant struct {
	At      int64   `json:"at"`
	Idx     int64   `json:"idx"`
	By      string  `json:"by"` // key id
	Officer string  `json:"officer"`
	Epochs  []int64 `json:"epochs"`
}

func shareCommand() *cobra.Command {
	var epochs string
	cmd := &cobra.Command{
		Use: "grant [OFFICER]", Short: "give older keys of the desk to a new member", Args: cobra.MaximumNArgs(1), Annotations: lookAfterKeys,
		Long: `grant wraps older keys of the desk for another member, so that she reads what was
sealed before she joined. It takes the role desk-key. The desk and the head of your
institution see the grant on record; nobody else does. Her program finds it the
next time she opens a message that needs it.

Without an officer it lists what was granted.`,
		Example: `  odziv directory grant u_5m7wq3rtu6u5hf7v2zkgqxk3ja
  odziv directory grant u_5m7wq3rtu6u5hf7v2zkgqxk3ja --epochs 3-5,7
  odziv directory grant`,
		RunE: func(cmd *cobra.Command, args []string) error {
			numbers, err := parseEpochs(epochs)
			if err != nil {
				return err
			}
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return s.listGrants(desk)
			}
			if !statement.IsID(args[0], statement.Officer) {
				return cli.UsageError("%q is no officer id: it begins with u_, and odziv status shows it to its owner", args[0])
			}
			return s.share(desk, args[0], numbers)
		},
	}
	cmd.Flags().StringVar(&epochs, "epochs", "all", "numbers of keys, such as 3-5,7, or all that you hold")
	return cmd
}

func (s *session) share(desk, officer string, epochs []int64) error {
	given, err := s.ShareEpochs(s.cmd.Context(), desk, s.family, officer, epochs)
	if err != nil {
		return err
	}
	s.save()
	a := shared{Desk: desk, Officer: officer, Epochs: given.Epochs, Had: given.Had, Lacking: given.Lacking, Records: []recorded{}}
	for _, item := range given.Items {
		r, err := s.confirm(item)
		if err != nil {
			return err
		}
		a.Records = append(a.Records, r)
	}
	to, _ := s.Directory().Officer(officer)
	return s.out(a, func(w io.Writer) { a.print(w, ceremony.FingerprintOf(to.Key)) })
}

func (a *shared) print(w io.Writer, fingerprint string) {
	if len(a.Epochs) > 0 {
		fmt.Fprintf(w, "granted to %s: keys %s\nher signing key is %s\n", a.Officer, numbersOf(a.Epochs), fingerprint)
	} else {
		fmt.Fprintln(w, "nothing was granted")
	}
	if len(a.Had) > 0 {
		fmt.Fprintf(w, "she had a package of these: %s\n", numbersOf(a.Had))
	}
	if len(a.Lacking) > 0 {
		fmt.Fprintf(w, "you cannot open these yourself, so ask a colleague who was there: %s\n", numbersOf(a.Lacking))
	}
	for _, r := range a.Records {
		r.print(w)
	}
	if len(a.Epochs) > 0 {
		fmt.Fprintln(w, "she opens older messages as any other: odziv inbox, odziv read MESSAGE")
	}
}

func (s *session) listGrants(desk string) error {
	all, err := s.Shares(s.cmd.Context(), desk)
	if err != nil {
		return err
	}
	lines := []keyGrant{}
	for _, g := range all {
		if g.Desk == desk {
			lines = append(lines, keyGrant{At: g.Recorded, Idx: g.Idx, By: g.By.Key, Officer: g.Officer, Epochs: g.Epochs})
		}
	}
	return s.out(lines, func(w io.Writer) {
		if len(lines) == 0 {
			fmt.Fprintln(w, "no older key of the desk was granted to anybody")
		}
		for _, l := range lines {
			by := l.By
			if o, ok := s.Directory().OfficerByKey(l.By); ok {
				by = o.U
			}
			fmt.Fprintf(w, "%s  entry %d  %s granted keys %s to %s\n", s.when(l.At), l.Idx, by, numbersOf(l.Epochs), l.Officer)
		}
	})
}

// maxEpochRange bounds what --epochs may name.
const maxEpochRange = 4096

// parseEpochs reads 3-5,7; nil for all.
func parseEpochs(text string) ([]int64, error) {
	if text == "all" {
		return nil, nil
	}
	list := []int64{}
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.ParseInt(from, 10, 32)
		last, err2 := strconv.ParseInt(to, 10, 32)
		if err1 != nil || err2 != nil || first < 1 || last < first || last-first >= maxEpochRange || len(list) >= maxEpochRange {
			return nil, cli.UsageError("--epochs %q: write numbers such as 3-5,7, or all", text)
		}
		for n := first; n <= last; n++ {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// numbersOf writes numbers as people do: 1-3, 7.
func numbersOf(list []int64) string {
	var parts []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		part := strconv.FormatInt(list[i], 10)
		if j > i {
			part += "-" + strconv.FormatInt(list[j], 10)
		}
		parts, i = append(parts, part), j+1
	}
	return strings.Join(parts, ", ")
}
