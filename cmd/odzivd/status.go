package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/server"
)

func statusCommand() *cobra.Command {
	var ask bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "tell what the database, the anchor and the witnesses say of the ledger",
		Long: `status reads the database, the anchor and the keys, changes nothing, and may run
beside a server. For each tree it tells how many entries the database has, up to
where this server signed (the anchor), what was published last and under how many
cosignatures, and how many entries are not opened.

Exit code 1 means that the signer would stop: the message says who contradicts
whom. With --ask the witnesses are asked too.`,
		Example: "  odzivd status --dir /var/lib/odziv\n  odzivd status --dir /var/lib/odziv --ask --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("dir")
			return tell(cmd, dir, ask)
		},
	}
	cmd.Flags().BoolVar(&ask, "ask", false, "ask the witnesses too")
	return cmd
}

// told is the answer of status.
type told struct {
	Host    string             `json:"host"`
	Genesis string             `json:"genesis"`
	Demo    bool               `json:"demo"`
	Now     int64              `json:"now"`
	Trees   []server.TreeState `json:"trees"`
	Holes   int                `json:"holes"`
	Vault   *server.KeyState   `json:"vault,omitempty"` // as a server saw it last; none: the keys are files, or no server ran
}

func tell(cmd *cobra.Command, dir string, ask bool) (err error) {
	home, err := server.OpenHome(dir)
	if err != nil {
		return err
	}
	x, err := openAt(cmd.Context(), home)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Store.Close()) }()
	states, err := home.Examine(cmd.Context(), x, ask)
	if err != nil {
		return err
	}
	holes, err := countHoles(cmd.Context(), x.Store)
	if err != nil {
		return err
	}
	s := x.Status()
	t := told{Host: s.Host, Genesis: s.Genesis, Demo: s.Demo, Now: s.Now, Trees: states, Holes: holes}
	if t.Vault, err = home.KeyState(); err != nil {
		return err
	}
	problem := firstProblem(states)
	if err := cli.Out(cmd, t, t.print); err != nil || problem == nil {
		return err
	}
	if cli.JSON(cmd) {
		return cli.Ended(cli.Failed)
	}
	return halted(problem, dir)
}

func (t told) print(w io.Writer) {
	fmt.Fprintf(w, "%s\ngenesis  %s\n", t.Host, fingerprint(t.Genesis))
	for _, s := range t.Trees {
		fmt.Fprintf(w, "\n%s\n", s.Log)
		line := func(who string, said *server.Said, more string) {
			if said == nil {
				fmt.Fprintf(w, "  %-10s nothing\n", who)
				return
			}
			fmt.Fprintf(w, "  %-10s %8d  %s%s%s\n", who, said.Size, said.Root, when(said.At), more)
		}
		line("database", &s.Database, "")
		line("anchor", s.Anchor, "")
		line("published", s.Published, fmt.Sprintf("  cosigned by %d of %d", s.Cosigned, s.Witnesses))
		line("confirmed", s.Quorum, "")
		for _, name := range slices.Sorted(maps.Keys(s.Doubts)) {
			fmt.Fprintf(w, "  %s contradicts: %s\n", name, s.Doubts[name])
		}
		if s.Problem != "" {
			fmt.Fprintf(w, "  STOP: %s\n", s.Problem)
		}
	}
	if t.Vault != nil {
		fmt.Fprintf(w, "\nvault      %s\n", vaultSeen(t.Vault, time.Now()))
	}
	if t.Holes > 0 {
		fmt.Fprintf(w, "\n%d entries are not opened: the exchange records nothing else until they are\n", t.Holes)
	}
}

func when(at int64) string {
	if at == 0 {
		return ""
	}
	return "  " + time.UnixMilli(at).UTC().Format("2006-01-02 15:04:05 MST")
}
