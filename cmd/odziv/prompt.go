package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/keys/keystore"
)

const (
	// lockAfter is how long keys stay unlocked without a command.
	lockAfter = 10 * time.Minute
	// minLockAfter and maxLockAfter bound what somebody may choose.
	minLockAfter, maxLockAfter = time.Second, 8 * time.Hour
)

// changesKeys marks the commands that change whose keys a folder holds, or how
// they are locked. They ask for the passphrase even where keys are unlocked, and
// what was unlocked is locked after them.
const changesKeys = "changes-keys"

func markChangesKeys(cmd *cobra.Command) *cobra.Command {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[changesKeys] = "yes"
	return cmd
}

func sessionCommand() *cobra.Command {
	var after time.Duration
	cmd := &cobra.Command{
		Use: "session", Short: "give commands one after another, with the keys unlocked in between", Args: cobra.NoArgs,
		Long: `session asks for the passphrase once and then for commands, which are given without
the word odziv. Keys are forgotten after ten minutes without a command (--lock-after),
when you type lock, when this computer slept that long, and at the end; the next
command asks for the passphrase again. Nothing that you type is written to disk.

Beside the commands of this program it knows

  lock          forget the keys now, as you get up from the desk
  desk NAME     act for another of your desks from now on; desk alone for your only one
  end           forget the keys and leave; so does Ctrl-D`,
		Example: `  odziv session
  odziv session --desk swc-nis.legal --lock-after 3m`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if after < minLockAfter || after > maxLockAfter {
				return cli.UsageError("--lock-after: %v is not between %v and %v", after, minLockAfter, maxLockAfter)
			}
			p, err := newPrompt(cmd, after)
			if err != nil {
				return err
			}
			return p.run()
		},
	}
	cmd.Flags().DurationVar(&after, "lock-after", lockAfter, "how long keys stay unlocked without a command")
	return cmd
}

// prompt is one odziv session.
type prompt struct {
	cmd      *cobra.Command
	home     string
	desk     string // named by the person, "" for the only one
	after    time.Duration
	terminal bool
	lock     *keystore.Lock[*unlocked]
	console  *console
	ended    chan os.Signal
	failed   int // exit code of the first command that failed, where nobody watches
}

func newPrompt(cmd *cobra.Command, after time.Duration) (*prompt, error) {
	home, err := homeOf(cmd)
	if err != nil {
		return nil, err
	}
	if _, ok := cmd.Context().Value(heldKey{}).(*held); ok {
		return nil, cli.UsageError("you are in a session already")
	}
	cmd.SetContext(context.WithoutCancel(cmd.Context())) // an interruption is for the command under way
	p := &prompt{cmd: cmd, home: home, after: after, terminal: term.IsTerminal(int(os.Stdin.Fd())), console: newConsole(cmd.InOrStdin()), ended: make(chan os.Signal, 1)}
	p.desk, _ = cmd.Flags().GetString("desk")
	p.lock = keystore.NewLock(after, keystore.LockClock{Now: time.Now, AfterFunc: func(d time.Duration, f func()) func() {
		t := time.AfterFunc(d, f)
		return func() { t.Stop() }
	}}, (*unlocked).forget)
	p.lock.OnLock(func() {
		p.say("\nLocked after %v without a command.\n%s", after, p.sign())
	})
	return p, nil
}

// say writes to the person.
func (p *prompt) say(format string, args ...any) { fmt.Fprintf(p.cmd.ErrOrStderr(), format, args...) }

// run takes commands until the end. Keys are forgotten whatever ends it.
func (p *prompt) run() error {
	signal.Notify(p.ended, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(p.ended)
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	defer signal.Stop(interrupted)
	defer p.lock.Lock()
	if err := p.unlock(); err != nil {
		return err
	}
	if p.terminal {
		p.say("Keys unlocked. Type a command without the word odziv, lock before you get up, end to leave.\n")
	}
	p.show()
	for {
		select {
		case <-p.ended:
			p.say("\nLocked, as this program was asked to end.\n")
			return nil
		case <-interrupted: // nobody is thrown out by a key pressed twice
			p.say("\n")
			p.show()
		case p.console.asked <- struct{}{}:
		case line, ok := <-p.console.lines:
			if !ok || p.do(line) {
				return p.end()
			}
			drain(interrupted) // it was for the command
			p.show()
		}
	}
}

// show says that a command is waited for.
func (p *prompt) show() {
	if p.terminal {
		p.say("%s", p.sign())
	}
}

// end says how it went, where nobody watched.
func (p *prompt) end() error {
	if p.failed != cli.OK {
		return cli.Ended(p.failed)
	}
	return nil
}

func drain(c chan os.Signal) {
	select {
	case <-c:
	default:
	}
}

// sign is what stands before the cursor: the desk, and whether keys are unlocked.
func (p *prompt) sign() string {
	if p.lock.Locked() {
		return "odziv (locked)> "
	}
	if name := p.acting(); name != "" {
		return "odziv " + name + "> "
	}
	return "odziv> "
}

// acting is what the desk acted for is called, "" where there is none yet.
func (p *prompt) acting() (name string) {
	p.lock.Use(p.cmd.Context(), func(_ context.Context, u *unlocked) error {
		s := &session{cmd: p.cmd, home: p.home, keys: u.keys, at: u.at}
		var err error
		if s.names, err = readNames(p.home); err != nil {
			return nil
		}
		if name = p.desk; name != "" {
			return nil
		}
		notebook, err := office.OpenNotebook(p.home)
		if err != nil || s.connect(notebook) != nil {
			return nil
		}
		if desk, err := s.Desk(""); err == nil {
			name = s.called(desk)
		}
		return nil
	})
	return name
}

// unlock asks for the passphrase.
func (p *prompt) unlock() error {
	u, err := unlockHome(p.cmd, p.home)
	if err != nil {
		return err
	}
	p.lock.Unlock(u)
	return nil
}

// do carries out one line and reports whether it was the last.
func (p *prompt) do(line string) (end bool) {
	args, err := splitLine(line)
	if err != nil {
		p.tell(err)
		return false
	}
	if len(args) > 0 && args[0] == "odziv" {
		args = args[1:]
	}
	if len(args) == 0 {
		return false
	}
	switch {
	case args[0] == "end" || args[0] == "exit" || args[0] == "quit":
		return true
	case args[0] == "lock" && len(args) == 1:
		p.lock.Lock()
	case args[0] == "desk" && len(args) <= 2:
		p.desk = strings.Join(args[1:], "")
	default:
		p.execute(args)
	}
	return false
}

// tell shows an error that is not a command's.
func (p *prompt) tell(err error) {
	root := &cobra.Command{Use: "odziv", RunE: func(*cobra.Command, []string) error { return err }}
	root.SetArgs([]string{})
	p.note(cli.Line(context.Background(), root, nil, explain))
}

func (p *prompt) note(code int) {
	if !p.terminal && p.failed == cli.OK {
		p.failed = code
	}
}

// execute runs a command of this program, with the keys if it wants them.
func (p *prompt) execute(args []string) {
	root, err := p.root(args)
	if err != nil {
		p.tell(err)
		return
	}
	changes := false
	if cmd, _, err := root.Find(args); err == nil {
		changes = cmd.Annotations[changesKeys] != ""
	}
	ctx, stop := signal.NotifyContext(context.WithoutCancel(p.cmd.Context()), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // an end that comes amid a command ends it, and then the session
		select {
		case s := <-p.ended:
			p.lock.Lock()
			p.ended <- s
		case <-ctx.Done():
		}
	}()
	done := make(chan struct{})
	defer close(done)
	root.SetIn(p.console.reader(done))
	if changes {
		defer p.lock.Lock()
		p.note(cli.Line(withHeld(ctx, nil), root, args, explain))
		return
	}
	if p.lock.Locked() {
		if err := p.unlock(); err != nil {
			p.tell(err)
			return
		}
	}
	err = p.lock.Use(ctx, func(ctx context.Context, u *unlocked) error {
		p.note(cli.Line(withHeld(ctx, u), root, args, explain))
		return nil
	})
	if err != nil {
		p.tell(err)
	}
}

// root is the program with what was said when the session began.
func (p *prompt) root(args []string) (*cobra.Command, error) {
	r := root()
	said := p.cmd.Root().PersistentFlags()
	var err error
	for _, name := range []string{"home", "passphrase-file", "family", "demo", "keep-proofs"} {
		if said.Changed(name) {
			err = errors.Join(err, r.PersistentFlags().Set(name, said.Lookup(name).Value.String()))
		}
	}
	if p.desk != "" {
		err = errors.Join(err, r.PersistentFlags().Set("desk", p.desk))
	}
	r.SetArgs(args)
	return r, err
}

// held is what a session passes to the commands in it.
type held struct{ keys *unlocked }

type heldKey struct{}

func withHeld(ctx context.Context, u *unlocked) context.Context {
	return context.WithValue(ctx, heldKey{}, &held{u})
}

// heldKeys are the keys of a folder that a session holds unlocked, nil without one
// or for another folder.
func heldKeys(ctx context.Context, home string) (*unlocked, error) {
	h, ok := ctx.Value(heldKey{}).(*held)
	if !ok || h.keys == nil || filepath.Clean(h.keys.home) != filepath.Clean(home) {
		return nil, nil
	}
	return h.keys, context.Cause(ctx)
}
