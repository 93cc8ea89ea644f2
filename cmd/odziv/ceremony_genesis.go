package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// gathering is a genesis ceremony: what is known so far lies in a folder, and
// every answer is kept there before the next question is asked.
type gathering struct {
	*asker
	dir  string
	plan ceremony.Plan
}

const (
	ceremonyFile = "ceremony.json"
	genesisFile  = "genesis.json"
	maxPlan      = 256 << 10 // bytes
)

func planGenesisCommand() *cobra.Command {
	var planFile string
	g := &gathering{}
	cmd := &cobra.Command{
		Use: "genesis", Short: "collect the keys of a genesis, question by question", Args: cobra.NoArgs,
		Long: `genesis asks, one plain question after the other, what a council lays down: its
members and how many of them decide, the keys of the two logs, witnesses, delegates.
The fingerprint of every key is read aloud and compared with its owner's paper.
Every answer is kept in --dir: after an interruption the same command goes on where
it was. Nothing is signed here; at the end stands genesis.json, which each council
member reads and signs with odziv ceremony sign.

With --plan no question is asked: the file holds all answers, and for each key the
fingerprint as somebody typed it from paper (docs/ceremony.md shows one).`,
		Example: "  odziv ceremony genesis --dir ceremony\n  odziv --demo ceremony genesis --dir rehearsal --plan plan.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			g.begin()
			if err := os.MkdirAll(g.dir, 0o700); err != nil {
				return err
			}
			if _, err := os.Lstat(filepath.Join(g.dir, genesisFile)); err == nil {
				return cli.Hint(fmt.Errorf("%s holds a genesis already", g.dir), "sign it with: odziv ceremony sign %s; for another one take another folder", filepath.Join(g.dir, genesisFile))
			}
			demo, _ := cmd.Flags().GetBool("demo")
			if planFile != "" {
				if err := g.readPlan(planFile, demo); err != nil {
					return err
				}
			} else if err := g.collect(demo); err != nil {
				return err
			}
			return g.write()
		},
	}
	cmd.Flags().StringVar(&g.dir, "dir", "ceremony", "folder of this ceremony")
	cmd.Flags().StringVar(&planFile, "plan", "", "file with all answers, instead of questions")
	g.asker = asking(cmd)
	return cmd
}

// collect asks for everything that is not known yet.
func (g *gathering) collect(demo bool) error {
	if err := g.load(demo); err != nil {
		return err
	}
	for _, step := range []func() error{g.name, g.council, g.members, g.logs, g.witnesses, g.quorum, g.delegates} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// load takes up a ceremony that was interrupted.
func (g *gathering) load(demo bool) error {
	g.plan = ceremony.Plan{V: ceremony.Version, Demo: demo, Council: []ceremony.Seat{}, Witnesses: []ceremony.Watcher{}, Delegates: []ceremony.Seat{}}
	err := cli.ReadJSON(filepath.Join(g.dir, ceremonyFile), maxPlan, &g.plan)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return cli.Hint(err, "the file was changed by hand; take another folder with --dir and begin again")
	case g.plan.Demo != demo:
		return cli.Hint(errors.New("this ceremony was begun with another --demo"), "a rehearsal and the real ceremony have a folder each")
	}
	g.say("Going on where the ceremony was interrupted: %d of %d council keys, %d delegates.\n\n", len(g.plan.Council), g.plan.Members, len(g.plan.Delegates))
	return nil
}

// keep writes what is known, in one step: the old file stays until the new one
// is whole.
func (g *gathering) keep() error {
	data, err := json.MarshalIndent(g.plan, "", "  ")
	if err != nil {
		return err
	}
	name := filepath.Join(g.dir, ceremonyFile)
	return replaceOwn(name, name, append(data, '\n'))
}

func (g *gathering) name() (err error) {
	for g.plan.Name == "" {
		if g.plan.Name, err = g.ask("1. What is the directory called, as the agreement calls it", ""); err != nil {
			return err
		}
	}
	return g.keep()
}

func (g *gathering) council() error {
	for g.plan.K == 0 {
		n, err := g.number("2. How many members has the council (1 to 9)", 3, 1, ceremony.MaxCouncil)
		if err != nil {
			return err
		}
		k, err := g.number("   How many of them must sign a change of the rules", min(n, n/2+1), 1, n)
		if err != nil {
			return err
		}
		next := g.plan
		next.Members, next.K = n, k
		if err := next.CheckCouncil(); err != nil {
			g.say("   %v.\n", err)
			continue
		}
		if k == n && n > 1 {
			g.say("   All %d must sign then: one lost key, and the rules can never change again.\n", n)
			if ok, err := g.yesOrNo("   Is that what the agreement says?"); err != nil {
				return err
			} else if !ok {
				continue
			}
		}
		g.plan = next
	}
	return g.keep()
}

// number asks for one between least and most.
func (g *gathering) number(question string, otherwise, least, most int) (int, error) {
	for {
		text, err := g.ask(question, strconv.Itoa(otherwise))
		if err != nil {
			return 0, err
		}
		if n, err := strconv.Atoi(text); err == nil && n >= least && n <= most {
			return n, nil
		}
		g.say("   A number from %d to %d is wanted.\n", least, most)
	}
}

func (g *gathering) members() error {
	for len(g.plan.Council) < g.plan.Members {
		i := len(g.plan.Council) + 1
		seat, err := g.seat(fmt.Sprintf("3. Council member %d of %d", i, g.plan.Members), fmt.Sprintf("council member %d", i), ceremony.Council)
		if err != nil {
			return err
		}
		g.plan.Council = append(g.plan.Council, seat)
		if err := g.keep(); err != nil {
			return err
		}
	}
	return nil
}

// seat asks for a key until one is there that was compared.
func (g *gathering) seat(question, who, role string) (ceremony.Seat, error) {
	for {
		text, err := g.line(question + ": file of the key, or the key itself:")
		if err != nil {
			return ceremony.Seat{}, err
		}
		seat, key, err := g.readSeat(text, role, "")
		if err != nil {
			g.say("   %v.\n", err)
			continue
		}
		if role == ceremony.Delegate && seat.Inst == "" {
			if seat.Inst, err = g.institution(); err != nil {
				return seat, err
			}
		}
		err = g.compare(who, ceremony.Digest(key), notSame)
		var declined *cli.Error
		if errors.As(err, &declined) && declined.Code == cli.Refused {
			g.say("   The key was not taken. %s.\n", notSame)
			continue
		}
		seat.Fingerprint = ceremony.FingerprintOf(key)
		return seat, err
	}
}

// institution asks where a delegate sits whose file does not say it.
func (g *gathering) institution() (string, error) {
	for {
		id, err := g.ask("   Institution of the delegate (i_…)", statement.NewID(statement.Institution))
		if err != nil || statement.IsID(id, statement.Institution) {
			return id, err
		}
		g.say("   An id of an institution begins with i_ and has 26 letters and digits after it.\n")
	}
}

// readSeat reads the key of a file or of the text itself. base is the folder that
// a relative path begins in.
func (g *gathering) readSeat(text, role, base string) (ceremony.Seat, ed25519.PublicKey, error) {
	data := []byte(text)
	if raw, err := base64.StdEncoding.DecodeString(text); err != nil || len(raw) != ed25519.PublicKeySize {
		if text == "" {
			return ceremony.Seat{}, nil, errors.New("no file was named")
		}
		if base != "" && !filepath.IsAbs(text) {
			text = filepath.Join(base, text)
		}
		if data, err = cli.ReadFile(text, ceremony.MaxFile); err != nil {
			return ceremony.Seat{}, nil, err
		}
	}
	k, err := ceremony.ParseKey(data)
	if err != nil {
		return ceremony.Seat{}, nil, err
	}
	if k.Role != "" && k.Role != role {
		return ceremony.Seat{}, nil, fmt.Errorf("this is a key of a %s, not of a %s: its owner makes another with odziv enroll --as %s", k.Role, role, role)
	}
	if err := g.plan.Free(k.Ed); err != nil {
		return ceremony.Seat{}, nil, err
	}
	return ceremony.Seat{Inst: k.Inst, Key: base64.StdEncoding.EncodeToString(k.Ed)}, k.Ed, nil
}

func (g *gathering) logs() error {
	for g.plan.Logs.CheckLogs() != nil {
		text, err := g.line("4. Verifier key of the directory's log, as odzivd init printed it (or the file of odzivd init --json):")
		if err != nil {
			return err
		}
		var l ceremony.LogKeys
		if _, statErr := os.Stat(text); text != "" && statErr == nil {
			err = cli.ReadJSON(text, maxPlan, &l)
		} else {
			l.Dir = text
			l.Ev, err = g.line("   Verifier key of the evidence log:")
			if err != nil {
				return err
			}
		}
		if err == nil {
			err = l.CheckLogs()
		}
		if err != nil {
			g.say("   %v.\n", err)
			continue
		}
		g.plan.Logs = l
	}
	return g.keep()
}

func (g *gathering) witnesses() error {
	for !g.plan.Watched && len(g.plan.Witnesses) < ceremony.MaxWitnesses {
		operator, err := g.line(fmt.Sprintf("5. Witness %d: which body runs it (empty: no more witnesses):", len(g.plan.Witnesses)+1))
		if err != nil {
			return err
		}
		if operator == "" {
			break
		}
		w := ceremony.Watcher{Operator: operator}
		if w.VKey, err = g.line("   Its key, as odziv observe printed it:"); err != nil {
			return err
		}
		if w.URL, err = g.line("   Its address, https://… (empty: it fetches by itself):"); err != nil {
			return err
		}
		if _, err := ceremony.PolicyText(append(g.plan.Witnesses, w), 1); err != nil {
			g.say("   %v.\n", err)
			continue
		}
		g.plan.Witnesses = append(g.plan.Witnesses, w)
		if err := g.keep(); err != nil {
			return err
		}
	}
	return nil
}

func (g *gathering) quorum() error {
	if g.plan.Watched {
		return nil
	}
	if n := len(g.plan.Witnesses); n > 0 {
		q, err := g.number(fmt.Sprintf("   How many of the %d witnesses must confirm (0: none)", n), n/2+1, 0, n)
		if err != nil {
			return err
		}
		g.plan.Quorum = q
	}
	if g.plan.Quorum == 0 {
		g.say("   WITHOUT WITNESSES whoever runs the exchange could show different histories to different people,\n   and every proof will say \"unwitnessed\". Do this in a rehearsal or a pilot only.\n")
		if ok, err := g.yesOrNo("   Go on without?"); err != nil {
			return err
		} else if !ok {
			return errDeclined("bring the keys of the witnesses and run the same command again: all other answers are kept")
		}
	}
	g.plan.Watched = true
	return g.keep()
}

func (g *gathering) delegates() error {
	if g.plan.Seats == 0 {
		n, err := g.number("6. How many delegates are there (two sign what admits an institution)", 2, 2, ceremony.MaxDelegates)
		if err != nil {
			return err
		}
		g.plan.Seats = n
		if err := g.keep(); err != nil {
			return err
		}
	}
	for len(g.plan.Delegates) < g.plan.Seats {
		i := len(g.plan.Delegates) + 1
		seat, err := g.seat(fmt.Sprintf("7. Delegate %d of %d", i, g.plan.Seats), fmt.Sprintf("delegate %d", i), ceremony.Delegate)
		if err != nil {
			return err
		}
		g.plan.Delegates = append(g.plan.Delegates, seat)
		if err := g.keep(); err != nil {
			return err
		}
	}
	return nil
}

// readPlan takes all answers from a file. The fingerprints in it were typed from
// paper; one that is missing or differs refuses the whole.
func (g *gathering) readPlan(file string, demo bool) error {
	var p ceremony.Plan
	if err := cli.ReadJSON(file, maxPlan, &p); err != nil {
		return cli.Hint(err, "docs/ceremony.md shows a plan")
	}
	if p.V != ceremony.Version || p.Demo != demo {
		return cli.Hint(fmt.Errorf("%s: v is %d and demo is %v", file, p.V, p.Demo), "v is 1, and a plan with demo goes with --demo")
	}
	for _, kind := range []struct {
		role  string
		seats []ceremony.Seat
	}{{ceremony.Council, p.Council}, {ceremony.Delegate, p.Delegates}} {
		for i := range kind.seats {
			if err := g.planned(&kind.seats[i], kind.role, filepath.Dir(file)); err != nil {
				return fmt.Errorf("%s: %s %d: %w", file, kind.role, i+1, err)
			}
		}
	}
	p.Members, p.Seats, p.Watched = max(p.Members, len(p.Council)), len(p.Delegates), true
	g.plan = p
	return nil
}

func (g *gathering) planned(s *ceremony.Seat, role, base string) error {
	read, _, err := g.readSeat(s.Key, role, base)
	if err != nil {
		return err
	}
	s.Key = read.Key
	if s.Inst == "" {
		s.Inst = read.Inst
	}
	if role == ceremony.Council {
		s.Inst = ""
		g.plan.Council = append(g.plan.Council, *s)
	} else {
		g.plan.Delegates = append(g.plan.Delegates, *s)
	}
	return nil
}

func family(cmd *cobra.Command) string { f, _ := cmd.Flags().GetString("family"); return f }

// gathered is the answer: what the council members sign next.
type gathered struct {
	File   string `json:"file"`
	Digest string `json:"digest"` // of the text
}

// write writes the genesis that nobody signed yet.
func (g *gathering) write() error {
	body, err := g.plan.Genesis(time.Now().UnixMilli())
	if err != nil {
		return &cli.Error{Err: err, Hint: "nothing was written: correct it and run the same command again", Code: cli.Refused}
	}
	payload, err := directory.Payload(body)
	if err != nil {
		return err
	}
	d := &statement.DSSE{Payload: payload, PayloadType: statement.TypeDirectory, Signatures: []statement.Signature{}}
	if _, err := directory.New().Requirement(payload); err != nil {
		return err
	}
	g.words(ceremony.Teller{Zone: zoneOf(family(g.cmd))}.Tell(body))
	if err := g.confirm("Is every line as the agreement says? Then the genesis is written, for the council to sign.", "change the answer in "+filepath.Join(g.dir, ceremonyFile)+" or begin again in another folder"); err != nil {
		return err
	}
	raw, err := d.Encode()
	if err != nil {
		return err
	}
	a := gathered{File: filepath.Join(g.dir, genesisFile), Digest: fmt.Sprintf("%x", d.Digest())}
	if err := writeNew(a.File, raw); err != nil {
		return err
	}
	return cli.Out(g.cmd, a, func(w io.Writer) {
		text := ceremony.Fingerprint(a.Digest)
		fmt.Fprintf(w, "written: %s\nits text:\n\n    %s\n    %s\n\nnext: carry it to each council member, who runs: odziv ceremony sign %s\n", a.File, text[:39], text[40:], genesisFile)
	})
}
