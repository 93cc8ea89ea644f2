package ceremony

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// Line is one fact of a statement in words.
type Line struct {
	Label string `json:"label"`
	Text  string `json:"text"`

	members []string // of the statement that it tells
}

// Words are a statement as people read it before they sign. Every member of the
// statement is told by one of the lines; one that this program has no words for
// is told as it stands.
type Words struct {
	Title    string   `json:"title"`
	Lines    []Line   `json:"lines"`
	Warnings []string `json:"warnings"` // what is dangerous in it
}

// Teller tells statements to one person.
type Teller struct {
	Dir  *directory.State       // as this person verified it; nil where there is none yet
	Call func(id string) string // what people here call an id, "" if nothing; may be nil
	Zone *time.Location         // of times; nil is UTC
}

// labelWidth is the width of the labels on a terminal.
const labelWidth = 24

// Print writes the words for a terminal of 80 columns: a title, one fact a line,
// what is dangerous last.
func (w Words) Print(to io.Writer) {
	fmt.Fprintf(to, "%s\n\n", visible(w.Title))
	for _, l := range w.Lines {
		for i, row := range strings.Split(visible(l.Text), "\n") {
			label := visible(l.Label)
			if i > 0 {
				label = ""
			}
			printRow(to, label, row)
		}
	}
	for _, text := range w.Warnings {
		fmt.Fprintf(to, "\n  ! %s\n", strings.TrimSpace(wrapped(visible(text), "    ")))
	}
}

// visible spells out every character that does not print: what moves a cursor,
// turns the direction of writing or hides itself would let a statement look like
// another.
func visible(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !utf8.ValidString(text[i:min(len(text), i+3)]):
			fmt.Fprintf(&b, "\\x%02x", text[i])
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "\\u{%x}", r)
		}
	}
	return b.String()
}

// printRow breaks a fingerprint into two lines, which the eye compares more
// easily; everything else stays whole, so that it can be searched and copied.
func printRow(to io.Writer, label, row string) {
	const fingerprint = 64 + 15
	if i := len(row) - fingerprint; i >= 0 && isFingerprint(row[i:]) {
		fmt.Fprintf(to, "  %-*s %s%s\n  %-*s %*s%s\n", labelWidth, label, row[:i], row[i:i+39], labelWidth, "", i, "", row[i+40:])
		return
	}
	fmt.Fprintf(to, "  %-*s %s\n", labelWidth, label, row)
}

func isFingerprint(s string) bool {
	return statement.IsHash(strings.ReplaceAll(s, " ", "")) && strings.Count(s, " ") == 15
}

// telling is one statement on its way into words.
type telling struct {
	Teller
	view directory.View
	w    Words
}

// Tell puts a statement into words.
func (t Teller) Tell(body directory.Body) Words {
	g := &telling{Teller: t}
	if t.Dir != nil {
		g.view = t.Dir.View
	}
	g.body(body)
	g.head(body)
	g.restOf(reflect.ValueOf(body).Elem())
	if g.w.Warnings == nil {
		g.w.Warnings = []string{}
	}
	return g.w
}

func (g *telling) body(body directory.Body) {
	switch b := body.(type) {
	case *directory.Genesis:
		g.genesis(b)
	case *directory.Policy:
		g.policy(b)
	case *directory.DelegateRevoke:
		g.delegateRevoke(b)
	case *directory.InstJoin:
		g.instJoin(b)
	case *directory.InstProfile:
		g.instProfile(b)
	case *directory.InstRoot:
		g.instRoot(b)
	case *directory.InstRegistrars:
		g.instRegistrars(b)
	case *directory.InstCustodians:
		g.instCustodians(b)
	case *directory.InstObserver:
		g.instObserver(b)
	case *directory.OfficerEnrol:
		g.officerEnrol(b)
	case *directory.OfficerRevoke:
		g.officerRevoke(b)
	case *directory.Card:
		g.card(b)
	case *directory.DeskProfile:
		g.deskProfile(b)
	case *directory.DeskMembers:
		g.deskMembers(b)
	case *directory.DeskRota:
		g.deskRota(b)
	case *directory.DeskEpoch:
		g.deskEpoch(b)
	case *directory.DeskEpochAck:
		g.deskEpochAck(b)
	case *directory.DeskEpochDispute:
		g.deskEpochDispute(b)
	case *directory.PackAdopt:
		g.packAdopt(b)
	case *directory.CalendarDay:
		g.calendarDay(b)
	case *directory.AuditGrant:
		g.auditGrant(b)
	}
}

// HeadOf is the head of a statement.
func HeadOf(body directory.Body) directory.Head {
	h, _ := reflect.ValueOf(body).Elem().FieldByName("Head").Interface().(directory.Head)
	return h
}

// head tells when it was prepared and on what it builds.
func (g *telling) head(body directory.Body) {
	h := HeadOf(body)
	entries := "entries"
	if h.DirN == 1 {
		entries = "entry"
	}
	g.line("prepared", fmt.Sprintf("%s, on a directory of %d %s", g.when(h.At), h.DirN, entries), "at", "dirn")
	if h.Prev == "" {
		g.line("follows", "nothing: it is the first statement about its subject", "prev")
	} else {
		g.line("follows", "the entry "+Fingerprint(h.Prev), "prev")
	}
	g.line("form", fmt.Sprintf("%s, version %d", h.T, h.V), "t", "v")
	if g.w.Title == "" {
		g.w.Title = "A statement that this program has no words for: " + h.T
		g.warn("this program is older than the statement: do not sign what you do not understand")
	}
}

// restOf tells, as it stands, every member that no line told.
func (g *telling) restOf(body reflect.Value) {
	told := map[string]bool{}
	for _, l := range g.w.Lines {
		for _, m := range l.members {
			told[m] = true
		}
	}
	all := members(body)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !told[name] {
			text, _ := json.Marshal(all[name])
			g.line("also says", name+" = "+string(text), name)
		}
	}
}

// members are the members of a statement that stand in its payload, by their
// names there. An optional one that is absent is left out.
func members(v reflect.Value) map[string]any {
	list := map[string]any{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			for k, x := range members(v.Field(i)) {
				list[k] = x
			}
		case strings.Contains(options, "omitempty") && v.Field(i).IsZero():
		default:
			list[name] = v.Field(i).Interface()
		}
	}
	return list
}

func (g *telling) title(format string, args ...any) { g.w.Title = fmt.Sprintf(format, args...) }

func (g *telling) line(label, text string, members ...string) {
	g.w.Lines = append(g.w.Lines, Line{label, text, members})
}

func (g *telling) warn(format string, args ...any) {
	g.w.Warnings = append(g.w.Warnings, fmt.Sprintf(format, args...))
}

// called is what people call an id, with the id itself: the label is theirs, only
// the id is signed.
func (t Teller) called(id string) string {
	if id == "" {
		return "nobody"
	}
	if t.Call != nil {
		if name := t.Call(id); name != "" && name != id {
			return fmt.Sprintf("%s (%s)", name, id)
		}
	}
	return id
}

// Called is what people call an id, with the id itself.
func (t Teller) Called(id string) string { return t.called(id) }

func (t Teller) calledAll(ids []string) string {
	if len(ids) == 0 {
		return "nobody"
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = t.called(id)
	}
	return strings.Join(names, ", ")
}

func (t Teller) when(ms int64) string {
	zone := t.Zone
	if zone == nil {
		zone = time.UTC
	}
	return time.UnixMilli(ms).In(zone).Format("2006-01-02 15:04:05 MST")
}

// until tells an exclusive end.
func (t Teller) span(from, until int64) string {
	return fmt.Sprintf("from %s until %s", t.when(from), t.when(until))
}

// Who tells whose a key is.
func (t Teller) Who(keyID string) string {
	print := Short(DigestOf(keyID))
	if t.Dir == nil {
		return "the key " + print
	}
	if o, ok := t.Dir.OfficerByKey(keyID); ok && o.Revoked() {
		return fmt.Sprintf("the revoked key %s of %s", print, t.called(o.U))
	}
	a, ok := t.Dir.Actor(keyID)
	switch {
	case !ok:
		return fmt.Sprintf("the key %s, which the directory does not name", print)
	case a.Kind == directory.KindOfficer && slices.ContainsFunc(t.Dir.Registrars(a.Inst), keyIs(keyID)):
		return fmt.Sprintf("the registrar and officer %s of %s (key %s)", t.called(a.Officer), t.called(a.Inst), print)
	case a.Kind == directory.KindOfficer:
		return fmt.Sprintf("the officer %s of %s (key %s)", t.called(a.Officer), t.called(a.Inst), print)
	case a.Kind == directory.KindCouncil:
		return fmt.Sprintf("a member of the council (key %s)", print)
	}
	return fmt.Sprintf("a %s of %s (key %s)", a.Kind, t.called(a.Inst), print)
}

func keyIs(keyID string) func(ed25519.PublicKey) bool {
	return func(k ed25519.PublicKey) bool { return statement.KeyID(k) == keyID }
}

// TellEvent puts a statement of the evidence log into words: which event, and
// each of its members on a line of its own.
func (t Teller) TellEvent(event string, payload []byte) (Words, error) {
	var all map[string]any
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.UseNumber()
	if err := dec.Decode(&all); err != nil {
		return Words{}, fmt.Errorf("ceremony: %w", err)
	}
	w := Words{Title: "An entry of the evidence log: " + event, Warnings: []string{}}
	t.flatten(&w, "", all)
	return w, nil
}

// flatten tells every member, those of members with a path.
func (t Teller) flatten(w *Words, path string, v any) {
	switch x := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(x)) {
			t.flatten(w, strings.TrimPrefix(path+"."+name, "."), x[name])
		}
		if len(x) == 0 {
			w.Lines = append(w.Lines, Line{Label: path, Text: "none"})
		}
	case []any:
		var parts []string
		for i, element := range x {
			if _, nested := element.(map[string]any); nested {
				t.flatten(w, fmt.Sprintf("%s %d", path, i+1), element)
				continue
			}
			parts = append(parts, t.value(element))
		}
		if len(parts) > 0 || len(x) == 0 {
			w.Lines = append(w.Lines, Line{Label: path, Text: cmp.Or(strings.Join(parts, ", "), "none")})
		}
	default:
		w.Lines = append(w.Lines, Line{Label: path, Text: t.value(x)})
	}
}

// value tells an id with its label and a time as one.
func (t Teller) value(v any) string {
	switch x := v.(type) {
	case string:
		if statement.IsID(x, statement.Institution, statement.Desk, statement.Officer) {
			return t.called(x)
		}
		return x
	case json.Number:
		if ms, err := x.Int64(); err == nil && ms > 1e12 && ms < 1e14 {
			return fmt.Sprintf("%s (%d)", t.when(ms), ms)
		}
		return x.String()
	case bool:
		if x {
			return "yes"
		}
		return "no"
	}
	text, _ := json.Marshal(v)
	return string(text)
}
