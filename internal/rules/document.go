package rules

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"strings"
)

// document is what a printed pack is made of, whatever it is written as.
type document interface {
	start(title, lang string)
	heading(level int, text string)
	paragraph(text string)
	table(header []string, rows [][]string)
	end() error
}

func newDocument(w io.Writer, format string) (document, error) {
	switch format {
	case "md":
		return &markdown{bufio.NewWriter(w)}, nil
	case "html":
		return &page{bufio.NewWriter(w)}, nil
	}
	return nil, fmt.Errorf("rules: print: %q is no format; use md or html", clip(format))
}

// markdown writes CommonMark with GFM tables.
type markdown struct{ w *bufio.Writer }

// mdEscape keeps a text of the pack from becoming markup.
var mdEscape = strings.NewReplacer(`\`, `\\`, `|`, `\|`, `*`, `\*`, `_`, `\_`, "`", "\\`", `<`, `&lt;`, `>`, `&gt;`, `[`, `\[`, `]`, `\]`, `#`, `\#`)

func (d *markdown) start(title, _ string) { fmt.Fprintf(d.w, "# %s\n", mdEscape.Replace(title)) }

func (d *markdown) heading(level int, text string) {
	fmt.Fprintf(d.w, "\n%s %s\n", strings.Repeat("#", level), mdEscape.Replace(text))
}

func (d *markdown) paragraph(text string) { fmt.Fprintf(d.w, "\n%s\n", mdEscape.Replace(text)) }

func (d *markdown) table(header []string, rows [][]string) {
	d.w.WriteByte('\n')
	d.row(header)
	d.w.WriteString(strings.Repeat("|---", len(header)) + "|\n")
	for _, r := range rows {
		d.row(r)
	}
}

func (d *markdown) row(cells []string) {
	for _, c := range cells {
		fmt.Fprintf(d.w, "| %s ", strings.ReplaceAll(mdEscape.Replace(c), "\n", "<br>"))
	}
	d.w.WriteString("|\n")
}

func (d *markdown) end() error { return d.w.Flush() }

// page writes one HTML file that needs nothing else: no script, no request.
type page struct{ w *bufio.Writer }

const style = `body{font:16px/1.5 serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#111}
h1,h2,h3{font-family:sans-serif;line-height:1.2}h2{border-bottom:1px solid #999;margin-top:2.5rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}
th,td{border:1px solid #999;padding:.3rem .5rem;text-align:left;vertical-align:top}th{background:#eee}
@media print{body{margin:0;max-width:none;font-size:11pt}h3,tr{break-inside:avoid}}`

func (d *page) start(title, lang string) {
	t := html.EscapeString(title)
	fmt.Fprintf(d.w, "<!DOCTYPE html>\n<html lang=%q>\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>%s</title>\n<style>\n%s\n</style>\n</head>\n<body>\n<h1>%s</h1>\n", lang, t, style, t)
}

func (d *page) heading(level int, text string) {
	fmt.Fprintf(d.w, "<h%d>%s</h%d>\n", level, html.EscapeString(text), level)
}

func (d *page) paragraph(text string) { fmt.Fprintf(d.w, "<p>%s</p>\n", html.EscapeString(text)) }

func (d *page) table(header []string, rows [][]string) {
	d.w.WriteString("<table>\n<thead><tr>")
	for _, c := range header {
		fmt.Fprintf(d.w, "<th scope=\"col\">%s</th>", html.EscapeString(c))
	}
	d.w.WriteString("</tr></thead>\n<tbody>\n")
	for _, r := range rows {
		d.w.WriteString("<tr>")
		for _, c := range r {
			fmt.Fprintf(d.w, "<td>%s</td>", strings.ReplaceAll(html.EscapeString(c), "\n", "<br>"))
		}
		d.w.WriteString("</tr>\n")
	}
	d.w.WriteString("</tbody>\n</table>\n")
}

func (d *page) end() error {
	d.w.WriteString("</body>\n</html>\n")
	return d.w.Flush()
}
