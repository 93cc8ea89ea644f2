package ceremony

import (
	"fmt"
	"html"
	"strings"

	"github.com/odziv/odziv/internal/script"
)

// Script is the language and script of a sheet.
type Script string

// The scripts. Latin is derived from Cyrillic, never written by hand.
const (
	English  Script = "en"
	Cyrillic Script = "sr-Cyrl"
	Latin    Script = "sr-Latn"
)

// Scripts lists them.
var Scripts = []Script{English, Cyrillic, Latin}

// phrase is one text in the languages of the sheets.
type phrase struct{ en, sr string }

func (s Script) say(p phrase) string {
	switch s {
	case Cyrillic:
		return p.sr
	case Latin:
		return script.Latin(p.sr)
	}
	return p.en
}

// Sheet is a page of paper: what is compared, and lines to fill in by hand. No
// sheet holds a person's name.
type Sheet struct {
	script Script
	title  phrase
	parts  []part
}

// A part is one element of a sheet.
type part struct {
	kind   partKind
	label  phrase
	text   string // for facts: as it stands, in no language
	phrase phrase // for facts and paragraphs: in the language of the sheet
}

type partKind int

const (
	heading     partKind = iota
	paragraph            // phrase
	fact                 // label, then text or phrase
	fingerprint          // label and text, 64 hexadecimal digits
	check                // a box to tick: phrase
	fill                 // a line to fill in: label
	signature            // place for a signature by hand: label
)

func (s *Sheet) add(parts ...part) {
	for _, p := range parts {
		p.text = visible(p.text)
		s.parts = append(s.parts, p)
	}
}

func (s *Sheet) say(p phrase) string { return s.script.say(p) }

// width of a sheet in plain text.
const width = 78

// Text is the sheet for any printer: at most 78 columns, but for keys, which are
// never broken.
func (s *Sheet) Text() string {
	var b strings.Builder
	title := s.say(s.title)
	fmt.Fprintf(&b, "%s\n%s\n", title, strings.Repeat("=", len([]rune(title))))
	for _, p := range s.parts {
		s.textPart(&b, p)
	}
	return b.String()
}

func (s *Sheet) textPart(b *strings.Builder, p part) {
	label := s.say(p.label)
	switch p.kind {
	case heading:
		fmt.Fprintf(b, "\n\n%s\n%s\n", label, strings.Repeat("-", len([]rune(label))))
	case paragraph:
		fmt.Fprintf(b, "\n%s\n", wrapped(s.say(p.phrase), ""))
	case fact:
		fmt.Fprintf(b, "\n%s:\n%s\n", label, wrapped(p.text+s.say(p.phrase), "    "))
	case fingerprint:
		fmt.Fprintf(b, "\n%s\n\n", label)
		for _, row := range rows(p.text) {
			fmt.Fprintf(b, "        %s\n", strings.ReplaceAll(row, " ", "   "))
		}
		fmt.Fprintf(b, "\n    [ ] %s   [ ] %s\n", s.say(readAloud), s.say(sameOnPaper))
	case check:
		fmt.Fprintf(b, "\n%s\n", wrapped("[ ] "+s.say(p.phrase), "    "))
	case fill:
		fmt.Fprintf(b, "\n%s\n", ruled(label, width))
	case signature:
		fmt.Fprintf(b, "\n\n%s\n", ruled(label, width))
	}
}

// ruled is a label and a line to write on.
func ruled(label string, width int) string {
	return label + " " + strings.Repeat("_", max(20, width-1-len([]rune(label))))
}

// wrapped breaks lines between words.
func wrapped(text, indent string) string {
	var lines []string
	for row := range strings.SplitSeq(text, "\n") {
		line := indent
		for _, word := range strings.Fields(row) {
			if len([]rune(line))+1+len([]rune(word)) > width && strings.TrimSpace(line) != "" {
				lines, line = append(lines, line), indent
			}
			if strings.TrimSpace(line) != "" {
				line += " "
			}
			line += word
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// style is for a black-and-white printer and A4. A fingerprint, a signature and
// what explains it never part at the end of a page.
const style = `@page{size:A4;margin:14mm 16mm}
*{box-sizing:border-box}
body{font:10.5pt/1.38 "Noto Sans","DejaVu Sans",Arial,sans-serif;color:#000;background:#fff;max-width:178mm;margin:0 auto}
h1{font-size:17pt;line-height:1.2;margin:0 0 5mm;padding-bottom:2mm;border-bottom:1.2pt solid #000}
h2{font-size:12.5pt;margin:6mm 0 1.5mm;break-after:avoid}
p{margin:1.8mm 0}
dl{margin:1.2mm 0;break-inside:avoid;display:grid;grid-template-columns:48mm 1fr;column-gap:3mm}dt{font-weight:700}dd{margin:0;overflow-wrap:anywhere;white-space:pre-line}
dd.raw{font-family:"DejaVu Sans Mono","Liberation Mono",monospace;font-size:9.5pt}
figure{margin:3mm 0;padding:2.5mm 4mm;border:.8pt solid #000;break-inside:avoid}
figcaption{font-weight:700;margin-bottom:2mm}
pre{font:700 17pt/1.4 "DejaVu Sans Mono","Liberation Mono",monospace;margin:0;text-align:center;word-spacing:.35em}
.box{display:inline-block;width:4.2mm;height:4.2mm;border:1pt solid #000;vertical-align:-.6mm;margin-right:2mm}
.ticks{margin:2mm 0 0;text-align:center}.ticks span.tick{margin:0 6mm;white-space:nowrap}
.tick.own{display:block;padding-left:6.2mm;text-indent:-6.2mm;margin:2mm 0;break-inside:avoid}.own .box{text-indent:0}
figure:has(+.fill){break-after:avoid}
.fill{display:flex;align-items:flex-end;gap:3mm;margin-top:3mm;break-inside:avoid}
.fill i{flex:1;border-bottom:.8pt solid #000;min-width:50mm;height:6mm}
.sign{margin-top:6mm}
footer{margin-top:8mm;font-size:9pt}
`

// HTML is the sheet as one file that needs no other: for printing on A4.
func (s *Sheet) HTML() string {
	var b strings.Builder
	title := html.EscapeString(s.say(s.title))
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>%s</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>%s</h1>\n",
		s.script, title, style, title)
	for _, p := range s.parts {
		s.htmlPart(&b, p)
	}
	b.WriteString("</body>\n</html>\n")
	return b.String()
}

func (s *Sheet) htmlPart(b *strings.Builder, p part) {
	label := html.EscapeString(s.say(p.label))
	switch p.kind {
	case heading:
		fmt.Fprintf(b, "<h2>%s</h2>\n", label)
	case paragraph:
		fmt.Fprintf(b, "<p>%s</p>\n", html.EscapeString(s.say(p.phrase)))
	case fact:
		class := ""
		if p.text != "" {
			class = ` class="raw"`
		}
		fmt.Fprintf(b, "<dl><dt>%s</dt><dd%s>%s</dd></dl>\n", label, class, html.EscapeString(p.text+s.say(p.phrase)))
	case fingerprint:
		fmt.Fprintf(b, "<figure><figcaption>%s</figcaption>\n<pre>%s</pre>\n<p class=\"ticks\">", label, strings.Join(rows(html.EscapeString(p.text)), "\n"))
		for _, tick := range []phrase{readAloud, sameOnPaper} {
			fmt.Fprintf(b, `<span class="tick"><span class="box"></span>%s</span>`, html.EscapeString(s.say(tick)))
		}
		b.WriteString("</p></figure>\n")
	case check:
		fmt.Fprintf(b, "<span class=\"tick own\"><span class=\"box\"></span>%s</span>\n", html.EscapeString(s.say(p.phrase)))
	case fill:
		fmt.Fprintf(b, "<div class=\"fill\"><span>%s</span><i></i></div>\n", label)
	case signature:
		fmt.Fprintf(b, "<div class=\"fill sign\"><span>%s</span><i></i></div>\n", label)
	}
}
