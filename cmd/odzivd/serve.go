package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/server"
)

func serveCommand() *cobra.Command {
	var listen string
	var secured tlsFlags
	var bookkeep time.Duration
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "serve the exchange",
		Long: `serve answers requests until it is interrupted. It signs a checkpoint every
second in which the ledger grew, and every five minutes otherwise.

Plain HTTP is served on loopback alone. Elsewhere give a certificate, whose files
are read again when they change; or let a certificate authority that speaks ACME
(RFC 8555) give one for the names of --acme: it must reach this server at port 443
of each name. "authority" in server.json is the name that clients call.

TLS is 1.3 with X25519MLKEM768 and nothing less. A proxy that ends TLS itself must
speak both (OpenSSL 3.5, Go 1.24); one that passes TCP on need not.`,
		Example: `  odzivd serve --dir /var/lib/odziv --listen 127.0.0.1:8443
  odzivd serve --dir /var/lib/odziv --listen :443 --tls-cert /etc/odziv/tls/chain.pem --tls-key /etc/odziv/tls/key.pem
  odzivd serve --dir /var/lib/odziv --listen :443 --acme exchange.example.rs --acme-dir /var/lib/odziv/acme`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cli.JSON(cmd) {
				return cli.UsageError("serve has no answer to print: leave out --json; it logs to standard error")
			}
			dir, _ := cmd.Flags().GetString("dir")
			log := slog.New(slog.NewTextHandler(os.Stderr, nil))
			certs, err := secured.open(log)
			if err != nil {
				return err
			}
			return serve(cmd, dir, listen, certs, bookkeep, log)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8443", "address")
	secured.add(cmd)
	cmd.Flags().DurationVar(&bookkeep, "bookkeep", time.Minute, "how often reminders and overdue leaves are written; 0: never (no answer depends on them)")
	return cmd
}

func serve(cmd *cobra.Command, dir, listen string, certs certificates, bookkeep time.Duration, log *slog.Logger) (err error) {
	home, err := server.OpenHome(dir)
	if err != nil {
		return err
	}
	release, err := home.Lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := home.CheckSettled(); err != nil {
		return err
	}
	packs, err := server.Packs()
	if err != nil {
		return err
	}
	keys, err := home.OpenKeys(log)
	if err != nil {
		return err
	}
	defer keys.Close()
	x, err := keys.OpenExchange(cmd.Context(), home, exchange.System(), packs, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Store.Close()) }()
	if err := home.CheckNamed(x.Directory()); err != nil {
		return err
	}
	signers, err := keys.Signers(x)
	if err != nil {
		return err
	}
	if err := tellIncomplete(cmd.Context(), x); err != nil {
		return err
	}
	handler := api.New(x, api.Options{Authority: home.Authority, Log: log})
	srv := api.Server(listen, handler, nil, log)
	if certs != nil {
		srv.TLSConfig = certs.config()
		watch, end := context.WithCancel(cmd.Context())
		defer end()
		go certs.watch(watch)
	}
	listener, err := api.Listen(cmd.Context(), srv)
	if err != nil {
		return err
	}
	err = server.Run(cmd.Context(), server.Config{Exchange: x, Signers: signers, Anchor: keys.Anchor, Keys: keys, HTTP: srv, Listener: listener, Log: log,
		SignEvery: time.Second, Bookkeep: bookkeep, Sweep: 10 * time.Minute, Periods: time.Minute,
		Started: func() { announce(cmd, home, listener) }})
	return halted(err, dir)
}

func announce(cmd *cobra.Command, home *server.Home, l net.Listener) {
	fmt.Fprintf(cmd.ErrOrStderr(), "odzivd: serving %s at %s for requests signed to %s\n", home.Host, l.Addr(), home.Authority)
}

// tellIncomplete warns of a ledger that will record nothing yet.
func tellIncomplete(ctx context.Context, x *exchange.Exchange) error {
	return x.Store.Read(ctx, func(v exchange.View) error {
		incomplete, err := v.Incomplete(ctx)
		if incomplete {
			x.Log.Warn("entries are not opened: nothing is recorded until the members have given back what opens them; odzivd status counts")
		}
		return err
	})
}
