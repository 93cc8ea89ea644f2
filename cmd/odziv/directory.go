package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/ledger"
)

func directoryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "directory", Short: "who may act and read for which desk", Args: cobra.NoArgs,
		Long: `directory lists institutions and desks as this program verified them: every entry
was replayed and the whole compared with the signed checkpoint. Names are those of
names.json; the directory itself holds none.`,
		Example: "  odziv directory\n  odziv directory propose enrol-request.json\n  odziv directory rotate\n  odziv directory acknowledge",
		RunE:    listDirectory,
	}
	cmd.AddCommand(proposeCommand(), signCommand(), rotateCommand(), acknowledgeCommand(), genesisCommand())
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

// rotated is a new key of the desk, which waits for a colleague.
type rotated struct {
	Epoch    int64           `json:"epoch"`
	Standing ledger.Standing `json:"standing"`
}

// acknowledged says that the desk's new key was confirmed by its second member,
// and how far others vouch for that.
type acknowledged struct {
	Acknowledged bool            `json:"acknowledged"`
	Standing     ledger.Standing `json:"standing"`
}

func rotateCommand() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use: "rotate", Short: "make a new key for the desk", Args: cobra.NoArgs,
		Long: `rotate makes a new key for the desk and wraps it for each member. Senders use it
once another member ran odziv directory acknowledge.`,
		Example: "  odziv directory rotate --why member-left",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			epoch, err := s.Rotate(cmd.Context(), desk, why)
			if err != nil {
				return err
			}
			s.save()
			e, _ := s.Directory().Epoch(desk, epoch)
			a := rotated{epoch, s.DirectoryStanding(e.DirN)}
			return s.out(a, func(w io.Writer) {
				fmt.Fprintf(w, "key %d made — %s\na colleague runs: odziv directory acknowledge\n", epoch, inWords(office.Vouched{Standing: a.Standing}))
			})
		},
	}
	cmd.Flags().StringVar(&why, "why", "yearly", "reason code")
	return cmd
}

func acknowledgeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "acknowledge", Short: "check your package of the desk's new key, and confirm it", Args: cobra.NoArgs,
		Long:    `acknowledge opens your package, compares the key with the directory, keeps it and says so.`,
		Example: "  odziv directory acknowledge",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			if err := s.Acknowledge(cmd.Context(), desk); err != nil {
				return err
			}
			s.save()
			a := acknowledged{true, s.DeskStanding(desk)}
			return s.out(a, func(w io.Writer) {
				if a.Standing == ledger.Provisional {
					fmt.Fprintln(w, "acknowledged; senders use the new key once witnesses have confirmed it")
					return
				}
				fmt.Fprintf(w, "acknowledged — %s; senders use the new key from now on\n", inWords(office.Vouched{Standing: a.Standing}))
			})
		},
	}
}
