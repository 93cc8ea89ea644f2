package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/ledger"
)

// What an auditor is shown beside the trees.
const (
	openingsNone = "none"
	openingsMeta = "meta"
	openingsAll  = "all"
)

func exportAuditCommand() *cobra.Command {
	var openings, out string
	cmd := &cobra.Command{
		Use:   "export-audit",
		Short: "write an audit bundle: both trees, and the openings an auditor may see",
		Long: `export-audit writes one zip with both trees up to their last checkpoints, the rule
packs, and openings: none (the trees alone), meta (the half for the oversight body:
events, times, institutions, obligations, no person and no case) or all (what the
parties signed as well: give it only to whom the law entitles to see it).

It reads one moment of the ledger and may run beside servers. The file appears
when it is whole, and replaces nothing. It is then verified as the auditor will,
with odziv-verify; exit code 1 means that something in it does not verify.`,
		Example: `  odzivd export-audit --dir /var/lib/odziv --openings meta --out 2026-03.zip`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt, err := shownOpenings(openings)
			if err != nil {
				return err
			}
			dir, _ := cmd.Flags().GetString("dir")
			return exportAudit(cmd, dir, out, openings, opt)
		},
	}
	cmd.Flags().StringVar(&openings, "openings", "", "none, meta or all")
	cmd.Flags().StringVar(&out, "out", "", "file to write, which must not exist")
	_ = cmd.MarkFlagRequired("openings")
	_ = cmd.MarkFlagRequired("out")
	return cmd
}

func shownOpenings(openings string) (audit.Options, error) {
	switch openings {
	case openingsNone:
		return audit.Options{None: true}, nil
	case openingsMeta:
		return audit.Options{MetaOnly: true}, nil
	case openingsAll:
		return audit.Options{}, nil
	}
	return audit.Options{}, cli.UsageError("--openings: %.20q is none of none, meta, all", openings)
}

// exported is the answer of export-audit.
type exported struct {
	File     string          `json:"file"`
	Openings string          `json:"openings"`
	Genesis  string          `json:"genesis"`
	Bytes    int64           `json:"bytes"`
	Counts   *audit.Counts   `json:"counts"`
	Findings []audit.Finding `json:"findings"`
}

func exportAudit(cmd *cobra.Command, dir, out, openings string, opt audit.Options) (err error) {
	ctx := cmd.Context()
	if _, err := os.Lstat(out); err == nil {
		return cli.Hint(fmt.Errorf("%s is there already", out), "nothing was touched; name another file, or take that one away")
	}
	home, err := server.OpenHome(dir)
	if err != nil {
		return err
	}
	if opt.Packs, err = server.Packs(); err != nil {
		return err
	}
	store, err := sqlstore.OpenPatient(ctx, home.DSN())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	opt.Made, opt.Progress = exchange.System().Now(), exporting(cmd, "wrote")
	if err := writeWhole(out, func(f *os.File) error { return bundle(ctx, store, f, opt) }); err != nil {
		return explainExport(err)
	}
	answer := exported{File: out, Openings: openings}
	if err := answer.verify(ctx, exporting(cmd, "verified")); err != nil {
		return err
	}
	return answer.tell(cmd)
}

func explainExport(err error) error {
	switch {
	case errors.Is(err, audit.ErrNoCheckpoint), errors.Is(err, audit.ErrUncovered):
		return cli.Hint(err, "let odzivd serve run for a few seconds, then try again")
	case errors.Is(err, evidence.ErrOpening):
		return cli.Hint(err, "somebody or something changed the database: keep it, and run odzivd fsck; --openings none still shows the trees")
	case errors.Is(err, os.ErrExist):
		return cli.Hint(err, "somebody wrote this file meanwhile: name another")
	}
	return err
}

// patience is how often a bundle is tried while the signer is between the two
// checkpoints it publishes, a second apart.
const patience = 5

// bundle writes one snapshot of the ledger.
func bundle(ctx context.Context, store exchange.Store, f *os.File, opt audit.Options) error {
	for try := 1; ; try++ {
		err := store.Read(ctx, func(v exchange.View) error { return audit.WriteBundle(ctx, f, v, opt) })
		if !errors.Is(err, audit.ErrUncovered) || try == patience {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if err := f.Truncate(0); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// writeWhole lets a file appear under its name when it is written to the end and
// on the disk, and never in the place of another.
func writeWhole(name string, write func(f *os.File) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), name)
}

// verify reads the file back as an auditor will.
func (e *exported) verify(ctx context.Context, progress audit.Progress) error {
	f, err := os.Open(e.File)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	report, found, err := audit.VerifyBundle(ctx, f, info.Size(), audit.Trust{}, progress)
	if err != nil {
		return err
	}
	e.Genesis, e.Bytes, e.Counts, e.Findings = report.Genesis, info.Size(), report.Bundle, found
	if e.Findings == nil {
		e.Findings = []audit.Finding{}
	}
	return nil
}

func (e *exported) tell(cmd *cobra.Command) error {
	err := cli.Out(cmd, e, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %d bytes; entries of the directory: %d, of the evidence: %d; openings shown (%s): %d\n",
			e.File, e.Bytes, e.Counts.Dir, e.Counts.Ev, e.Openings, e.Counts.Shown)
		fmt.Fprintf(w, "genesis: %s\n", e.Genesis)
		for _, f := range e.Findings {
			fmt.Fprintln(w, f)
		}
	})
	if err != nil || len(e.Findings) == 0 {
		return err
	}
	if cli.JSON(cmd) {
		return cli.Ended(cli.Failed)
	}
	return cli.Hint(fmt.Errorf("%d things in it do not verify", len(e.Findings)),
		"the file stays as it is, for that is what an auditor must see; run odzivd fsck, and keep the database")
}

// exporting tells of long work on standard error.
func exporting(cmd *cobra.Command, verb string) audit.Progress {
	return func(log ledger.Log, done, total int64) {
		if done%(1<<16) == 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "odzivd: %s %d of %d entries of %s\n", verb, done, total, log)
		}
	}
}
