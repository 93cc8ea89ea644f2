package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/odziv/odziv/internal/cli"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// draftFlags are the flags that describe a message.
type draftFlags struct {
	kind, cas, re, urgency, occurred, subject, text       string
	basis, purpose, ref, necessity, hold, holdUntil       string
	to, subj, cats, facts, fields, attach, consents, acts []string
	despite                                               bool
}

func (f *draftFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.kind, "kind", "", "kind of notice, a code of the rule pack")
	fl.StringSliceVar(&f.to, "to", nil, "desks")
	fl.StringVar(&f.cas, "case", "", "case handle (default: that of the message answered, else a fresh one)")
	fl.StringSliceVar(&f.subj, "subj", nil, "handles of the persons concerned (p_…)")
	fl.StringVar(&f.re, "re", "", "message that this one answers")
	fl.StringVar(&f.basis, "basis", "", "legal basis, a code of the rule pack")
	fl.StringVar(&f.purpose, "purpose", "", "purpose, a code of the rule pack")
	fl.StringVar(&f.ref, "ref", "", "article or order")
	fl.StringVar(&f.necessity, "necessity", "", "reason code, where the basis wants one")
	fl.StringSliceVar(&f.consents, "consent", nil, "consents relied on, as k_…/VERSION")
	fl.StringSliceVar(&f.cats, "cat", nil, "data categories the message holds")
	fl.StringSliceVar(&f.facts, "fact", nil, "visible facts, as code=value")
	fl.StringArrayVar(&f.fields, "field", nil, "sealed fields of the kind, as code=value, or code=@FILE for a text in a file")
	fl.StringVar(&f.subject, "subject", "", "sealed subject line")
	fl.StringVar(&f.text, "text", "", "file with the sealed text, - for standard input")
	fl.StringArrayVar(&f.attach, "attach", nil, "files to attach")
	fl.StringVar(&f.urgency, "urgency", "", "I immediate, U urgent, R regular (default: the kind's first)")
	fl.BoolVar(&f.despite, "despite-unexpected", false, "send an immediate message although a change of who reads for your desk was not looked at")
	fl.StringVar(&f.occurred, "occurred", "", "when the act itself was, as 2006-01-02 or 2006-01-02T15:04")
	fl.StringVar(&f.hold, "hold", "", "reason code to hold the message back from representatives")
	fl.StringVar(&f.holdUntil, "hold-until", "", "until when")
	fl.StringArrayVar(&f.acts, "act", nil, "acts on obligations: fulfil=o_…:known, fulfil=RULE@m_…:known, interim=…, waive=o_…:reason")
}

// draft turns the flags into a message to be sealed.
func (s *session) draft(f *draftFlags, desk string) (office.Draft, error) {
	to, err := s.desks(f.to)
	if err != nil {
		return office.Draft{}, err
	}
	d := office.Draft{Desk: desk, Family: s.family, Kind: f.kind, Case: f.cas, Re: f.re, To: to, Cats: f.cats, Urg: f.urgency,
		Basis: messaging.Basis{Code: f.basis, Purpose: f.purpose, Ref: f.ref, Necessity: f.necessity},
		Text:  envelope.Text{Subject: f.subject}, DespiteUnexpected: f.despite}
	if len(f.subj) > 0 {
		d.Subj = f.subj
	}
	if d.Facts, err = pairs("--fact", f.facts); err != nil {
		return d, err
	}
	if d.Text.Fields, err = fieldsOf(f.fields); err != nil {
		return d, err
	}
	if d.Text.Body, err = readText(s.cmd, f.text); err != nil {
		return d, err
	}
	if d.Basis.Consents, err = consentRefs(f.consents); err != nil {
		return d, err
	}
	if d.Acts, err = parseActs(f.acts); err != nil {
		return d, err
	}
	if d.Occurred, err = s.moment(f.occurred); err != nil {
		return d, err
	}
	d.Hold, err = s.hold(f)
	return d, err
}

func (s *session) hold(f *draftFlags) (*messaging.Hold, error) {
	if (f.hold == "") != (f.holdUntil == "") {
		return nil, cli.UsageError("--hold and --hold-until belong together")
	}
	if f.hold == "" {
		return nil, nil
	}
	until, err := s.moment(f.holdUntil)
	return &messaging.Hold{Reason: f.hold, Until: until}, err
}

func pairs(flag string, list []string) (map[string]string, error) {
	m := map[string]string{}
	for _, p := range list {
		code, value, ok := strings.Cut(p, "=")
		if !ok {
			return nil, cli.UsageError("%s %q: write code=value", flag, p)
		}
		if _, twice := m[code]; twice {
			return nil, cli.UsageError("%s: %s stands there twice", flag, code)
		}
		m[code] = value
	}
	return m, nil
}

// fieldsOf reads the sealed fields. What is long, or must not stand in the list
// of a shell's commands, comes from a file.
func fieldsOf(list []string) (map[string]string, error) {
	fields, err := pairs("--field", list)
	if err != nil {
		return nil, err
	}
	for code, value := range fields {
		file, is := strings.CutPrefix(value, "@")
		if !is {
			continue
		}
		data, err := cli.ReadFile(file, maxText)
		if err != nil {
			return nil, err
		}
		fields[code] = strings.TrimRight(string(data), "\n")
	}
	return fields, nil
}

// maxText bounds the sealed text, in bytes.
const maxText = 256 << 10

func readText(cmd *cobra.Command, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	if file != "-" {
		data, err := cli.ReadFile(file, maxText)
		return string(data), err
	}
	data, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxText+1))
	if err == nil && len(data) > maxText {
		return "", cli.Hint(errors.New("the text is longer than 256 KiB"), "attach it as a file")
	}
	return string(data), err
}

func consentRefs(list []string) ([]messaging.ConsentRef, error) {
	var refs []messaging.ConsentRef
	for _, c := range list {
		id, ver, ok := strings.Cut(c, "/")
		n, err := strconv.Atoi(ver)
		if !ok || err != nil || n < 1 || !statement.IsID(id, statement.Consent) {
			return nil, cli.UsageError("--consent %q: write k_…/VERSION", c)
		}
		refs = append(refs, messaging.ConsentRef{ID: id, Ver: n})
	}
	return refs, nil
}

// parseActs reads OP=TARGET[:VALUE], TARGET being o_… or RULE@m_….
func parseActs(list []string) ([]messaging.Act, error) {
	var acts []messaging.Act
	for _, text := range list {
		op, rest, ok := strings.Cut(text, "=")
		target, value, _ := strings.Cut(rest, ":")
		if !ok || target == "" {
			return nil, cli.UsageError("--act %q: write OP=o_…:VALUE or OP=RULE@m_…:VALUE", text)
		}
		a := messaging.Act{Op: op}
		if rule, msg, of := strings.Cut(target, "@"); of {
			a.Rule, a.Of = rule, msg
		} else {
			a.ID = target
		}
		switch op {
		case messaging.OpFulfil, messaging.OpInterim:
			a.Value = value
			if value == "" {
				a.Value = "known"
			}
		case messaging.OpWaive, messaging.OpCancel, messaging.OpDispute:
			a.Reason = value
		case messaging.OpAck:
		default:
			return nil, cli.UsageError("--act %q: the operation is fulfil, interim, ack, waive, cancel or dispute", text)
		}
		acts = append(acts, a)
	}
	return acts, nil
}

// moment reads a local date or time in the zone of the rules.
func (s *session) moment(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	pack, err := s.Pack(s.family)
	if err != nil {
		return 0, err
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, text, pack.Location()); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, cli.UsageError("%q is no date or time: write 2006-01-02 or 2006-01-02T15:04", text)
}

// openFiles opens the attachments; the caller closes them.
func openFiles(names []string) ([]envelope.File, func(), error) {
	var files []envelope.File
	var opened []*os.File
	closeAll := func() {
		for _, f := range opened {
			f.Close()
		}
	}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		opened = append(opened, f)
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			closeAll()
			return nil, nil, cmp.Or(err, fmt.Errorf("%s is not a file that can be attached", name))
		}
		files = append(files, envelope.File{Name: filepath.Base(name), Type: mediaType(name), Size: info.Size(), Content: f})
	}
	return files, closeAll, nil
}

func mediaType(name string) string {
	t, _, err := mime.ParseMediaType(mime.TypeByExtension(filepath.Ext(name)))
	if err != nil {
		return "application/octet-stream"
	}
	return t
}
