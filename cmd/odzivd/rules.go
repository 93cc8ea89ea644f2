package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/rules"
)

func rulesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "check and print rule packs",
		Long:  `A rule pack holds everything legal as data. FORMAT.md of internal/rules describes it.`,
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

func rulesCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check FILE…", Short: "check pack files as a whole", Args: cobra.MinimumNArgs(1),
		Long: `check reads each file strictly and reports everything that is wrong with it: unknown
members, codes that lead nowhere, numbers without a source, and rules that read
what is sealed.`,
		Example: `  odzivd rules check packs/rs-a.toml`,
		RunE: func(cmd *cobra.Command, files []string) error {
			var lines []packLine
			for _, file := range files {
				p, err := loadFile(file)
				if err != nil {
					return err
				}
				lines = append(lines, packLine{ID: p.ID(), Hash: p.Hash(), Title: p.Title.EN})
			}
			return cli.Out(cmd, lines, func(w io.Writer) {
				for _, l := range lines {
					fmt.Fprintf(w, "good: %s %s\n", l.ID, l.Hash)
				}
			})
		},
	}
}

func loadFile(file string) (*rules.Pack, error) {
	data, err := os.ReadFile(file)
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
			p, err := rules.Load(args[0])
			if err != nil {
				var fileErr error
				if p, fileErr = loadFile(args[0]); fileErr != nil {
					return cli.Hint(fmt.Errorf("%w, and it is no pack file: %v", err, fileErr), "list the shipped packs with: odzivd rules list")
				}
			}
			return rules.Print(cmd.OutOrStdout(), p, format, lang)
		},
	}
	cmd.Flags().StringVar(&format, "format", "md", "md or html")
	cmd.Flags().StringVar(&lang, "lang", "en", "en, sr or sr-latn")
	return cmd
}
