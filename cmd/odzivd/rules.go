package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/rules"
)

func rulesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "check and print rule packs",
		Long:  `A rule pack holds everything legal as data. FORMAT.md of internal/rules describes it.`,
		Example: `  odzivd rules list
  odzivd rules check packs/rs-a.toml
  odzivd rules print rs-a@1 --lang sr --format html`,
	}
	cmd.AddCommand(rulesList(), rulesCheck(), rulesPrint())
	return cmd
}

// packLine is a line of the list.
type packLine struct {
	ID    string `json:"id"`
	Hash  string `json:"hash"`
	Title string `json:"title"`
}

func rulesList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list the packs this program ships", Args: cobra.NoArgs,
		Long:    "list shows each pack with the hash that pack.adopt must name.",
		Example: `  odzivd rules list`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ids, err := rules.Embedded()
			if err != nil {
				return err
			}
			var lines []packLine
			for _, id := range ids {
				p, err := rules.Load(id)
				if err != nil {
					return err
				}
				lines = append(lines, packLine{ID: p.ID(), Hash: p.Hash(), Title: p.Title.EN})
			}
			return cli.Out(cmd, lines, func(w io.Writer) {
				for _, l := range lines {
					fmt.Fprintf(w, "%-12s %s  %s\n", l.ID, l.Hash, l.Title)
				}
			})
		},
	}
}

// checkedPack is what became of one file.
type checkedPack struct {
	File     string          `json:"file"`
	Good     bool            `json:"good"`
	ID       string          `json:"id,omitempty"`
	Hash     string          `json:"hash,omitempty"`
	Title    string          `json:"title,omitempty"`
	Problems []rules.Problem `json:"problems"`
}

func rulesCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check FILE…", Short: "check pack files as a whole", Args: cobra.MinimumNArgs(1),
		Long: `check reads each file strictly and reports everything that is wrong with it: unknown
members, codes that lead nowhere, numbers without a source, and rules that read
what is sealed. The hash is the one that pack.adopt witnesses.`,
		Example: `  odzivd rules check packs/rs-a.toml`,
		RunE: func(cmd *cobra.Command, files []string) error {
			list := []checkedPack{}
			problems := 0
			for _, file := range files {
				c, err := checkFile(file)
				if err != nil {
					return err
				}
				problems += len(c.Problems)
				list = append(list, c)
			}
			if err := cli.Out(cmd, list, func(w io.Writer) { printChecked(w, list) }); err != nil || problems == 0 {
				return err
			}
			if cli.JSON(cmd) {
				return cli.Ended(cli.Failed)
			}
			return cli.Hint(fmt.Errorf("%d problem(s)", problems), "each line above names the place; internal/rules/FORMAT.md describes the members")
		},
	}
}

func checkFile(file string) (checkedPack, error) {
	p, err := loadFile(file)
	if invalid := (*rules.Invalid)(nil); errors.As(err, &invalid) {
		return checkedPack{File: file, Problems: invalid.Problems}, nil
	}
	if err != nil {
		return checkedPack{}, err
	}
	return checkedPack{File: file, Good: true, ID: p.ID(), Hash: p.Hash(), Title: p.Title.EN, Problems: []rules.Problem{}}, nil
}

func printChecked(w io.Writer, list []checkedPack) {
	for _, c := range list {
		if c.Good {
			fmt.Fprintf(w, "good: %s %s\n", c.ID, c.Hash)
		}
		for _, p := range c.Problems {
			fmt.Fprintf(w, "%s:%d: %s\n", c.File, p.Line, p)
		}
	}
}

func loadFile(file string) (*rules.Pack, error) {
	data, err := cli.ReadFile(file, rules.MaxSize)
	if err != nil {
		return nil, err
	}
	return rules.Parse(filepath.Base(file), data)
}

func rulesPrint() *cobra.Command {
	var format, lang string
	cmd := &cobra.Command{
		Use: "print PACK", Short: "print a pack as a document a lawyer can read", Args: cobra.ExactArgs(1),
		Long:    `print renders a shipped pack (by id) or a pack file: who owes what to whom, by when, why.`,
		Example: "  odzivd rules print rs-a@1 --lang sr --format html > rs-a.html\n  odzivd rules print packs/draft.toml",
		RunE: func(cmd *cobra.Command, args []string) error {
			if cli.JSON(cmd) {
				return cli.UsageError("a document is not JSON: leave out --json, or read the pack file itself")
			}
			if !slices.Contains([]string{"md", "html"}, format) || !slices.Contains([]string{"en", "sr", "sr-latn"}, lang) {
				return cli.UsageError("--format is md or html, --lang is en, sr or sr-latn")
			}
			p, err := findPack(args[0])
			if err != nil {
				return err
			}
			return rules.Print(cmd.OutOrStdout(), p, format, lang)
		},
	}
	cmd.Flags().StringVar(&format, "format", "md", "md or html")
	cmd.Flags().StringVar(&lang, "lang", "en", "en, sr or sr-latn")
	return cmd
}

// findPack is a shipped pack, by its id, or a pack file.
func findPack(name string) (*rules.Pack, error) {
	p, err := rules.Load(name)
	if err == nil {
		return p, nil
	}
	p, err = loadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cli.Hint(fmt.Errorf("%.80q is neither a shipped pack nor a file", name), "list the shipped packs with: odzivd rules list")
	}
	return p, cli.Hint(err, "see all that is wrong with it with: odzivd rules check %s", name)
}
