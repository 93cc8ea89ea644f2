package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/statement"
)

// statusAnswer is who one is and what one is connected to.
type statusAnswer struct {
	Exchange  string   `json:"exchange"`
	Genesis   string   `json:"genesis"`
	Demo      bool     `json:"demo"`
	Witnessed bool     `json:"witnessed"`
	Directory int64    `json:"directory"` // entries verified
	Key       string   `json:"key"`
	Officer   string   `json:"officer"`
	Roles     []string `json:"roles"`
	Desks     []string `json:"desks"`
	Offset    int64    `json:"clock_offset_ms"`
	Unsent    []string `json:"unsent"` // sealed, and not known to have arrived
}

// maxOffset is from where on a wrong clock is worth a word, in ms.
const maxOffset = 10 * 60 * 1000

func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "who you are, which exchange this is, and whether its record agrees with itself", Args: cobra.NoArgs,
		Long:    `status synchronises, verifies everything it fetched, and says what it found.`,
		Example: `  odziv status`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			dir := s.Directory()
			a := statusAnswer{Exchange: s.Notebook.Pin.URL, Genesis: dir.Genesis(), Demo: dir.Demo(), Witnessed: dir.Quorum().Ev != "none",
				Directory: dir.N(), Key: statement.KeyID(s.keys.Signer().Public()), Roles: []string{}, Desks: []string{}, Offset: s.Client.Offset()}
			if me, err := s.Me(); err == nil {
				a.Officer, a.Roles, a.Desks = me.U, me.Roles, dir.DesksOf(me.U)
			}
			if a.Unsent, err = s.Notebook.Outbox(); err != nil {
				return err
			}
			return cli.Out(cmd, a, func(w io.Writer) { a.print(w, s) })
		},
	}
}

func (a *statusAnswer) print(w io.Writer, s *session) {
	fmt.Fprintf(w, "exchange   %s\ngenesis    %s\ndirectory  %d entries, verified\n", a.Exchange, a.Genesis, a.Directory)
	if a.Demo {
		fmt.Fprintln(w, "           DEMONSTRATION: nothing in it is safe")
	}
	if !a.Witnessed {
		fmt.Fprintln(w, "           unwitnessed: nobody outside confirms yet that all see the same record")
	}
	if a.Offset > maxOffset || a.Offset < -maxOffset {
		fmt.Fprintf(w, "clock      this computer's is wrong by %d minutes; what you write is dated by the exchange's\n", a.Offset/60_000)
	}
	for _, id := range a.Unsent {
		fmt.Fprintf(w, "unsent     %s: go on with odziv send --resume %s\n", id, id)
	}
	fmt.Fprintf(w, "key        %s\n", a.Key)
	if a.Officer == "" {
		fmt.Fprintln(w, "officer    not enrolled yet")
		return
	}
	fmt.Fprintf(w, "officer    %s %v\n", a.Officer, a.Roles)
	for _, d := range a.Desks {
		fmt.Fprintf(w, "desk       %s  %s\n", d, s.called(d))
	}
}
