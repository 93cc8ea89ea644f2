package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// amendment is what a policy changes; everything else stays as it is.
type amendment struct {
	addDelegates, dropDelegates []string
	addWitnesses, dropWitnesses []string
	addMembers, dropMembers     []string
	quorum, k                   int
	logs                        string
}

func policyCommand() *cobra.Command {
	var f forward
	var a *asker
	var m amendment
	cmd := &cobra.Command{
		Use: "policy", Short: "change the rules of the whole directory; k of the council", Args: cobra.NoArgs,
		Long: `policy changes what the council laid down: delegates, witnesses and their quorum, the
keys of the logs, the council itself. What no flag names stays as it is. Its words
say everything that holds afterwards, and what of it is new.

As many council members sign as the council needs; a changed council also needs as
many of the new one. They find it with odziv pending, or, offline, sign a file:
prepare it with --out, carry it from one to the next (odziv directory sign), and
submit it with odziv directory propose.`,
		Example: `  odziv ceremony policy --add-delegate key.json --drop-delegate "1a2b 3c4d"
  odziv ceremony policy --add-witness "Ombudsman,ombudsman.example+dacc…,https://witness.example" --quorum 2
  odziv ceremony policy --add-member new/key.json --drop-member old/key.json --k 2 --unsigned --out policy.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.begin()
			s, err := synced(cmd)
			if err != nil {
				return err
			}
			body, err := m.apply(s.Directory())
			if err != nil {
				return err
			}
			return s.put(a, body, f)
		},
	}
	fl := cmd.Flags()
	fl.StringArrayVar(&m.addDelegates, "add-delegate", nil, "key.json of a new delegate")
	fl.StringArrayVar(&m.dropDelegates, "drop-delegate", nil, "key.json of a delegate, or the first groups of its fingerprint")
	fl.StringArrayVar(&m.addWitnesses, "add-witness", nil, "OPERATOR,KEY or OPERATOR,KEY,ADDRESS of a new witness")
	fl.StringArrayVar(&m.dropWitnesses, "drop-witness", nil, "key of a witness, or the name of its operator")
	fl.StringArrayVar(&m.addMembers, "add-member", nil, "key.json of a new member of the council")
	fl.StringArrayVar(&m.dropMembers, "drop-member", nil, "key.json of a member, or the first groups of its fingerprint")
	fl.IntVar(&m.quorum, "quorum", -1, "how many witnesses must confirm; 0 for none (default: as many as now)")
	fl.IntVar(&m.k, "k", 0, "how many of the council must sign (default: as many as now)")
	fl.StringVar(&m.logs, "logs", "", "file of odzivd init --json with new keys of the logs")
	f.flags(cmd)
	a = asking(cmd)
	return cmd
}

// apply is the policy that an amendment makes of the one in force.
func (m *amendment) apply(dir *directory.State) (*directory.Policy, error) {
	b := &directory.Policy{Council: dir.Council(), Delegates: slices.Clone(dir.Delegates()), Logs: dir.Logs(), Quorum: dir.Quorum(), Witnesses: slices.Clone(dir.Witnesses())}
	if b.Delegates == nil {
		b.Delegates = []directory.Delegate{}
	}
	if b.Witnesses == nil {
		b.Witnesses = []directory.Witness{}
	}
	was := *b
	for _, step := range []func(*directory.Policy) error{m.council, m.delegates, m.watch, m.keys} {
		if err := step(b); err != nil {
			return nil, err
		}
	}
	if was.Logs == b.Logs && was.Quorum == b.Quorum && was.Council.K == b.Council.K && len(m.addDelegates)+len(m.dropDelegates)+
		len(m.addWitnesses)+len(m.dropWitnesses)+len(m.addMembers)+len(m.dropMembers) == 0 {
		return nil, cli.UsageError("nothing would change: name what is to be another")
	}
	return b, nil
}

func (m *amendment) council(b *directory.Policy) (err error) {
	if b.Council.Keys, err = amended(b.Council.Keys, m.addMembers, m.dropMembers, ceremony.Council); err != nil {
		return err
	}
	if m.k > 0 {
		b.Council.K = m.k
	}
	if b.Council.K > len(b.Council.Keys) {
		return cli.UsageError("%d of %d council members cannot sign: say how many with --k", b.Council.K, len(b.Council.Keys))
	}
	return nil
}

// amended is a list of keys with some more and some fewer.
func amended(keys []ed25519.PublicKey, add, drop []string, role string) ([]ed25519.PublicKey, error) {
	keys = slices.Clone(keys)
	for _, named := range drop {
		id, err := pick(named, idsOf(keys), role+" key in force")
		if err != nil {
			return nil, err
		}
		keys = slices.DeleteFunc(keys, func(k ed25519.PublicKey) bool { return statement.KeyID(k) == id })
	}
	for _, file := range add {
		k, err := readKey(file, role)
		if err != nil {
			return nil, err
		}
		if slices.Contains(idsOf(keys), k.KeyID()) {
			return nil, cli.Hint(fmt.Errorf("%s: %w", file, ceremony.ErrTwice), "name the key of another person")
		}
		keys = append(keys, k.Ed)
	}
	return keys, nil
}

func idsOf(keys []ed25519.PublicKey) []string {
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = statement.KeyID(k)
	}
	return ids
}

// readKey reads a key.json that must be of a role.
func readKey(file, role string) (*ceremony.Key, error) {
	data, err := cli.ReadFile(file, ceremony.MaxFile)
	if err != nil {
		return nil, err
	}
	k, err := ceremony.ParseKey(data)
	if err != nil {
		return nil, cli.Hint(fmt.Errorf("%s: %w", file, err), "odziv enroll writes a key.json beside each keystore")
	}
	if k.Role != role {
		return nil, &cli.Error{Err: fmt.Errorf("%s is a key of a %s, not of a %s", file, orNobody(k.Role), role), Hint: "its owner makes the right one with: odziv enroll --as " + role, Code: cli.Refused}
	}
	return k, nil
}

func orNobody(role string) string {
	if role == "" {
		return "person whose role nobody told"
	}
	return role
}

func (m *amendment) delegates(b *directory.Policy) error {
	var keys []ed25519.PublicKey
	for _, d := range b.Delegates {
		keys = append(keys, d.Key)
	}
	for _, named := range m.dropDelegates {
		id, err := pick(named, idsOf(keys), "delegate's key")
		if err != nil {
			return err
		}
		b.Delegates = slices.DeleteFunc(b.Delegates, func(d directory.Delegate) bool { return statement.KeyID(d.Key) == id })
	}
	for _, file := range m.addDelegates {
		k, err := readKey(file, ceremony.Delegate)
		if err != nil {
			return err
		}
		if slices.Contains(idsOf(keys), k.KeyID()) {
			return cli.Hint(fmt.Errorf("%s: %w", file, ceremony.ErrTwice), "name the key of another person")
		}
		b.Delegates = append(b.Delegates, directory.Delegate{I: k.Inst, Key: k.Ed})
	}
	return nil
}

// watch changes witnesses and quorum. Addresses of those that stay are in the
// policy in force.
func (m *amendment) watch(b *directory.Policy) error {
	if len(m.addWitnesses)+len(m.dropWitnesses) == 0 && m.quorum < 0 {
		return nil
	}
	policy, err := ledger.ParsePolicy(b.Quorum.Ev)
	if err != nil {
		return err
	}
	address := map[string]string{}
	for _, w := range policy.Witnesses() {
		address[w.VKey] = w.URL
	}
	for _, named := range m.dropWitnesses {
		left := slices.DeleteFunc(slices.Clone(b.Witnesses), func(w directory.Witness) bool { return w.VKey == named || w.Operator == named })
		if len(left) != len(b.Witnesses)-1 {
			return cli.Hint(fmt.Errorf("%.60q names %d witnesses, not one", named, len(b.Witnesses)-len(left)), "name its key; odziv status shows the witnesses")
		}
		b.Witnesses = left
	}
	for _, text := range m.addWitnesses {
		parts := strings.Split(text, ",")
		if len(parts) < 2 || len(parts) > 3 {
			return cli.UsageError("--add-witness %.60q: write OPERATOR,KEY or OPERATOR,KEY,ADDRESS", text)
		}
		b.Witnesses = append(b.Witnesses, directory.Witness{Operator: parts[0], VKey: parts[1]})
		if len(parts) == 3 {
			address[parts[1]] = parts[2]
		}
	}
	var watchers []ceremony.Watcher
	for _, w := range b.Witnesses {
		watchers = append(watchers, ceremony.Watcher{Operator: w.Operator, VKey: w.VKey, URL: address[w.VKey]})
	}
	switch {
	case m.quorum == 0:
		b.Quorum = directory.Quorum{Dir: directory.QuorumNone, Ev: directory.QuorumNone}
		return nil
	case m.quorum < 0:
		return cli.Hint(errors.New("the witnesses change and nobody said how many of them must confirm"), "say it with --quorum")
	}
	text, err := ceremony.PolicyText(watchers, m.quorum)
	b.Quorum = directory.Quorum{Dir: text, Ev: text}
	return cli.Hint(err, "a key of a witness is what odziv observe printed")
}

func (m *amendment) keys(b *directory.Policy) error {
	if m.logs == "" {
		return nil
	}
	var l ceremony.LogKeys
	if err := cli.ReadJSON(m.logs, maxPlan, &l); err != nil {
		return err
	}
	b.Logs = directory.Logs(l)
	return l.CheckLogs()
}
