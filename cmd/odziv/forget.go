package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
)

// retention is how long ago a key must have been superseded before it is
// forgotten, where nobody says otherwise.
const retention = "10y"

// retirement is what forget found and did.
type retirement struct {
	Desk      string           `json:"desk"`
	Forgotten []office.Retired `json:"forgotten"`
	Kept      []office.Retired `json:"kept"` // old enough, and still needed
}

func forgetCommand() *cobra.Command {
	var olderThan string
	var a *asker
	cmd := &cobra.Command{
		Use: "forget", Short: "delete keys of the desk that nothing needs any more", Args: cobra.NoArgs, Annotations: lookAfterKeys,
		Long: `forget deletes from your keystore the keys of the desk that were superseded longer
ago than the retention, unless a message sealed to one is still unopened, or an
answer to it still owed. It lists them and asks.

It cannot be undone: what is sealed to a deleted key you will never read again,
neither from a copy of the server nor by order of a court, unless a colleague who
still has the key grants it to you again (odziv directory grant). The previous
version of the keystore is deleted too, once the new one was read back; other
copies of it, on a stick or in a safe, you must delete yourself.`,
		Example: "  odziv directory forget\n  odziv directory forget --older-than 5y",
		RunE: func(cmd *cobra.Command, _ []string) error {
			age, err := parseAge(olderThan)
			if err != nil {
				return err
			}
			s, desk, err := acting(cmd)
			if err != nil {
				return err
			}
			return s.forget(a, desk, age)
		},
	}
	cmd.Flags().StringVar(&olderThan, "older-than", retention, "how long ago a key was superseded, in years or days: 10y, 90d")
	a = asking(cmd)
	return cmd
}

func (s *session) forget(a *asker, desk string, age int64) error {
	all, err := s.Retired(s.cmd.Context(), desk, age)
	if err != nil {
		return err
	}
	r := retirement{Desk: desk, Forgotten: []office.Retired{}, Kept: []office.Retired{}}
	for _, k := range all {
		if k.Forgettable() {
			r.Forgotten = append(r.Forgotten, k)
		} else {
			r.Kept = append(r.Kept, k)
		}
	}
	if len(r.Forgotten) > 0 {
		if err := s.mayForget(a, &r); err != nil {
			return err
		}
		if err := s.forgetAll(desk, r.Forgotten); err != nil {
			return err
		}
	}
	return s.out(r, func(w io.Writer) { s.printForgotten(w, &r) })
}

// mayForget asks, or wants --yes where there is nobody to ask.
func (s *session) mayForget(a *asker, r *retirement) error {
	a.begin()
	if a.yes {
		return nil
	}
	for _, k := range r.Forgotten {
		a.say("key %d, superseded %s: %d messages are sealed to it, all opened and answered\n", k.Epoch, s.when(k.Superseded), k.Messages)
	}
	if !a.terminal {
		return &cli.Error{Err: fmt.Errorf("%d keys would be deleted for ever", len(r.Forgotten)), Hint: "if that is meant, run it again with --yes", Code: cli.Refused}
	}
	return a.confirm("You will never read these messages again with this keystore. Delete the keys?", "nothing was deleted")
}

// forgetAll takes the keys out of what is stored. The version before goes only
// once the new one was read back and holds everything else: a kill in between
// leaves one that has all the keys.
func (s *session) forgetAll(desk string, list []office.Retired) error {
	ctx := s.cmd.Context()
	epochs := make([]int64, 0, len(list))
	for _, k := range list {
		epochs = append(epochs, k.Epoch)
	}
	if _, err := s.Forget(desk, epochs); err != nil {
		return err
	}
	if err := s.keep(); err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	written, err := s.at.reread(ctx)
	if err == nil {
		err = sameKeys(s.keys, written)
	}
	if err != nil {
		return cli.Hint(fmt.Errorf("the new keystore was not read back as it was written: %w", err),
			"its previous version has every key and was not deleted: odziv keys restore-previous")
	}
	for _, e := range epochs {
		if _, there := written.DeskIdentity(desk, e); there {
			return fmt.Errorf("key %d is still in the keystore: its previous version was not deleted", e)
		}
	}
	return s.at.dropPrevious(ctx)
}

func (s *session) printForgotten(w io.Writer, r *retirement) {
	if len(r.Forgotten)+len(r.Kept) == 0 {
		fmt.Fprintln(w, "no key is old enough to be deleted")
	}
	for _, k := range r.Forgotten {
		fmt.Fprintf(w, "deleted: key %d, superseded %s\n", k.Epoch, s.when(k.Superseded))
	}
	for _, k := range r.Kept {
		fmt.Fprintf(w, "kept: key %d, superseded %s: of %d messages %d are unopened, %d wait for an answer\n", k.Epoch, s.when(k.Superseded), k.Messages, k.Unopened, k.Owed)
	}
	if len(r.Forgotten) > 0 {
		fmt.Fprintln(w, "delete other copies of your keystore too: they still have the keys")
	}
}

// maxAge bounds --older-than, in years.
const maxAge = 1000

// parseAge reads 10y or 90d as ms.
func parseAge(text string) (int64, error) {
	wrong := cli.UsageError("--older-than %q: write years or days, such as 10y or 90d", text)
	if len(text) < 2 {
		return 0, wrong
	}
	days, ok := map[byte]int64{'y': 365, 'd': 1}[text[len(text)-1]]
	n, err := strconv.ParseInt(text[:len(text)-1], 10, 32)
	if !ok || err != nil || n < 0 || n*days > maxAge*365 {
		return 0, wrong
	}
	return n * days * 24 * 3600 * 1000, nil
}
