package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/ledger"
)

// result is what became of one file.
type result struct {
	File     string          `json:"file"`
	Verdict  string          `json:"verdict"` // verified, failed, unreadable
	Report   audit.Report    `json:"report"`
	Findings []audit.Finding `json:"findings"`
	Error    string          `json:"error,omitempty"`
	code     int
}

// Verdicts.
const (
	verdictVerified   = "verified"
	verdictFailed     = "failed"
	verdictUnreadable = "unreadable"
)

// verify verifies bundles first, for their directories serve the other files,
// and reports in the order given.
func (p *program) verify(cmd *cobra.Command, files []string) error {
	if p.convict {
		return p.convicted(cmd, files[0], files[1])
	}
	results := make([]result, len(files))
	var rest []int
	var bundles []string // that verify
	for i, name := range files {
		kind, err := kindOf(name)
		if err != nil {
			results[i] = unreadable(name, err)
			continue
		}
		if kind != audit.KindBundle {
			rest = append(rest, i)
			continue
		}
		if results[i] = p.bundle(cmd, name); results[i].code == exitVerified {
			bundles = append(bundles, name)
		}
	}
	for _, i := range rest {
		var err error
		if results[i], err = p.small(files[i]); err != nil {
			return err
		}
		for _, name := range bundles {
			if err := p.beside(cmd.Context(), name, &results[i]); err != nil {
				return err
			}
		}
	}
	out := output{Files: results}
	if p.compare {
		var err error
		if out.Compared, err = p.compared(cmd.Context(), files); err != nil {
			return err
		}
		p.worse(out.Compared.code)
	}
	for _, r := range results {
		p.worse(r.code)
	}
	return p.print(cmd, &out)
}

// kindOf looks at the beginning of a file.
func kindOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, 64)
	n, err := io.ReadFull(f, head)
	head = head[:n]
	switch {
	case err != nil && err != io.ErrUnexpectedEOF && err != io.EOF:
		return "", err
	case bytes.HasPrefix(head, []byte("PK")):
		return audit.KindBundle, nil
	case bytes.HasPrefix(head, []byte("c2sp.org/tlog-proof")):
		return audit.KindProof, nil
	}
	return "", nil
}

func (p *program) bundle(cmd *cobra.Command, name string) result {
	f, err := os.Open(name)
	if err != nil {
		return unreadable(name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return unreadable(name, err)
	}
	report, found, err := audit.VerifyBundle(cmd.Context(), f, info.Size(), p.trust, p.telling(cmd, name))
	if err == nil && len(found) == 0 && (p.trust.Directory == nil || p.trust.Directory.N() < report.Directory.N()) {
		p.trust.Directory = report.Directory
	}
	return concluded(name, report, found, err)
}

func (p *program) telling(cmd *cobra.Command, name string) audit.Progress {
	if !p.progress {
		return nil
	}
	return func(log ledger.Log, done, total int64) {
		if done%(1<<14) == 0 || done == total {
			fmt.Fprintf(cmd.ErrOrStderr(), "odziv-verify: %s: %s %d of %d entries\n", clean(name), log, done, total)
		}
	}
}

// small verifies a file that fits into memory.
func (p *program) small(name string) (result, error) {
	data, err := readBounded(name)
	if err != nil {
		return unreadable(name, err), nil
	}
	switch {
	case audit.Is(data, audit.TypeReceipt):
		report, err := audit.VerifyReceipt(data, p.trust)
		return concluded(name, report, nil, err), nil
	case bytes.HasPrefix(data, []byte("c2sp.org/tlog-proof")):
		return p.proof(name, data)
	}
	report, err := audit.VerifyEvidence(data, p.trust)
	return concluded(name, report, nil, err), nil
}

func (p *program) proof(name string, data []byte) (result, error) {
	if p.entry == "" {
		return result{}, cli.UsageError("%s: the proof is about an entry: name its file with --entry", clean(name))
	}
	if p.logKey == "" && p.trust.Directory == nil && p.trust.Policy == nil {
		return result{}, cli.UsageError("%s: whose log it is must be known: give --log-key, --policy with a log line, or a bundle as well", clean(name))
	}
	entry, err := readBounded(p.entry)
	if err != nil {
		return unreadable(p.entry, err), nil
	}
	report, err := audit.VerifyProof(data, entry, p.logKey, p.trust)
	return concluded(name, report, nil, err), nil
}

// readBounded reads a file of at most audit.MaxFile bytes.
func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, audit.MaxFile+1))
	if err == nil && len(data) > audit.MaxFile {
		err = fmt.Errorf("larger than %d bytes, and no bundle", audit.MaxFile)
	}
	return data, err
}

func concluded(name string, report audit.Report, found []audit.Finding, err error) result {
	r := result{File: name, Verdict: verdictVerified, Report: report, Findings: found}
	if found == nil {
		r.Findings = []audit.Finding{}
	}
	if err != nil {
		r.Error = err.Error()
	}
	switch {
	case len(found) > 0, errors.Is(err, audit.ErrVerify):
		r.Verdict, r.code = verdictFailed, exitFailed
	case err != nil:
		r.Verdict, r.code = verdictUnreadable, exitUnreadable
	}
	return r
}

func unreadable(name string, err error) result {
	return result{File: name, Verdict: verdictUnreadable, Findings: []audit.Finding{}, Error: err.Error(), code: exitUnreadable}
}

// beside holds a file that verifies against a bundle that does.
func (p *program) beside(ctx context.Context, bundle string, r *result) error {
	if r.code != exitVerified {
		return nil
	}
	data, err := readBounded(r.File)
	if err != nil {
		return err
	}
	var entry []byte
	if r.Report.Kind == audit.KindProof {
		if entry, err = readBounded(p.entry); err != nil {
			return err
		}
	}
	f, shut, err := open(bundle)
	if err != nil {
		return err
	}
	defer shut()
	facts, found, err := audit.CompareFile(ctx, f, data, entry)
	report := r.Report
	report.Facts = append(report.Facts, facts...)
	for i := range found {
		found[i].What = bundle + ": " + found[i].What
	}
	*r = concluded(r.File, report, found, err)
	return nil
}

// open opens a bundle to compare.
func open(name string) (file audit.File, shut func(), err error) {
	f, err := os.Open(name)
	if err != nil {
		return file, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return file, nil, err
	}
	return audit.File{R: f, Size: info.Size()}, func() { f.Close() }, nil
}

// convicted holds a silence file against an evidence file.
func (p *program) convicted(cmd *cobra.Command, silence, answer string) error {
	r := p.conviction(silence, answer)
	p.worse(r.code)
	return p.print(cmd, &output{Files: []result{r}})
}

func (p *program) conviction(silence, answer string) result {
	var data [2][]byte
	for i, name := range []string{silence, answer} {
		var err error
		if data[i], err = readBounded(name); err != nil {
			return unreadable(name, err)
		}
	}
	report, err := audit.Convict(data[0], data[1], p.trust)
	return concluded(silence+" and "+answer, report, nil, err)
}

// compared holds two bundles against each other.
func (p *program) compared(ctx context.Context, names []string) (*result, error) {
	var files [2]audit.File
	for i, name := range names {
		f, shut, err := open(name)
		if err != nil {
			r := unreadable(name, err)
			return &r, nil
		}
		defer shut()
		files[i] = f
	}
	facts, found, err := audit.CompareBundles(ctx, files[0], files[1])
	r := concluded(names[0]+" and "+names[1], audit.Report{Kind: audit.KindBundle, Facts: facts}, found, err)
	return &r, nil
}
