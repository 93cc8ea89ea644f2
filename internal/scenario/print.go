package scenario

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/odziv/odziv/internal/script"
)

// Languages in which a story can be told.
const (
	English      = "en"
	Serbian      = "sr"      // Cyrillic
	SerbianLatin = "sr-latn" // derived from the Cyrillic by rule
)

// Tell writes the stories of a result for people.
func Tell(w io.Writer, r *Result, lang string) {
	p := &printer{w: w, lang: lang}
	for _, s := range r.Stories {
		p.story(s)
	}
}

type printer struct {
	w    io.Writer
	lang string
}

// text is a text in the printer's language.
func (p *printer) text(t Text) string {
	switch p.lang {
	case English:
		return t.EN
	case SerbianLatin:
		return script.Latin(t.SR)
	}
	return t.SR
}

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) }

func (p *printer) story(s *Story) {
	title := strings.ToUpper(s.ID) + "  " + p.text(s.Title)
	p.line("%s\n%s", title, strings.Repeat("─", len([]rune(title))))
	for _, e := range s.Entries {
		p.entry(e)
	}
	p.line("\n  ✓ %s\n", p.text(say("held", s.Held)))
}

func (p *printer) entry(e *Entry) {
	if e.Note == (Text{}) && len(e.Lines) == 0 {
		return
	}
	p.line("\n%s", p.text(e.When))
	if e.Note != (Text{}) {
		p.wrap("  ", "  ", p.text(e.Note))
	}
	for _, l := range e.Lines {
		p.wrap(bullets[l.Sort], "      ", p.text(l.Text))
	}
}

// bullets begin a line by its sort.
var bullets = map[string]string{"did": "    • ", "opened": "    + ", "overdue": "    ! ", "because": "      ", "refused": "    ✗ "}

// width of a line, in characters.
const width = 100

// wrap writes text in lines of at most width, the first after one prefix and the
// others after another.
func (p *printer) wrap(first, other, text string) {
	line := first
	empty := true
	for _, word := range strings.Fields(text) {
		if !empty && len([]rune(line))+1+len([]rune(word)) > width {
			p.line("%s", line)
			line, empty = other, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	p.line("%s", line)
}

// TellMissing writes the table of missing replies, oldest first.
func TellMissing(w io.Writer, r *Result, lang string) {
	p := &printer{w: w, lang: lang}
	loc := r.loc
	p.line("%s\n", p.text(say("missing", momentText(r.Now, loc), len(r.Missing))))
	rows := [][]string{{"", p.word("what"), p.word("owed-by"), p.word("owed-to"), p.word("since"), p.word("days"), p.word("level")}}
	list := slices.Clone(r.Missing)
	slices.SortStableFunc(list, func(a, b MissingReply) int { return cmp.Compare(a.Due, b.Due) })
	for _, m := range list {
		level := strconv.Itoa(m.Level)
		if m.Level < 0 {
			level = "-"
		}
		rows = append(rows, []string{m.Scenario, p.text(m.Name), m.By, m.To, Local(m.Due, loc), strconv.Itoa(m.LateDays), level})
	}
	p.table(rows)
	p.line("")
	p.wrap("  ", "  ", p.word("levels"))
	p.wrap("  ", "  ", p.text(say("ledger", r.Institutions, r.Desks, r.Directory, r.Evidence)))
}

func (p *printer) word(key string) string { return p.text(phrases[key]) }

// table aligns rows, the first being the head.
func (p *printer) table(rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString("  " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		p.line("%s", strings.TrimRight(b.String(), " "))
		if n == 0 {
			total := 0
			for _, width := range widths {
				total += width + 2
			}
			p.line("  %s", strings.Repeat("─", total-2))
		}
	}
}
