package house

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

var draw = flag.Bool("draw", false, "draw the pictures of docs/terminal anew")

// What a person sees on the terminal is written down as text by the tests of the
// programs. Each text has a picture beside it, for people who read documents and
// not terminals, and the picture shows that text and nothing else.
func TestTerminalPictures(t *testing.T) {
	texts, err := filepath.Glob(filepath.Join(root(t), "docs", "terminal", "*.txt"))
	if err != nil || len(texts) == 0 {
		t.Fatalf("docs/terminal holds no text: %v", err)
	}
	for _, name := range texts {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want, picture := pictureOf(string(text)), strings.TrimSuffix(name, ".txt")+".svg"
		if *draw {
			if err := os.WriteFile(picture, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(picture)
		if err != nil || !bytes.Equal(have, want) {
			t.Errorf("%s is not the picture of its text (%v): go test ./internal/house -run TestTerminalPictures -draw", filepath.Base(picture), err)
		}
	}
}

// Measures of a picture, in the units of SVG.
const (
	charWidth  = 8.43 // of DejaVu Sans Mono and its like at 14
	lineHeight = 19
	margin     = 16
)

// widest is how many characters a terminal has in a line.
const widest = 112

// folded breaks a line as a terminal does.
func folded(line string) (parts []string) {
	for r := []rune(line); ; r = r[widest:] {
		if len(r) <= widest {
			return append(parts, string(r))
		}
		parts = append(parts, string(r[:widest]))
	}
}

// typed begins a line that somebody typed: whose terminal it is, and a prompt.
var typed = regexp.MustCompile(`^[a-z0-9-]* ?\$ `)

// pictureOf draws a terminal. textLength holds each line to its width whatever
// font the reader has; lines with something typed are set off.
func pictureOf(text string) []byte {
	var lines []string
	for l := range strings.Lines(strings.TrimRight(text, "\n")) {
		lines = append(lines, folded(strings.TrimSuffix(l, "\n"))...)
	}
	wide := 60
	for _, l := range lines {
		wide = max(wide, utf8.RuneCountInString(l))
	}
	width, height := int(float64(wide)*charWidth)+2*margin, len(lines)*lineHeight+2*margin
	var b bytes.Buffer
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" font-family=\"'DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"14\">\n", width, height, width, height)
	fmt.Fprintf(&b, "<rect width=\"100%%\" height=\"100%%\" rx=\"6\" fill=\"#10161d\"/>\n")
	for i, l := range lines {
		if l == "" {
			continue
		}
		color := "#d5dde5"
		if typed.MatchString(l) {
			color = "#8fd18f"
		}
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" fill=\"%s\" xml:space=\"preserve\" textLength=\"%.1f\" lengthAdjust=\"spacingAndGlyphs\">", margin, margin+14+i*lineHeight, color, float64(utf8.RuneCountInString(l))*charWidth)
		_ = xml.EscapeText(&b, []byte(l)) // a buffer takes everything
		b.WriteString("</text>\n")
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
