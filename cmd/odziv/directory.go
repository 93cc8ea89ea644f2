package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/ledger"
)

func directoryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "directory", Short: "who may act and read for which desk", Args: cobra.NoArgs,
		Long: `directory lists institutions and desks as this program verified them: every entry
was replayed and the whole compared with the signed checkpoint. Names are those of
names.json; the directory itself holds none.`,
		Example: "  odziv directory\n  odziv directory propose enrol-request.json\n  odziv directory rotate\n  odziv directory acknowledge\n  odziv directory grant u_5m7wq3rtu6u5hf7v2zkgqxk3ja\n  odziv directory watch\n  odziv directory history ppo-nis.registry",
		RunE:    listDirectory,
	}
	cmd.AddCommand(proposeCommand(), signCommand(), rotateCommand(), acknowledgeCommand(), disputeCommand(), shareCommand(), forgetCommand(), genesisCommand(), watchCommand(), acceptCommand(), historyCommand())
	return cmd
}

// deskLine is a line of the directory.
type deskLine struct {
	Inst    string `json:"inst"`
	Type    string `json:"type"`
	Desk    string `json:"desk"`
	Fn      string `json:"fn"`
	Name    string `json:"name,omitempty"`
	Members int    `json:"members"`
	Epoch   int64  `json:"epoch"` // 0: nothing can be sealed to it yet
	Stale   bool   `json:"stale"`

	Standing ledger.Standing `json:"standing"` // of members and keys
}

func listDirectory(cmd *cobra.Command, _ []string) error {
	s, err := synced(cmd)
	if err != nil {
		return err
	}
	dir := s.Directory()
	lines := []deskLine{}
	for _, i := range dir.Institutions() {
		for _, d := range dir.DesksOfInst(i) {
			desk, _ := dir.Desk(d)
			e, _ := dir.ActiveEpoch(d)
			_, stale := dir.Stale(d, s.Now())
			name := s.called(d)
			if name == d {
				name = ""
			}
			lines = append(lines, deskLine{Inst: i, Type: dir.TypeOfDesk(d), Desk: d, Fn: desk.Fn, Name: name,
				Members: len(desk.Members), Epoch: e.E, Stale: stale, Standing: s.DeskStanding(d)})
		}
	}
	return s.out(lines, func(w io.Writer) {
		for _, l := range lines {
			note := ""
			switch {
			case l.Epoch == 0:
				note = "  no key yet: nothing can be sealed to it"
			case l.Stale:
				note = "  must renew its key"
			}
			fmt.Fprintf(w, "%-28s %-14s %-11s %d members  key %d  %s  %s%s\n", l.Name, l.Type, l.Fn, l.Members, l.Epoch, l.Desk, inWord(l.Standing), note)
		}
	})
}
