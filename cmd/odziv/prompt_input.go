package main

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/odziv/odziv/internal/cli"
)

// maxLine bounds a line typed, in bytes.
const maxLine = 16 << 10

// console gives lines typed to whoever asks: the prompt, or a command that asks a
// question. It reads only when asked, so that a passphrase can be read beside it,
// and what a command did not take is the prompt's.
type console struct {
	in    io.Reader
	asked chan struct{}
	lines chan string
}

func newConsole(in io.Reader) *console {
	c := &console{in: in, asked: make(chan struct{}), lines: make(chan string)}
	go c.pump()
	return c
}

// pump reads one line each time that somebody asked. It takes no question while it
// waits for the answer to another, so that nothing is read ahead.
func (c *console) pump() {
	defer close(c.lines)
	in := bufio.NewReaderSize(c.in, maxLine)
	for range c.asked {
		text, err := in.ReadString('\n')
		if text != "" {
			c.lines <- text
		}
		if err != nil {
			return
		}
	}
}

// reader is the input of one command: it ends when the command does.
func (c *console) reader(done <-chan struct{}) io.Reader { return &lineReader{c: c, done: done} }

type lineReader struct {
	c    *console
	done <-chan struct{}
	rest string
}

func (r *lineReader) Read(p []byte) (int, error) {
	for r.rest == "" {
		select {
		case <-r.done: // not even if a line is there: it is the prompt's
			return 0, io.EOF
		default:
		}
		select {
		case <-r.done:
			return 0, io.EOF
		case r.c.asked <- struct{}{}:
		case line, ok := <-r.c.lines:
			if !ok {
				return 0, io.EOF
			}
			r.rest = line
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// splitLine splits a line into words as a shell does, as far as one needs here:
// quotes, single or double, keep blanks; a backslash keeps the next sign, outside
// of single quotes. Nothing is expanded.
func splitLine(line string) ([]string, error) {
	if !utf8.ValidString(line) || strings.ContainsRune(line, 0) {
		return nil, cli.UsageError("this line is not text")
	}
	var words []string
	var word strings.Builder
	var quote rune
	begun, escaped := false, false
	for _, r := range strings.TrimRight(line, "\r\n") {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, begun = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, begun = r, true
		case r == ' ' || r == '\t':
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quote != 0 || escaped {
		return nil, cli.Hint(errors.New("a quote in this line does not end"), "end it with the sign that it began with, or put the text into a file")
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}
