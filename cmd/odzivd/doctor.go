package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/keys/vault"
)

func doctorCommand() *cobra.Command {
	var chain, acmeDir string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "check everything an operator can get wrong, and say what to do",
		Long: `doctor looks at settings, keys, database, anchor, clock, disk, witnesses and the
last checkpoint, one line each: ok, warn or fail, with what to do. It changes
nothing and may run beside a server; witnesses are asked. Exit code 1 means that
a line says fail.`,
		Example: `  odzivd doctor --dir /var/lib/odziv`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("dir")
			d := &doctor{ctx: cmd.Context(), dir: dir}
			d.examine()
			d.certificates(chain, acmeDir)
			err := cli.Out(cmd, d.lines, func(w io.Writer) {
				for _, l := range d.lines {
					fmt.Fprintf(w, "%-5s %-11s %s\n", l.Level, l.Check, l.Said)
					if l.Hint != "" {
						fmt.Fprintf(w, "%-17s → %s\n", "", l.Hint)
					}
				}
			})
			if err != nil || !d.failed {
				return err
			}
			return cli.Ended(cli.Failed)
		},
	}
	cmd.Flags().StringVar(&chain, "tls-cert", "", "the certificate chain that serve was given")
	cmd.Flags().StringVar(&acmeDir, "acme-dir", "", "the folder of ACME that serve was given")
	return cmd
}

// finding is one line of the doctor's.
type finding struct {
	Check string `json:"check"`
	Level string `json:"level"` // ok, warn, fail
	Said  string `json:"said"`
	Hint  string `json:"hint,omitempty"`
}

type doctor struct {
	ctx    context.Context
	dir    string
	lines  []finding
	failed bool
}

func (d *doctor) ok(check, format string, args ...any) {
	d.lines = append(d.lines, finding{check, "ok", fmt.Sprintf(format, args...), ""})
}

func (d *doctor) warn(check, said, hint string) {
	d.lines = append(d.lines, finding{check, "warn", said, hint})
}

// fail tells an error, with the hint that the command itself would give.
func (d *doctor) fail(check string, err error, hint string) {
	d.failed = true
	if e := (*cli.Error)(nil); hint == "" && errors.As(err, &e) {
		hint = e.Hint
	}
	if hint == "" {
		hint, _ = explain(err)
	}
	d.lines = append(d.lines, finding{check, "fail", strings.Join(strings.Fields(err.Error()), " "), hint})
}

// examine stops where nothing further can be looked at.
func (d *doctor) examine() {
	home, err := server.OpenHome(d.dir)
	if err != nil {
		d.fail("settings", err, "")
		return
	}
	d.ok("settings", "%s, for requests signed to %s", home.Host, home.Authority)
	d.disk("disk", d.dir)
	if file := home.File(); file != "" {
		d.disk("disk", file)
	}
	packs, err := server.Packs()
	if err != nil {
		d.fail("database", err, "")
		return
	}
	x, err := home.OpenExchange(d.ctx, exchange.System(), packs, slog.New(slog.DiscardHandler))
	if err != nil {
		d.fail("database", err, "")
		return
	}
	defer x.Store.Close()
	d.ok("database", "it opens, its tables are those of this program")
	d.durable(x)
	d.logged(x)
	d.keys(home, x)
	d.vault(home)
	d.clock(x)
	d.trees(home, x)
	d.holes(x)
}

func (d *doctor) keys(home *server.Home, x *exchange.Exchange) {
	if err := home.CheckNamed(x.Directory()); err != nil {
		d.fail("keys", err, "")
		return
	}
	open, err := home.Exposed()
	switch {
	case err != nil:
		d.fail("keys", err, "")
	case open != "":
		d.fail("keys", fmt.Errorf("%s can be read by others", open), "chmod 600 "+open+"; if somebody did read it, tell the council")
	default:
		d.ok("keys", "they are those that the directory names")
	}
}

// Below these a disk is too full, in bytes.
const (
	fewBytes  = 5 << 30
	tooFew    = 256 << 20
	fewInodes = 10_000
)

func (d *doctor) disk(check, path string) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil {
		d.fail(check, fmt.Errorf("%s: %w", path, err), "")
		return
	}
	free := fs.Bavail * uint64(fs.Bsize)
	said := fmt.Sprintf("%s: %d MiB free", path, free>>20)
	switch {
	case free < tooFew:
		d.fail(check, errors.New(said), "free space now: writes are refused when it ends; nothing is lost")
	case free < fewBytes || fs.Files > 0 && fs.Ffree < fewInodes:
		d.warn(check, said, "free space, or move the database to a larger disk")
	default:
		d.ok(check, "%s", said)
	}
}

func (d *doctor) durable(x *exchange.Exchange) {
	store, ok := x.Store.(interface{ Durable(context.Context) error })
	if !ok {
		return
	}
	if err := store.Durable(d.ctx); err != nil {
		d.fail("durability", err, "")
		return
	}
	d.ok("durability", "an answer follows the disk")
}

// logged looks at what the database server writes into a log of its own.
func (d *doctor) logged(x *exchange.Exchange) {
	store, ok := x.Store.(*sqlstore.Store)
	if !ok {
		return
	}
	name, err := store.Database(d.ctx)
	if err != nil || name == "" {
		if err != nil {
			d.fail("logging", err, "")
		}
		return
	}
	list, err := store.Logged(d.ctx)
	if err != nil {
		d.fail("logging", err, "")
		return
	}
	if len(list) == 0 {
		d.ok("logging", "the database server keeps nothing of a row in its log")
		return
	}
	var said, mend []string
	for _, s := range list {
		said, mend = append(said, s.Name+" = "+s.Is), append(mend, s.Mend(name)+";")
	}
	d.warn("logging", "the database server's own log may keep what is in rows, and what is erased lives on there: "+strings.Join(said, ", "),
		"as its superuser (then restart odzivd): "+strings.Join(mend, " "))
}

// vault tells what a server saw of its Vault last.
func (d *doctor) vault(home *server.Home) {
	if err := home.CheckSettled(); err != nil {
		d.fail("keys", err, "")
	}
	if !home.InVault() {
		return
	}
	s, err := home.KeyState()
	switch {
	case err != nil:
		d.fail("vault", err, "")
	case s == nil:
		d.warn("vault", "no server has asked it yet", "start the server: odzivd serve --dir "+d.dir)
	case s.Why != vault.Ready:
		d.fail("vault", fmt.Errorf("%s (%s)", vaultSeen(s, time.Now()), s.Detail), vaultAdvice[s.Why])
	default:
		d.ok("vault", "%s", vaultSeen(s, time.Now()))
		d.vaultWarnings(s)
	}
}

func (d *doctor) vaultWarnings(s *server.KeyState) {
	if s.AppRole && !s.Reserve {
		d.warn("vault", "no reserve secret id lies ready: after a long outage somebody must be called at night", "deploy/vault/deliver.sh puts one beside the other, from a timer")
	}
	for _, said := range s.Warnings {
		d.warn("vault", said, "have Vault's keeper look at it; docs/operator.md has what each means")
	}
}

// vaultAdvice is what to do about a Vault that is not ready.
var vaultAdvice = map[string]string{
	vault.Sealed:      "its keepers unseal it; the server goes on by itself",
	vault.Unreachable: "look at Vault, network and certificate; the server goes on by itself",
	vault.NeedLogin:   "put a fresh wrapped secret id in place (deploy/vault/deliver.sh); the server takes it within seconds",
	vault.Denied:      "compare the policies: deploy/vault/apply.sh operator --check; the server notices within seconds",
}

// clockWarn is how far the machine's clock may be from the database's.
const clockWarn = 10 * time.Second

func (d *doctor) clock(x *exchange.Exchange) {
	err := x.Synchronise(d.ctx)
	if r, ok := exchange.AsRefusal(err); ok {
		d.fail("clock", errors.New(r.Detail), "set the clock right; if it is, see odzivd accept-clock --help")
		return
	}
	if err != nil {
		d.fail("clock", err, "")
		return
	}
	off := time.Duration(x.Clock.Now()-time.Now().UnixMilli()) * time.Millisecond
	if off > clockWarn || off < -clockWarn {
		d.warn("clock", fmt.Sprintf("the database's clock is %s from this machine's", off.Round(time.Second)), "let both follow the same time servers (chrony); the database's counts")
		return
	}
	d.ok("clock", "%s", time.UnixMilli(x.Clock.Now()).UTC().Format("2006-01-02 15:04:05 MST"))
}

// stale is how old the last checkpoint may be: it is renewed every five minutes.
const stale = 11 * time.Minute

func (d *doctor) trees(home *server.Home, x *exchange.Exchange) {
	states, err := home.Examine(d.ctx, x, true)
	if err != nil {
		d.fail("anchor", err, "")
		return
	}
	for _, s := range states {
		check := "tree " + s.Log
		if s.Err != nil {
			d.fail(check, halted(s.Err, d.dir), "")
			continue
		}
		d.ok(check, "%d entries, database and anchor agree", s.Database.Size)
		d.published(check, &s, x.Clock.Now())
	}
}

func (d *doctor) published(check string, s *server.TreeState, now int64) {
	if s.Published == nil {
		d.warn(check, "nothing was published yet", "start the server: odzivd serve --dir "+d.dir)
		return
	}
	age := time.Duration(now-s.Published.At) * time.Millisecond
	if age > stale {
		d.warn(check, fmt.Sprintf("the last checkpoint is %s old", age.Round(time.Minute)), "is a server running? it renews it every five minutes")
	}
	for name, why := range s.Doubts {
		d.warn(check, fmt.Sprintf("witness %s contradicts: %s", name, why), "compare with a mirror before anything else")
	}
	switch {
	case s.Witnesses == 0:
		d.warn(check, "nobody observes: nothing is claimed about forks", "let institutions observe (odziv observe), and the council name them")
	case s.Quorum == nil || s.Quorum.Size < s.Published.Size:
		d.warn(check, fmt.Sprintf("%d of %d witnesses cosigned the last checkpoint: no quorum yet", s.Cosigned, s.Witnesses), "call the institutions that observe")
	default:
		d.ok(check, "%d of %d witnesses cosigned the last checkpoint", s.Cosigned, s.Witnesses)
	}
}

func (d *doctor) holes(x *exchange.Exchange) {
	n, err := countHoles(d.ctx, x.Store)
	switch {
	case err != nil:
		d.fail("openings", err, "")
	case n > 0:
		d.fail("openings", fmt.Errorf("%d entries are not opened: the exchange records nothing else", n),
			"let the members' programs synchronise; as the last resort see odzivd give-up --help")
	default:
		d.ok("openings", "every entry is opened or erased")
	}
}
