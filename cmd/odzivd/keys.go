package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/server"
)

func keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "show where the server's keys lie, move, cycle and renew them",
		Long: `A server has three keys: two sign the checkpoints of the two trees, the third wraps
the keys of stored blobs. They lie in files of its folder, or in the operator's
Vault, which uses them and never shows them. docs/operator.md has the whole story.

Every change may be interrupted at any moment: the same command goes on, and until
then no server starts.`,
		Example: `  odzivd keys show --dir /var/lib/odziv
  odzivd keys move --dir /var/lib/odziv --to file
  odzivd keys cycle --dir /var/lib/odziv`,
	}
	cmd.AddCommand(keysShow(), keysMove(), keysCycle(), keysRenew())
	return cmd
}

// keyLog tells what the client of Vault says, of a command that a person waits
// for.
func keyLog(cmd *cobra.Command) *slog.Logger {
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// keysShown is the answer of show.
type keysShown struct {
	Dir    []server.LogKey  `json:"dir"`
	Ev     []server.LogKey  `json:"ev"`
	Period server.Kept      `json:"period"`
	Anchor server.Kept      `json:"anchor"`
	Vault  string           `json:"vault,omitempty"` // address
	State  *server.KeyState `json:"state,omitempty"` // as a server saw it last
	Moving bool             `json:"moving"`          // a move was interrupted
}

func keysShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "tell where each key lies, since when, and what the server sees of Vault",
		Long: `show reads the settings and what the server wrote down last. It logs in nowhere,
changes nothing and may run beside a server.`,
		Example: `  odzivd keys show --dir /var/lib/odziv`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("dir")
			home, err := server.OpenHome(dir)
			if err != nil {
				return err
			}
			c, err := home.Custody()
			if err != nil {
				return err
			}
			shown := keysShown{Dir: c.Dir, Ev: c.Ev, Period: c.Period, Anchor: c.Anchor, Moving: errors.Is(home.CheckSettled(), server.ErrMoving)}
			if c.Vault != nil {
				shown.Vault = c.Vault.Address
			}
			if shown.State, err = home.KeyState(); err != nil {
				return err
			}
			return cli.Out(cmd, shown, func(w io.Writer) { shown.print(w, time.Now()) })
		},
	}
}

func (s keysShown) print(w io.Writer, now time.Time) {
	for _, l := range []struct {
		name string
		keys []server.LogKey
	}{{"dir", s.Dir}, {"ev", s.Ev}} {
		for i, k := range l.keys {
			name := l.name
			if i > 0 {
				name = ""
			}
			fmt.Fprintf(w, "%-7s %s%s\n        %s\n", name, where(k.In, k.Name, k.Version), since(k.Since), k.VKey)
		}
	}
	fmt.Fprintf(w, "period  %s\nanchor  %s\n", where(s.Period.In, orElse(s.Period.Name, "period.key"), 0), where(s.Anchor.In, "", 0))
	if s.Vault != "" {
		fmt.Fprintf(w, "vault   %s\n        %s\n", s.Vault, vaultSeen(s.State, now))
	}
	if s.Moving {
		fmt.Fprintln(w, "\nA change of the keys was interrupted: run the same command again. Until then no server starts.")
	}
}

func where(in server.Place, name string, version int) string {
	switch {
	case in == server.Retired:
		return "retired: signs no more"
	case in == server.InFile && name != "":
		return "file keys/" + name
	case in == server.InFile:
		return "folder anchor/"
	case name == "":
		return "vault, shared by all servers, with a copy in anchor/"
	case version == 0:
		return "vault, key " + name
	}
	return fmt.Sprintf("vault, key %s version %d", name, version)
}

func since(at int64) string {
	if at == 0 {
		return ""
	}
	return ", since" + when(at)
}

// vaultSeen is what a server saw of Vault last, in words.
func vaultSeen(s *server.KeyState, now time.Time) string {
	if s == nil {
		return "no server has asked it yet"
	}
	said := fmt.Sprintf("%s since%s", s.Why, when(s.Since))
	if age := now.Sub(time.UnixMilli(s.At)); age > staleState {
		said += fmt.Sprintf("; that was seen %s ago, and no server looks now", age.Round(time.Minute))
	}
	if s.AppRole && !s.Reserve {
		said += "; no reserve secret id lies ready"
	}
	return said
}

// staleState is how old what a server wrote down may be: it writes every minute.
const staleState = 3 * time.Minute

func keysMove() *cobra.Command {
	var to, from, token string
	var flags vaultFlags
	cmd := &cobra.Command{
		Use:   "move",
		Short: "move the keys from files to Vault, or back",
		Long: `move --to vault puts the two keys of the ledger into Vault, unchanged: the ledger goes
on under them, and nobody outside notices. It proves that Vault signs as the files
do, wraps every period key of the database with the Vault's, copies the anchor,
switches server.json, and puts the files of the keys into keys.before-vault/.

  Vault must have been prepared: deploy/vault/apply.sh operator --without-keys.
  --vault-token names a file with a token of the policy odziv-setup, which may
  import keys; the rest is done with the server's own login, which uses up one
  wrapped secret id.

move --to file takes the keys of the ledger from keys.before-vault/, or from the
folder that --from names, and everything else out of Vault. Keys that were made in
Vault never leave it: then there is only "odzivd keys renew --to file".

Stop the server before; of several servers on one database all of them, and run
the command on each.`,
		Example: `  odzivd keys move --dir /var/lib/odziv --to vault --vault https://vault.example.rs:8200 --vault-role-id /etc/odziv/role-id --vault-secret-id /var/lib/odziv/secret-id --vault-token /root/setup.token
  odzivd keys move --dir /var/lib/odziv --to file --from /media/safe/keys`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("dir")
			home, err := server.OpenHome(dir)
			if err != nil {
				return err
			}
			access, err := flags.access(home)
			if err != nil {
				return err
			}
			m := &server.Mover{Home: home, Token: token, From: from, Log: keyLog(cmd)}
			if access != nil {
				m.Vault = *access
			}
			switch server.Place(to) {
			case server.InVault:
				return moveToVault(cmd, m, access != nil)
			case server.InFile:
				return moveToFiles(cmd, m)
			}
			return cli.UsageError("--to is vault or file")
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "vault or file")
	cmd.Flags().StringVar(&from, "from", "", "folder with the files of the ledger's keys (default: keys.before-vault in the server's folder)")
	cmd.Flags().StringVar(&token, "vault-token", "", "file of a token that may import keys into Vault")
	flags.add(cmd)
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

// moved is the answer of a move.
type moved struct {
	To     string `json:"to"`
	Folder string `json:"folder,omitempty"` // with the files that are not needed any more
}

func moveToVault(cmd *cobra.Command, m *server.Mover, named bool) error {
	if !named && m.Home.CheckSettled() == nil && !m.Home.InVault() {
		return cli.UsageError("--vault, --vault-role-id and --vault-secret-id say which Vault, and how the server logs in there")
	}
	if err := m.ToVault(cmd.Context()); err != nil {
		return keysHint(err, m.Home.Dir)
	}
	return cli.Out(cmd, moved{"vault", m.Aside()}, func(w io.Writer) {
		fmt.Fprintf(w, `moved: Vault holds the keys, and the ledger goes on under them

The files are in %[1]s and are not needed any more. Put that
folder on a stick, the stick into the safe, then delete the folder here. Without it
there is no way back but new keys, which the council must name.

next: odzivd serve --dir %[2]s (it uses up a fresh wrapped secret id), then odzivd doctor --dir %[2]s
`, m.Aside(), m.Home.Dir)
	})
}

func moveToFiles(cmd *cobra.Command, m *server.Mover) error {
	if err := m.ToFiles(cmd.Context()); err != nil {
		return keysHint(err, m.Home.Dir)
	}
	return cli.Out(cmd, moved{To: "file"}, func(w io.Writer) {
		fmt.Fprintf(w, `moved: the keys are files of %[1]s, and the ledger goes on under them

Vault still holds the keys of the ledger, and can open period keys of old backups.
When nobody needs it any more, have its keeper disable the role of this server.

next: odzivd serve --dir %[1]s; keep a copy of keys/ in the safe
`, m.Home.Dir)
	})
}

func keysCycle() *cobra.Command {
	return &cobra.Command{
		Use:   "cycle",
		Short: "wrap every period key anew, so that old copies open nothing",
		Long: `cycle is the last step of an urgent erasure. Every period key is wrapped anew: in
files under a fresh key file, which takes the place of the old one (stop the server
before); in Vault under the newest version of the key there (a server may run).

With Vault, somebody with the policy odziv-breakglass rotates first and ends the old
versions afterwards; the command prints how. Backups of the folder keys/, or of
Vault, still open what was copied before: delete them too.`,
		Example: `  odzivd keys cycle --dir /var/lib/odziv`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("dir")
			home, err := server.OpenHome(dir)
			if err != nil {
				return err
			}
			done, err := home.Cycle(cmd.Context(), keyLog(cmd))
			if err != nil {
				return keysHint(err, dir)
			}
			return cli.Out(cmd, done, func(w io.Writer) {
				fmt.Fprintf(w, "%d period keys are wrapped anew\n", done.Periods)
				if done.In == server.InFile {
					fmt.Fprintln(w, "next: delete every copy of the old keys/period.key, in backups too; then odzivd serve")
					return
				}
				fmt.Fprintf(w, `
All of them are under version %[2]d of the Vault key %[1]s or later. To let older copies
open nothing, somebody with the policy odziv-breakglass now says:
  vault write transit/keys/%[1]s/config min_decryption_version=%[2]d min_encryption_version=%[2]d
  vault write transit/keys/%[1]s/trim min_available_version=%[2]d
If version %[2]d is the one from before: first vault write -f transit/keys/%[1]s/rotate, then cycle again.
`, done.Key, done.Version)
			})
		},
	}
}

// keysHint says what to do about a change of keys that did not end.
func keysHint(err error, dir string) error {
	for _, known := range []struct {
		is   error
		hint string
	}{
		{server.ErrThere, "nothing was changed; see odzivd keys show"},
		{server.ErrOtherWay, "finish that first: run odzivd keys move again with the --to it had"},
		{server.ErrRenewing, "finish the renewal first (odzivd keys renew --finish), or give it up (--cancel)"},
		{server.ErrNoSeed, "name the folder from the safe with --from; if the key was made in Vault, or the folder is lost: odzivd keys renew --to file"},
		{server.ErrTaken, "somebody made another key of that name (apply.sh without --without-keys?): have Vault's keeper take it away if no ledger uses it"},
		{server.ErrNeedToken, "name a file with a token of the policy odziv-setup: --vault-token FILE"},
		{server.ErrNoNewKey, "somebody with the policy odziv-breakglass makes one: vault write -f transit/keys/ckpt-dir/rotate, and the same for ckpt-ev"},
		{server.ErrTakeable, "have Vault's keeper make keys that cannot be exported: deploy/vault/apply.sh operator"},
		{server.ErrNotNamed, "the council signs the policy that names them: odziv directory propose; then run this again"},
		{server.ErrUnseen, "let every server run for a minute, look with odzivd status --ask, then run this again"},
		{server.ErrNamed, "it is too late to give up; finish with --finish"},
		{server.ErrNotRenewing, "begin with odzivd keys renew --to file, or --to vault"},
		{server.ErrAnchored, "this Vault serves another ledger: use one of its own, or a namespace"},
		{os.ErrPermission, "run it as the account of the server, which owns the folder"},
	} {
		if errors.Is(err, known.is) {
			return cli.Hint(err, "%s", known.hint)
		}
	}
	if hint := vaultHint(err); hint != "" {
		return cli.Hint(err, "%s", hint)
	}
	return halted(err, dir)
}
