package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/statement"
)

// Exit codes of this program.
const (
	exitVerified   = 0
	exitFailed     = 1
	exitUsage      = 2
	exitUnreadable = 3
)

// program is one run.
type program struct {
	genesis  string
	logKey   string
	entry    string
	lang     string
	quiet    bool
	progress bool
	compare  bool
	convict  bool
	policy   string

	trust audit.Trust
	exit  int
}

func (p *program) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "odziv-verify FILE…",
		Short: "verify offline what an exchange of Odziv gave out",
		Long: `odziv-verify verifies files without a network, an account, a database or a key:

  evidence file    a statement with the proof that it is on record, and of whose key signed it
  consent receipt  all versions of one consent, each with its proof
  audit bundle     a zip of both logs with openings: everything that the record shows
  .tlog-proof      the proof of one entry (with --entry FILE, and --log-key or a bundle)

It finds out by itself which of them a file is. Everything rests on the genesis:
compare its hash with the annex of the agreement, or give it with --genesis. With
a bundle among the files, evidence files are held against its full directory, so
that a key revoked at the time shows, and all files against its trees, so that a
second history shows.

A report says how far others vouch for it: unwitnessed (nobody is asked),
provisional (fewer cosigned than the directory asks for), confirmed. With --policy
your own policy of witnesses (C2SP tlog-policy) must be satisfied as well.

With --convict, name a silence file and the evidence file of what answered it: it
verifies if the two cannot both be true, so that the operator is convicted.

Exit codes:
  0  everything verifies (without --genesis: but nothing says whose it is)
  1  something does not verify; each line names the entry by its index, or the file
  2  the command line makes no sense
  3  a file cannot be read, or is none of these`,
		Example: `  odziv-verify evidence.json
  odziv-verify evidence.json --genesis 1432ddf20c3d0fe5e41bb3712230c3300ce89fced5ac460e970b95bad01d7cfa
  odziv-verify bundle.zip evidence.json receipt.json --json
  odziv-verify entry.tlog-proof --entry leaf.json --log-key exchange.example/ev+1f0c7e9a+AY…
  odziv-verify --compare january.zip june.zip --lang sr
  odziv-verify --convict silence.json answer.json
  odziv-verify bundle.zip --policy witnesses.txt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if err := p.check(files); err != nil {
				return err
			}
			return p.verify(cmd, files)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&p.genesis, "genesis", "", "hash of the genesis, from the annex of the agreement (64 hex digits)")
	flags.StringVar(&p.entry, "entry", "", "file of the entry that a .tlog-proof is about")
	flags.StringVar(&p.logKey, "log-key", "", "verifier key of the log that a .tlog-proof is of")
	flags.StringVar(&p.policy, "policy", "", "file with a policy of witnesses that must be satisfied (C2SP tlog-policy); its log lines may name the key of a .tlog-proof")
	flags.BoolVar(&p.convict, "convict", false, "tell whether a silence file and an evidence file convict the operator")
	flags.BoolVar(&p.compare, "compare", false, "tell as well whether two bundles show one history")
	flags.StringVar(&p.lang, "lang", audit.English, "language of the report: en, sr, sr-latn")
	flags.BoolVar(&p.quiet, "quiet", false, "print only what does not verify")
	flags.BoolVar(&p.progress, "progress", false, "tell on standard error how far it is")
	cli.AddJSON(cmd)
	return cmd
}

func (p *program) check(files []string) error {
	if p.genesis != "" && !statement.IsHash(p.genesis) {
		return cli.UsageError("--genesis: %.80q is not 64 lower-case hex digits", p.genesis)
	}
	if !slices.Contains([]string{audit.English, audit.Serbian, serbianLatin}, p.lang) {
		return cli.UsageError("--lang: %.20q is none of en, sr, sr-latn", p.lang)
	}
	if p.compare && len(files) != 2 {
		return cli.UsageError("--compare: name two bundles")
	}
	if p.convict && (len(files) != 2 || p.compare) {
		return cli.UsageError("--convict: name a silence file and the evidence file of what answered it")
	}
	p.trust.Genesis = p.genesis
	return p.readPolicy()
}

// maxPolicy bounds a policy file, in bytes.
const maxPolicy = 16 << 10

func (p *program) readPolicy() error {
	if p.policy == "" {
		return nil
	}
	text, err := cli.ReadFile(p.policy, maxPolicy)
	if err == nil {
		p.trust.Policy, err = audit.ParsePolicy(string(text))
	}
	if err != nil {
		return cli.UsageError("--policy: %s: %s", clean(p.policy), clean(err.Error()))
	}
	return nil
}

// worse keeps the exit code that matters most: what does not verify, then what
// cannot be read.
func (p *program) worse(code int) {
	if code == exitFailed || p.exit == exitVerified {
		p.exit = code
	}
}
