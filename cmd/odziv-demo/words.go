package main

import (
	"fmt"
	"io"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/scenario"
	"github.com/odziv/odziv/internal/script"
)

var banner = scenario.Text{
	EN: "This is a demonstration. Nobody witnesses the ledger, one key is the council, and passphrases lie\nbeside the keystores: nothing in it is safe.",
	SR: "Ово је приказ. Књигу нико не сведочи, савет је један кључ, а лозинке стоје поред кључева:\nништа у њему није безбедно.",
}

// verifies says what became of the audit bundle.
func verifies(verified bool) scenario.Text {
	if verified {
		return scenario.Text{EN: "The audit bundle, verified offline with nothing but the hash of the genesis:",
			SR: "Ревизорски пакет, проверен ван мреже, само помоћу отиска почетног уноса:"}
	}
	return scenario.Text{EN: "THE AUDIT BUNDLE DOES NOT VERIFY:", SR: "РЕВИЗОРСКИ ПАКЕТ НИЈЕ ИСПРАВАН:"}
}

func (p *program) text(t scenario.Text) string {
	if p.lang == scenario.English {
		return t.EN
	}
	return p.latin(t.SR)
}

// latin turns Cyrillic into Latin where that is wanted.
func (p *program) latin(s string) string {
	if p.lang == scenario.SerbianLatin {
		return script.Latin(s)
	}
	return s
}

// reportLang is the language of a verifier's report.
func (p *program) reportLang() string {
	if p.lang == scenario.English {
		return audit.English
	}
	return audit.Serbian
}

// tellFiles says where everything lies and how to look at it.
func (p *program) tellFiles(out io.Writer, s *shown) {
	const desk = "swc-kragujevac.legal"
	say := func(en, sr string, args ...any) {
		fmt.Fprintf(out, p.text(scenario.Text{EN: en, SR: sr})+"\n", args...)
	}
	say("\nAudit bundle   %s\nServer         %s\nOfficers       %s\nPhonebook      %s",
		"\nРевизорски пакет   %s\nСервер             %s\nСлужбеници         %s\nИменик             %s",
		s.Audit.File, s.Homes.Server, s.Homes.Folder, s.Homes.Phonebook)
	if s.URL == "" {
		return
	}
	say("\nThe exchange keeps running at %s, on the stories' clock. From another terminal, as the\nlegal service of the social welfare center in Kragujevac:\n",
		"\nРазмена и даље ради на %s, по часовнику прича. Из другог терминала, као правна служба\nЦентра за социјални рад Крагујевац:\n", s.URL)
	home := s.Homes.Officers[desk]
	fmt.Fprintf(out, "  export ODZIV_HOME=%s ODZIV_PASSPHRASE_FILE=%s/passphrase\n", home, home)
	fmt.Fprintf(out, "  go run ./cmd/odziv --demo owed\n  go run ./cmd/odziv --demo status\n  go run ./cmd/odziv-verify %s --genesis %s\n", s.Audit.File, s.Audit.Report.Genesis)
	say("\nCtrl-C ends the demonstration.", "\nCtrl-C завршава приказ.")
}
