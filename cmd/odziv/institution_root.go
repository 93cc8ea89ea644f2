package main

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/ceremony"
	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// offlineRoots is what the help of every command of a root says.
const offlineRoots = `

The root of the institution signs: as many of its keys as it needs. Those that have a
network find it with odziv pending. For those that never had one, somebody with a
network prepares a file (--unsigned --out FILE, with --inst), each root signs it (odziv
directory sign FILE), and it is submitted with odziv directory propose.`

// rootStatement builds the command of one statement that a root signs. prepare
// makes its body for an institution.
func rootStatement(cmd *cobra.Command, prepare func(s *session, inst directory.Institution) (directory.Body, error)) *cobra.Command {
	var f forward
	var inst string
	var a *asker
	cmd.Args = cobra.NoArgs
	cmd.Long += offlineRoots
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		a.begin()
		s, err := synced(cmd)
		if err != nil {
			return err
		}
		if inst == "" {
			inst = s.keys.Inst
		}
		if inst == "" {
			return cli.UsageError("say which institution with --inst; odziv institution list shows them")
		}
		id, err := s.inst(inst)
		if err != nil {
			return err
		}
		about, ok := s.Directory().Institution(id)
		if !ok {
			return cli.Hint(fmt.Errorf("%s has not joined", id), "delegates admit it first: odziv institution admit REQUEST")
		}
		body, err := prepare(s, about)
		if err != nil {
			return err
		}
		return s.put(a, body, f)
	}
	cmd.Flags().StringVar(&inst, "inst", "", "institution (default: that of this keystore)")
	f.flags(cmd)
	a = asking(cmd)
	return cmd
}

func registrarsCommand() *cobra.Command {
	var add, drop []string
	cmd := &cobra.Command{
		Use: "registrars", Short: "name who enrols and revokes officers; k of the root",
		Long: `registrars names those who enrol officers, two together, and revoke them, one alone.
They are at least two; name three, so that one may be ill. A registrar is a person of
the institution, with a keystore of her own (odziv enroll --as registrar).`,
		Example: "  odziv institution registrars --add r1/key.json --add r2/key.json --add r3/key.json\n  odziv institution registrars --drop \"1a2b 3c4d\" --add r4/key.json",
	}
	cmd.Flags().StringArrayVar(&add, "add", nil, "key.json of a new registrar")
	cmd.Flags().StringArrayVar(&drop, "drop", nil, "key.json of a registrar, or the first groups of its fingerprint")
	return rootStatement(cmd, func(s *session, inst directory.Institution) (directory.Body, error) {
		for _, file := range add {
			if k, err := readKey(file, ceremony.Registrar); err == nil && k.Inst != inst.I {
				return nil, cli.Hint(fmt.Errorf("%s is a registrar's key of %s, not of %s", file, k.Inst, inst.I), "nobody signs for two institutions")
			}
		}
		keys, err := amended(inst.Registrars, add, drop, ceremony.Registrar)
		if err != nil {
			return nil, err
		}
		keys = slices.DeleteFunc(keys, func(k ed25519.PublicKey) bool {
			o, ok := s.Directory().OfficerByKey(statement.KeyID(k))
			return ok && o.Revoked() // the list must not name a key that ended
		})
		if len(keys) < 2 {
			return nil, cli.UsageError("%d registrars: two sign an enrolment, name at least two", len(keys))
		}
		if len(add)+len(drop) == 0 {
			return nil, cli.UsageError("nothing would change: name somebody with --add or --drop")
		}
		return &directory.InstRegistrars{I: inst.I, Keys: keys}, nil
	})
}

func custodiansCommand() *cobra.Command {
	return namingCustodians(&cobra.Command{
		Use: "custodians", Short: "name who can recover desks that lost all keys; k of the root",
		Long: `custodians names those who together can recover a desk that lost all its keys: any two
of three, unless you say otherwise. They are people of different units, whose keys lie
offline in different places (odziv enroll --as custodian). The list replaces the one
before; it counts for keys that desks make from then on.`,
		Example: "  odziv institution custodians --key c1/key.json --key c2/key.json --key c3/key.json --k 2",
	}, func(*session, directory.Institution) {})
}

// namingCustodians builds a command of the root that names custodians; seen learns
// for which institution.
func namingCustodians(cmd *cobra.Command, seen func(s *session, inst directory.Institution)) *cobra.Command {
	var files []string
	var k int
	cmd.Flags().StringArrayVar(&files, "key", nil, "key.json of a custodian; all of them, in their order")
	cmd.Flags().IntVar(&k, "k", 2, "how many of them recover a desk")
	return rootStatement(cmd, func(s *session, inst directory.Institution) (directory.Body, error) {
		seen(s, inst)
		b := &directory.InstCustodians{I: inst.I, K: k, Rcps: []string{}}
		for _, file := range files {
			key, err := readKey(file, ceremony.Custodian)
			if err != nil {
				return nil, err
			}
			if key.Inst != inst.I {
				return nil, cli.Hint(fmt.Errorf("%s is a custodian's key of %s, not of %s", file, key.Inst, inst.I), "nobody signs for two institutions")
			}
			if slices.Contains(b.Rcps, key.Rcp) {
				return nil, cli.Hint(fmt.Errorf("%s: %w", file, ceremony.ErrTwice), "name the key of another person")
			}
			b.Rcps, b.Keys = append(b.Rcps, key.Rcp), append(b.Keys, key.Ed)
		}
		if k > len(files) {
			return nil, cli.UsageError("%d of %d custodians cannot recover anything: name more keys, or fewer with --k", k, len(files))
		}
		return b, nil
	})
}

func observerCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "observer", Short: "name the key of the institution's observer; k of the root",
		Long: `observer names the key with which the institution's own observer (odziv observe)
signs what it saw.`,
		Example: "  odziv institution observer --key observer/key.json",
	}
	cmd.Flags().StringVar(&file, "key", "", "key.json of the observer")
	cmd.MarkFlagRequired("key")
	return rootStatement(cmd, func(_ *session, inst directory.Institution) (directory.Body, error) {
		k, err := readKey(file, ceremony.Observer)
		if err != nil {
			return nil, err
		}
		return &directory.InstObserver{I: inst.I, Key: k.Ed}, nil
	})
}

func rootCommand() *cobra.Command {
	var add, drop []string
	var k int
	cmd := &cobra.Command{
		Use: "root", Short: "replace root keys; enough of the old and of the new",
		Long: `root replaces keys of the root: when somebody who held one leaves, or one is lost. As
many of the old root sign as it needs, and as many of the new. Keys that stay count for
both.`,
		Example: "  odziv institution root --drop \"1a2b 3c4d\" --add new/key.json",
	}
	cmd.Flags().StringArrayVar(&add, "add", nil, "key.json of a new root key")
	cmd.Flags().StringArrayVar(&drop, "drop", nil, "key.json of a root key, or the first groups of its fingerprint")
	cmd.Flags().IntVar(&k, "k", 0, "how many of them decide (default: as many as now)")
	return rootStatement(cmd, func(_ *session, inst directory.Institution) (directory.Body, error) {
		keys, err := amended(inst.Root.Keys, add, drop, ceremony.Root)
		if err != nil {
			return nil, err
		}
		if k == 0 {
			k = inst.Root.K
		}
		if k > len(keys) {
			return nil, cli.UsageError("%d of %d root keys cannot decide: say how many with --k", k, len(keys))
		}
		return &directory.InstRoot{I: inst.I, K: k, Keys: keys}, nil
	})
}
