package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/observe"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/keys/keystore"
	"github.com/odziv/odziv/ledger"
)

// watchFlags say what an observer looks at beside the ledger.
type watchFlags struct {
	receipts, feeds []string
	feedPassphrase  string
	peers           []string
}

func (f *watchFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.receipts, "receipts", nil, "homes of officers, or a folder of such: what they were shown is looked up in the ledger")
	cmd.Flags().StringSliceVar(&f.peers, "peer", nil, "addresses of other observers: their checkpoints are compared")
	f.addFeeds(cmd)
}

func (f *watchFlags) addFeeds(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.feeds, "feed", nil, "home of an officer whose desks' records are read and kept")
	cmd.Flags().StringVar(&f.feedPassphrase, "feed-passphrase-file", "", "file that holds the passphrase of these officers' keystores")
}

// openObserver opens the observer of a home. To look at what it holds needs no
// key and no exchange.
func openObserver(cmd *cobra.Command, f watchFlags, inspect bool) (*observe.Observer, error) {
	o, err := readyObserver(cmd, f, inspect)
	return o, observerHint(err)
}

func readyObserver(cmd *cobra.Command, f watchFlags, inspect bool) (*observe.Observer, error) {
	s := &session{cmd: cmd}
	var err error
	if s.home, err = homeOf(cmd); err != nil {
		return nil, err
	}
	notebook, err := office.OpenNotebook(s.home)
	if err != nil {
		return nil, cli.Hint(err, "name the observer's folder with --home, or make one with: odziv observe init")
	}
	var who observer
	if err := cli.ReadJSON(filepath.Join(s.home, observerFile), maxNames, &who); err != nil {
		return nil, cli.Hint(err, "the folder is no observer's: make one with odziv observe init")
	}
	log := slog.New(slog.DiscardHandler) // what ends at once prints what it found
	if cmd.Name() == "run" {
		log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
	}
	cfg := observe.Config{Dir: filepath.Join(s.home, observerFolder), Genesis: notebook.Pin.Genesis, Inst: who.Inst, Demo: s.demo(), Inspect: inspect,
		Clock: func() int64 { return time.Now().UnixMilli() }, Log: log, Receipts: f.receipts,
		Progress: mirrorProgress()}
	if inspect {
		return observe.Open(cmd.Context(), cfg)
	}
	if err := s.unlock(); err != nil {
		return nil, err
	}
	if s.keys.Role != keystore.Observer {
		return nil, cli.Hint(fmt.Errorf("%s holds the keys of another role than observer", s.home), "make an observer's with: odziv observe init")
	}
	if cfg.Key, err = witness.NewKey(who.Name, s.keys.Signer()); err != nil {
		return nil, err
	}
	cfg.Signer = s.keys.Signer()
	c, err := client.New(notebook.Pin.URL, s.keys.Signer(), cfg.Clock, client.Options{Timeout: 15 * time.Second})
	if err != nil {
		return nil, err
	}
	cfg.Source = observe.FromClient(c)
	if cfg.Others, err = f.others(notebook.Pin.URL); err != nil {
		return nil, err
	}
	if cfg.Feeds, err = f.desks(cmd, notebook.Pin.URL); err != nil {
		return nil, err
	}
	return observe.Open(cmd.Context(), cfg)
}

// others are who else shows checkpoints: the exchange to anyone, and peers.
func (f *watchFlags) others(url string) ([]observe.Other, error) {
	public, err := client.Public(url, client.Options{Timeout: 15 * time.Second, Attempts: 1})
	if err != nil {
		return nil, err
	}
	list := []observe.Other{observe.Public(public)}
	for _, address := range f.peers {
		list = append(list, observe.Peer(address))
	}
	return list, nil
}

// desks opens the keystores of the officers whose desks' records are read.
func (f *watchFlags) desks(cmd *cobra.Command, url string) ([]observe.Desks, error) {
	var list []observe.Desks
	demo, _ := cmd.Flags().GetBool("demo")
	for _, home := range f.feeds {
		file := f.feedPassphrase
		if file == "" {
			file = filepath.Join(home, "passphrase")
		}
		words, err := passphraseFrom(file)
		if err != nil {
			return nil, cli.Hint(err, "name the file that holds the officer's passphrase with --feed-passphrase-file")
		}
		keys, err := keystore.Open(filepath.Join(home, keystoreFile), words, keystore.Options{Demo: demo})
		if err != nil {
			return nil, err
		}
		c, err := client.New(url, keys.Signer(), func() int64 { return time.Now().UnixMilli() }, client.Options{Timeout: 15 * time.Second})
		if err != nil {
			return nil, err
		}
		list = append(list, observe.Desks{Feeder: c, KeyID: statement.KeyID(keys.Signer().Public())})
	}
	return list, nil
}

// desksOf is desks for the exchange that a home belongs to.
func (f *watchFlags) desksOf(cmd *cobra.Command, home string) ([]observe.Desks, error) {
	notebook, err := office.OpenNotebook(home)
	if err != nil {
		return nil, err
	}
	return f.desks(cmd, notebook.Pin.URL)
}

// mirrorProgress shows how far a long copy is, on a terminal only.
func mirrorProgress() func(log ledger.Log, done, total int64) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
	}
	return func(log ledger.Log, done, total int64) {
		if total < 10_000 {
			return
		}
		fmt.Fprintf(os.Stderr, "\r%s %d of %d", log, done, total)
		if done == total {
			fmt.Fprint(os.Stderr, "\r                                        \r")
		}
	}
}

func observeRunCommand() *cobra.Command {
	var f watchFlags
	var listen, certFile, keyFile string
	var every time.Duration
	cmd := &cobra.Command{
		Use: "run", Short: "mirror, check and, with --listen, cosign until interrupted", Args: cobra.NoArgs,
		Long: `run looks at the exchange every minute, and compares everything once a day. With
--listen it also answers the exchange that asks it to cosign (POST /add-checkpoint),
and shows other observers its checkpoints (GET /dir/checkpoint, /ev/checkpoint). It
answers after it has fetched and checked every entry, and within a few seconds.

Plain HTTP is served on loopback alone: give a certificate, or put a reverse proxy
before it. Without --listen it mirrors and checks only. It logs to standard error;
an alarm is one line there, and a folder (odziv observe alarms).`,
		Example: `  odziv observe run --home /var/lib/odziv-observer --passphrase-file /etc/odziv/observer.pass --listen 127.0.0.1:8444
  odziv observe run --home /var/lib/odziv-observer --receipts /srv/odziv/homes --feed /srv/odziv/homes/intake --feed-passphrase-file /etc/odziv/intake.pass`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cli.JSON(cmd) {
				return cli.UsageError("run has no answer to print: leave out --json; it logs to standard error")
			}
			if every < time.Second {
				return cli.UsageError("--every is at least 1s")
			}
			cert, err := certificateFrom(certFile, keyFile)
			if err != nil {
				return err
			}
			o, err := openObserver(cmd, f, false)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, o.Close()) }()
			return observerHint(runObserver(cmd, o, listen, cert, every))
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&listen, "listen", "", "address at which the exchange asks; empty: only mirror and check")
	cmd.Flags().StringVar(&certFile, "tls-cert", "", "certificate chain, PEM")
	cmd.Flags().StringVar(&keyFile, "tls-key", "", "its private key, PEM")
	cmd.Flags().DurationVar(&every, "every", time.Minute, "how often it looks")
	return cmd
}

func certificateFrom(cert, key string) (*tls.Certificate, error) {
	if (cert == "") != (key == "") {
		return nil, cli.UsageError("--tls-cert and --tls-key belong together")
	}
	if cert == "" {
		return nil, nil
	}
	c, err := tls.LoadX509KeyPair(cert, key)
	return &c, err
}

// runObserver serves and looks; when one of them ends, so does the other.
func runObserver(cmd *cobra.Command, o *observe.Observer, listen string, cert *tls.Certificate, every time.Duration) error {
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	served := make(chan error, 1)
	if listen == "" {
		served <- nil
		fmt.Fprintln(cmd.ErrOrStderr(), "odziv: observing; nobody can ask it to cosign (see --listen)")
	} else {
		l, err := witness.Listen(ctx, listen, cert)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "odziv: observing as %s at %s\n", o.Key.Verifier().Name(), l.Addr())
		go func() {
			defer stop()
			served <- witness.Serve(ctx, l, o.Handler())
		}()
	}
	err := o.Run(ctx, every)
	stop()
	return errors.Join(err, <-served)
}

func observeOnceCommand() *cobra.Command {
	var f watchFlags
	var whole bool
	cmd := &cobra.Command{
		Use: "once", Short: "look once, for cron", Args: cobra.NoArgs,
		Long: `once mirrors what is new, checks it, and prints what is wrong: nothing, and exit code
0, if nothing is. It ends with 1 while an alarm is open, and with 4 if the exchange
could not be reached.`,
		Example: `  odziv observe once --home /var/lib/odziv-observer --passphrase-file /etc/odziv/observer.pass
  odziv observe once --home /var/lib/odziv-observer --whole`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			o, err := openObserver(cmd, f, false)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, o.Close()) }()
			lookErr := o.Round(cmd.Context(), whole)
			list, err := o.Alarms.List(false)
			if err != nil {
				return err
			}
			if lookErr != nil && !observe.IsSevere(list) {
				return observerHint(lookErr)
			}
			return outAlarms(cmd, list)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&whole, "whole", false, "compare everything the exchange shows with the mirror (else once a day)")
	return cmd
}

// outAlarms prints what is wrong, and ends with 1 if an alarm is among it.
func outAlarms(cmd *cobra.Command, list []observe.Alarm) error {
	err := cli.Out(cmd, list, func(w io.Writer) {
		for _, a := range list {
			level := string(a.Level)
			if !a.Open {
				level = "closed"
			}
			fmt.Fprintf(w, "%-7s  %s  %s\n         %s\n", level, stamp(a.At), a.Text, a.Folder)
		}
	})
	if err == nil && observe.IsSevere(list) {
		err = cli.Ended(cli.Failed)
	}
	return err
}
