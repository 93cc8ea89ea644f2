package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/scenario/demo"
)

// ready is the answer of setup.
type ready struct {
	Demo    bool        `json:"demo"`
	Dir     string      `json:"dir"`
	URL     string      `json:"url"`
	Genesis string      `json:"genesis"`
	Homes   *demo.Homes `json:"homes"`
}

func (p *program) setupCommand() *cobra.Command {
	var listen string
	var codes []string
	cmd := &cobra.Command{
		Use:   "setup --dir DIR",
		Short: "found a demonstration's institutions on disk, for odzivd and odziv",
		Long: `setup founds the institutions of the demonstration directory, opens their desks,
enrolls two officers at each, and leaves a folder that the programs use:

  DIR/server/                       for odzivd serve --dir
  DIR/officers/swc-nis.legal/       home of the desk's first officer, for odziv --home
  DIR/officers/swc-nis.legal-2/     of its second
  DIR/authorities/                  keystores of council, delegates, roots, registrars
  DIR/phonebook.json                desk name to identifier

Each home holds keystore.age, the passphrase beside it, exchange.json with the pin of
the exchange, and names.json, so that desks can be called by name. Time is the real
one. Programs refuse a demonstration unless told --demo.`,
		Example: `  odziv-demo setup --dir ~/odziv-demo --all
  odziv-demo setup --dir ~/odziv-demo --institution swc-nis --institution hppo-nis
  odzivd serve --dir ~/odziv-demo/server --listen 127.0.0.1:8443
  odziv --demo --home ~/odziv-demo/officers/swc-nis.legal \
    --passphrase-file ~/odziv-demo/officers/swc-nis.legal/passphrase status`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.dir == "" {
				return cli.UsageError("say where with --dir")
			}
			if p.all && len(codes) > 0 {
				return cli.UsageError("--all and --institution exclude each other")
			}
			if len(codes) == 0 && !p.all {
				codes = few
			}
			return p.setup(cmd, listen, codes)
		},
	}
	p.keep(cmd)
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8443", "address at which odzivd will serve")
	cmd.Flags().StringSliceVar(&codes, "institution", nil, "institution of the demonstration directory (default: those of Niš)")
	return cmd
}

// few is enough to try every kind of message.
var few = []string{"swc-nis", "police-nis", "hppo-nis", "hcourt-nis", "ngo-a", "ngo-b", "nes-nis", "bar-sponsor"}

// setup founds the institutions and writes the homes.
func (p *program) setup(cmd *cobra.Command, listen string, codes []string) (err error) {
	tell := newProgress(cmd)
	clock := demo.NewClock(time.Now().UnixMilli())
	clock.Run()
	w, err := demo.Open(cmd.Context(), demo.Options{Dir: p.dir, DB: p.db, Codes: codes, Clock: clock, Authority: listen, Progress: tell.step})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	r := ready{Demo: true, Dir: w.Dir, URL: "http://" + listen, Genesis: w.Genesis}
	r.Homes, err = w.WriteHomes(r.URL)
	tell.end()
	if err != nil {
		return err
	}
	return cli.Out(cmd, r, func(out io.Writer) {
		fmt.Fprintf(out, "%s\n\nfolder    %s\ngenesis   %s\ndesks     %d, see %s\n\nnext:\n", p.text(banner), r.Dir, r.Genesis, len(r.Homes.Officers), r.Homes.Phonebook)
		fmt.Fprintf(out, "  odzivd serve --dir %s --listen %s\n", r.Homes.Server, listen)
		for name, home := range r.Homes.Officers {
			if name == "swc-nis.legal" {
				fmt.Fprintf(out, "  odziv --demo --home %s --passphrase-file %s/passphrase status\n", home, home)
			}
		}
	})
}
