package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/keystore"
)

func institutionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "institution", Short: "let an institution join, and say what it is and who speaks for it",
		Long: `institution is for delegates, who invite and admit institutions, and for the roots of
an institution, who name its registrars, custodians and observer. Joining takes four
steps: invite (a delegate), join (the new institution), admit (the delegate), and the
second delegate's odziv pending sign. docs/enrollment.md goes through them.`,
		Example: "  odziv institution invite --name \"Center for social work Vranje\" --out invite.json\n  odziv institution join --invite invite.json --key a/key.json --key b/key.json --key c/key.json\n  odziv institution admit join-request.json",
	}
	cmd.AddCommand(inviteCommand(), joinCommand(), admitCommand(), profileCommand(), registrarsCommand(), custodiansCommand(), observerCommand(),
		rootCommand(), succeedCommand(), listInstitutionsCommand())
	return cmd
}

func inviteCommand() *cobra.Command {
	var inst, name, out string
	cmd := &cobra.Command{
		Use: "invite", Short: "make the invite file of an institution that is to join", Args: cobra.NoArgs,
		Long: `invite writes what a new institution needs to begin: the address of the exchange, its
genesis hash, and the id under which the institution is expected. It is no secret and
gives no right; nothing is recorded. The name is a label on the screens of the two
sides; it never enters the directory.`,
		Example: `  odziv institution invite --name "Center for social work Vranje" --out invite.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			if inst == "" {
				inst = statement.NewID(statement.Institution)
			}
			i := &ceremony.Invite{Genesis: s.Directory().Genesis(), Inst: inst, Name: name, URL: s.Notebook.Pin.URL, V: ceremony.Version}
			if err := i.Check(); err != nil {
				return cli.UsageError("%v", err)
			}
			data, err := i.Encode()
			if err != nil {
				return err
			}
			if err := writeNew(out, data); err != nil {
				return cli.Hint(err, "name another file with --out")
			}
			if err := s.remember(name, inst); err != nil {
				return err
			}
			return s.out(map[string]string{"file": out, "inst": inst}, func(w io.Writer) {
				fmt.Fprintf(w, "written: %s, for %s (%s)\nnext: send it to the institution; there it is used with odziv enroll --invite and odziv institution join --invite\n", out, name, inst)
			})
		},
	}
	cmd.Flags().StringVar(&inst, "inst", "", "its id, where one was chosen before (default: a new one)")
	cmd.Flags().StringVar(&name, "name", "", "what people call it")
	cmd.Flags().StringVar(&out, "out", "invite.json", "new file to write")
	cmd.MarkFlagRequired("name")
	return cmd
}

// remember adds a label to names.json. A label that stands for something else
// stays.
func (s *session) remember(name, id string) error {
	if name == "" || s.names[name] == id {
		return nil
	}
	if other, taken := s.names[name]; taken {
		return cli.Hint(fmt.Errorf("%q is what this program calls %s", name, other), "choose another name, or change names.json")
	}
	if s.names == nil {
		s.names = map[string]string{}
	}
	s.names[name] = id
	data, err := json.MarshalIndent(s.names, "", "  ")
	if err != nil {
		return err
	}
	file := filepath.Join(s.home, "names.json")
	return replaceOwn(file, file, append(data, '\n'))
}

// labelInstitution lets a fresh folder call its institution as the invite does.
func labelInstitution(home, name, inst string) error {
	if name == "" || inst == "" {
		return nil
	}
	names, err := readNames(home)
	if err != nil {
		return err
	}
	s := &session{home: home, names: names}
	return s.remember(name, inst)
}

// inst resolves what a person calls an institution.
func (s *session) inst(name string) (string, error) {
	id := name
	if !statement.IsID(id, statement.Institution) {
		id = s.names[name]
	}
	if !statement.IsID(id, statement.Institution) {
		return "", cli.Hint(fmt.Errorf("no institution is called %q here", name), "name its id (i_…); odziv institution list shows them")
	}
	return id, nil
}

// joining is a request to join on its way.
type joining struct {
	invite, out, script string
	keys                []string
	k                   int
}

func joinCommand() *cobra.Command {
	var j joining
	var a *asker
	cmd := &cobra.Command{
		Use: "join", Short: "write the request of a new institution to join, as its first root", Args: cobra.NoArgs,
		Long: `join collects the root keys of a new institution (three, of whom two decide, unless
you say otherwise), lets you compare each with its owner's paper, and writes a request
signed by the keystore of this folder, which is one of them. The other roots sign it
with odziv directory sign; then it goes to a delegate, with its sheet on paper. The
genesis hash is compared with the annex of the agreement.`,
		Example: "  odziv institution join --home root1 --invite invite.json --key root1/key.json --key root2/key.json --key root3/key.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.begin()
			s, err := offline(cmd)
			if err != nil {
				return err
			}
			return j.run(s, a)
		},
	}
	cmd.Flags().StringVar(&j.invite, "invite", "invite.json", "file that a delegate gave")
	cmd.Flags().StringArrayVar(&j.keys, "key", nil, "key.json of a root, one's own too; may be repeated")
	cmd.Flags().IntVar(&j.k, "k", 2, "how many of them decide")
	cmd.Flags().StringVar(&j.out, "out", "join-request.json", "new file to write; its sheet is written beside it")
	cmd.Flags().StringVar(&j.script, "script", string(ceremony.English), "of the sheet: en, sr-Cyrl or sr-Latn")
	a = asking(cmd)
	return cmd
}

func (j *joining) run(s *session, a *asker) error {
	if !slices.Contains(ceremony.Scripts, ceremony.Script(j.script)) {
		return cli.UsageError("--script %.20q is none of en, sr-Cyrl and sr-Latn", j.script)
	}
	invite, err := readInvite(j.invite)
	if err != nil {
		return err
	}
	if s.keys.Role != keystore.Root || s.keys.Inst != invite.Inst {
		return &cli.Error{Err: fmt.Errorf("%s is no root keystore of the institution of this invite", s.home),
			Hint: "make one with: odziv enroll --as root --invite " + j.invite, Code: cli.Refused}
	}
	if err := a.compare("the exchange (its genesis hash, on the annex)", invite.Genesis, "this invite is for another exchange: ask the delegate, in person"); err != nil {
		return err
	}
	keys, err := j.collect(s, a, invite)
	if err != nil {
		return err
	}
	if j.k < 2 && !s.demo() {
		return cli.UsageError("--k %d: one root alone decides in demonstrations only", j.k)
	}
	body := &directory.InstJoin{Head: directory.Head{At: time.Now().UnixMilli(), DirN: 1, T: "inst.join", V: directory.Version},
		I: invite.Inst, Root: directory.Root{K: j.k, Keys: keys}}
	payload, err := directory.Payload(body)
	if err != nil {
		return err
	}
	if err := s.remember(invite.Name, invite.Inst); err != nil {
		return err
	}
	d := &statement.DSSE{Payload: payload, PayloadType: statement.TypeDirectory, Signatures: []statement.Signature{}}
	a.words(s.teller().Tell(body))
	if err := s.compareNew(a, body); err != nil {
		return err
	}
	if err := a.confirm("Sign this?", "correct it and run the command again"); err != nil {
		return err
	}
	if err := s.addSignature(s.cmd.Context(), d); err != nil {
		return err
	}
	return j.write(s, d, body)
}

func (j *joining) write(s *session, d *statement.DSSE, body *directory.InstJoin) error {
	raw, err := d.Encode()
	if err != nil {
		return err
	}
	if err := writeNew(j.out, raw); err != nil {
		return cli.Hint(err, "name another file with --out")
	}
	sheet := strings.TrimSuffix(j.out, filepath.Ext(j.out)) + ".html"
	if err := writeNew(sheet, []byte(ceremony.JoinSheet(ceremony.Script(j.script), body).HTML())); err != nil {
		return cli.Hint(err, "the request is written; print its sheet with: odziv ceremony sheet %s", j.out)
	}
	return s.out(map[string]any{"file": j.out, "sheet": sheet, "signed": 1, "needs": body.Root.K}, func(w io.Writer) {
		fmt.Fprintf(w, "written: %s, signed by 1 of the %d roots it needs\n         %s, to be printed\n", j.out, body.Root.K, sheet)
		if body.Root.K > 1 {
			fmt.Fprintf(w, "next: %d more sign it, each on the own computer: odziv directory sign %s --out join-request.2.json\n      then it goes to a delegate, with the sheet on paper\n", body.Root.K-1, filepath.Base(j.out))
			return
		}
		fmt.Fprintln(w, "next: give it to a delegate, with the sheet on paper: odziv institution admit")
	})
}

// collect reads the root keys, of which one is this keystore's.
func (j *joining) collect(s *session, a *asker, invite *ceremony.Invite) ([]ed25519.PublicKey, error) {
	if len(j.keys) == 0 && a.terminal {
		if err := j.ask(a, s); err != nil {
			return nil, err
		}
	}
	var keys []ed25519.PublicKey
	for _, file := range j.keys {
		k, err := readKey(file, ceremony.Root)
		switch {
		case err != nil:
			return nil, err
		case k.Inst != invite.Inst:
			return nil, cli.Hint(fmt.Errorf("%s is a root key of %s, the invite is for %s", file, k.Inst, invite.Inst), "its owner makes one with: odziv enroll --as root --invite %s", j.invite)
		case slices.Contains(idsOf(keys), k.KeyID()):
			return nil, cli.Hint(fmt.Errorf("%s: %w", file, ceremony.ErrTwice), "name the key of another person")
		}
		keys = append(keys, k.Ed)
	}
	mine := s.keys.Signer().Public()
	if !slices.ContainsFunc(keys, func(k ed25519.PublicKey) bool { return bytes.Equal(k, mine) }) {
		return nil, cli.UsageError("name key.json of this folder among --key: you sign as one of the roots")
	}
	if j.k > len(keys) {
		return nil, cli.UsageError("%d of %d roots cannot decide: name more keys, or fewer with --k", j.k, len(keys))
	}
	return keys, nil
}

// ask collects the files of the keys, this folder's own first.
func (j *joining) ask(a *asker, s *session) error {
	j.keys = []string{filepath.Join(s.home, keyFile)}
	a.say("Root key 1 is that of this folder.\n")
	for len(j.keys) < ceremony.MaxCouncil {
		file, err := a.line(fmt.Sprintf("Root key %d, its key.json (empty: no more):", len(j.keys)+1))
		if err != nil {
			return err
		}
		if file == "" {
			return nil
		}
		if _, err := readKey(file, ceremony.Root); err != nil {
			a.say("%v\n", err)
			continue
		}
		j.keys = append(j.keys, file)
	}
	return nil
}

func admitCommand() *cobra.Command {
	var f forward
	var a *asker
	var name string
	cmd := &cobra.Command{
		Use: "admit REQUEST", Short: "compare and sign an institution's request to join, as a delegate", Args: cobra.ExactArgs(1),
		Long: `admit says what the request says, asks you to hold the fingerprint of every root key
against the sheet that the institution brought, and signs. The second delegate finds
it with odziv pending. Answer no and nothing is signed.`,
		Example: "  odziv institution admit join-request.2.json --name vranje",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			return s.admit(a, args[0], name, f)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "what you call the institution, on this computer only")
	f.flags(cmd)
	a = asking(cmd)
	return cmd
}

func (s *session) admit(a *asker, file, name string, f forward) error {
	d, _, err := readStatement(file)
	if err != nil {
		return err
	}
	var body directory.Body
	if d != nil {
		if body, err = directory.DecodePayload(d.Payload); err != nil {
			return err
		}
	}
	join, ok := body.(*directory.InstJoin)
	if !ok {
		return cli.Hint(fmt.Errorf("%s is no request to join", file), "a new institution writes one with: odziv institution join")
	}
	if err := s.remember(name, join.I); err != nil {
		return err
	}
	t, err := s.tell(d)
	if err != nil {
		return err
	}
	if err := t.signable(s.Now()); err != nil {
		return err
	}
	if lacks := slices.IndexFunc(t.Missing, func(m string) bool { return strings.Contains(m, "root keys") }); lacks >= 0 {
		return &cli.Error{Err: fmt.Errorf("its own roots have not all signed: %s", t.Missing[lacks]), Hint: "they sign it before it comes to a delegate: odziv directory sign FILE", Code: cli.Refused}
	}
	a.words(t.Words)
	if err := s.compareNew(a, join); err != nil {
		return err
	}
	if err := a.confirm("Admit this institution?", "ask the institution for a request that is right"); err != nil {
		return err
	}
	if err := s.addSignature(s.cmd.Context(), d); err != nil {
		return err
	}
	return s.forward(d, f)
}

// instLine is a line of the list of institutions.
type instLine struct {
	Inst       string `json:"inst"`
	Name       string `json:"name"`
	Type       string `json:"type"` // "" until its first profile
	Until      int64  `json:"until"`
	K          int    `json:"k"` // of Roots decide
	Roots      int    `json:"roots"`
	Registrars int    `json:"registrars"`
	Custodians int    `json:"custodians"`
	Observer   bool   `json:"observer"`
	Pred       string `json:"pred"`
	Next       string `json:"next"` // what it lacks, "" if nothing
}

func listInstitutionsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "institutions that joined, who speaks for them, and what they lack", Args: cobra.NoArgs,
		Long:    "list shows every institution with its root, registrars, custodians and observer, and\nwhat is still to be done before it can work.",
		Example: "  odziv institution list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			lines := []instLine{}
			for _, id := range s.Directory().Institutions() {
				inst, _ := s.Directory().Institution(id)
				lines = append(lines, instLine{Inst: id, Name: s.label(id), Type: inst.Type, Until: inst.NA, K: inst.Root.K, Roots: len(inst.Root.Keys), Registrars: len(inst.Registrars),
					Custodians: len(inst.Custodians.Rcps), Observer: len(inst.Observer) > 0, Pred: inst.Pred, Next: s.lacks(inst)})
			}
			return s.out(lines, func(w io.Writer) {
				for _, l := range lines {
					fmt.Fprintf(w, "%-28s %-16s until %-16s  root %d of %d  %d registrars  %d custodians  %s\n", l.Name, l.Type, s.when(l.Until), l.K, l.Roots, l.Registrars, l.Custodians, l.Inst)
					if l.Next != "" {
						fmt.Fprintf(w, "  next: %s\n", l.Next)
					}
				}
			})
		},
	}
}

// lacks is the first thing that an institution needs before it can work.
func (s *session) lacks(inst directory.Institution) string {
	switch {
	case inst.Type == "":
		return "two delegates say what it is: odziv institution profile " + inst.I
	case len(inst.Registrars) == 0:
		return "its root names registrars: odziv institution registrars"
	case !inst.OpenAt(s.Now()):
		return "it is closed: odziv institution profile " + inst.I + " --until DAY"
	case len(s.Directory().OfficersOf(inst.I)) == 0:
		return "its registrars enrol officers: odziv officer enrol REQUEST"
	case len(s.Directory().DesksOfInst(inst.I)) == 0:
		return "its registrars open a desk: odziv officer desk open"
	case len(inst.Custodians.Rcps) == 0:
		return "its root names custodians, or a desk that loses its keys loses its mail: odziv institution custodians"
	}
	return ""
}
