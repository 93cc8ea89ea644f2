package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/statement"
)

// announcedAnswer says where a list of expected changes was written.
type announcedAnswer struct {
	File string `json:"file"`
	Key  string `json:"key"` // key id of the observer, which officers compare
}

func observeAnnounceCommand() *cobra.Command {
	return &cobra.Command{
		Use: "announce FILE", Short: "tell your institution's officers which changes you accepted", Args: cobra.ExactArgs(1),
		Long: `announce writes a list of the statements that you accepted (odziv observe accept),
signed with the observer's key. Officers who follow the observer (odziv directory
watch --observer FILE --fingerprint …) need not look at these changes themselves. odziv observe run
--listen shows the same list at /expected. A change of the observer's own key is in
no list: every officer looks at that one herself.`,
		Example: `  odziv observe announce --home /var/lib/odziv-observer --passphrase-file /etc/odziv/observer.pass /srv/odziv/expected.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s := &session{cmd: cmd}
			var err error
			if s.home, err = homeOf(cmd); err != nil {
				return err
			}
			o, err := openObserver(cmd, watchFlags{}, true)
			if err != nil {
				return err
			}
			if err := s.unlock(); err != nil {
				return err
			}
			list, err := o.Expected(cmd.Context(), s.keys.Signer())
			if err != nil {
				return observerHint(err)
			}
			if err := replaceFile(args[0], list); err != nil {
				return err
			}
			a := announcedAnswer{File: args[0], Key: statement.KeyID(s.keys.Signer().Public())}
			return cli.Out(cmd, a, func(w io.Writer) {
				fmt.Fprintf(w, "written      %s\nfingerprint  %s\n\nnext: give the fingerprint to each officer on paper; she runs, once:\nodziv directory watch --observer %s --fingerprint …\n", a.File, fingerprintLines(a.Key, 13), a.File)
			})
		},
	}
}

// replaceFile makes a file hold data, whole or not at all: officers may be reading
// it.
func replaceFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails, as it should, once renamed
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
