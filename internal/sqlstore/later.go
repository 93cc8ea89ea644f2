package sqlstore

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/lib/pq"
)

// later holds the statements of a connection to PostgreSQL whose result nobody
// needs, until one is asked that could see what they do, or until their savepoint
// or transaction ends: they are sent together, since each journey costs more than
// what is done at its end. A row that is refused is told then, within the same
// savepoint.
//
// They are sent as the text of EXECUTE, for which each is prepared once under a
// name; lib/pq sends no more than one statement with arguments at a time.
type later struct {
	text  []byte
	rows  int               // statements in text that change rows
	touch tables            // what these change
	sent  int               // how often text was sent
	names map[string]string // of statements prepared for EXECUTE
	asked map[string]tables // what a question mentions
}

func newLater() *later { return &later{names: map[string]string{}, asked: map[string]tables{}} }

// maxLater bounds the text that waits, in bytes.
const maxLater = 1 << 18

// put is exec for a statement whose result nobody needs.
func (s *session) put(ctx context.Context, query string, args ...any) error {
	l := s.conn.later
	if l == nil {
		_, err := s.exec(ctx, query, args...)
		return err
	}
	if err := s.usable(ctx); err != nil {
		return err
	}
	if err := checkText(query, args); err != nil {
		return err
	}
	name, err := s.named(ctx, query)
	if err != nil {
		return err
	}
	if l.text, err = appendExecute(l.text, name, args); err != nil {
		return err
	}
	l.rows++
	l.touch |= target(query)
	if len(l.text) > maxLater {
		return s.flush(ctx)
	}
	return nil
}

// named prepares a statement for EXECUTE on first use. A name outlives the
// transaction it was made in.
func (s *session) named(ctx context.Context, query string) (string, error) {
	l := s.conn.later
	if name, ok := l.names[query]; ok {
		return name, nil
	}
	name := "w" + strconv.Itoa(len(l.names))
	s.conn.sent++
	if _, err := s.conn.raw.ExecContext(context.WithoutCancel(ctx), "PREPARE "+name+" AS "+query); err != nil {
		return "", s.fail(query, err)
	}
	l.names[query] = name
	return name, nil
}

// appendExecute spells EXECUTE with its arguments as literals.
func appendExecute(text []byte, name string, args []any) ([]byte, error) {
	text = append(text, "EXECUTE "...)
	text = append(text, name...)
	sep := byte('(')
	for _, a := range args {
		text = append(text, sep)
		sep = ','
		switch a := a.(type) {
		case int64:
			text = strconv.AppendInt(text, a, 10)
		case int:
			text = strconv.AppendInt(text, int64(a), 10)
		case string:
			text = append(text, pq.QuoteLiteral(a)...)
		case []byte:
			text = append(text, `'\x`...)
			text = hex.AppendEncode(text, a)
			text = append(text, '\'')
		default:
			return text, fmt.Errorf("sqlstore: an argument of type %T", a)
		}
	}
	if len(args) > 0 {
		text = append(text, ')')
	}
	return append(text, ';'), nil
}

// flush sends what waits.
func (s *session) flush(ctx context.Context) error {
	l := s.conn.later
	if l == nil || len(l.text) == 0 {
		return nil
	}
	if err := s.usable(ctx); err != nil {
		return err
	}
	text := string(l.text)
	l.drop()
	l.sent++
	s.conn.sent++
	if _, err := s.conn.raw.ExecContext(context.WithoutCancel(ctx), text); err != nil {
		return s.fail("write rows", err)
	}
	return nil
}

// drop forgets what waits.
func (l *later) drop() { l.text, l.rows, l.touch = l.text[:0], 0, 0 }

// flushFor sends what waits if a question could see it.
func (s *session) flushFor(ctx context.Context, query string) error {
	l := s.conn.later
	if l == nil || l.touch == 0 {
		return nil
	}
	set, ok := l.asked[query]
	if !ok {
		set = mentioned(query)
		l.asked[query] = set
	}
	if l.touch&set == 0 {
		return nil
	}
	return s.flush(ctx)
}

// A mark is where a savepoint began.
type mark struct {
	at, rows, sent int
	touch          tables
}

// mark begins a savepoint.
func (s *session) mark(ctx context.Context, name string) (mark, error) {
	l := s.conn.later
	if l == nil {
		_, err := s.exec(ctx, "SAVEPOINT "+name)
		return mark{}, err
	}
	if err := s.usable(ctx); err != nil {
		return mark{}, err
	}
	m := mark{at: len(l.text), rows: l.rows, sent: l.sent, touch: l.touch}
	l.text = append(l.text, "SAVEPOINT "+name+";"...)
	return m, nil
}

// release ends a savepoint and keeps what was written within, which is sent so
// that it can still be gone back upon.
func (s *session) release(ctx context.Context, name string, m mark) error {
	l := s.conn.later
	if l == nil {
		_, err := s.exec(ctx, "RELEASE "+name)
		return err
	}
	if err := s.usable(ctx); err != nil {
		return err
	}
	if l.sent == m.sent && l.rows == m.rows { // nothing was written
		l.text = l.text[:m.at]
		return nil
	}
	l.text = append(l.text, "RELEASE "+name+";"...)
	if l.rows == 0 {
		return nil
	}
	return s.flush(ctx)
}

// goBack undoes what was written since a mark.
func (s *session) goBack(ctx context.Context, name string, m mark) error {
	if s.over != nil {
		return s.over
	}
	l := s.conn.later
	if l == nil {
		if _, err := s.exec(ctx, "ROLLBACK TO "+name); err != nil {
			return err
		}
		_, err := s.exec(ctx, "RELEASE "+name)
		return err
	}
	if l.sent == m.sent { // the server has seen nothing of it
		l.text, l.rows, l.touch = l.text[:m.at], m.rows, m.touch
		return nil
	}
	l.drop()
	s.refused = nil
	s.conn.sent++
	if _, err := s.conn.raw.ExecContext(ctx, "ROLLBACK TO "+name+"; RELEASE "+name); err != nil {
		return s.fail("go back to a savepoint", err)
	}
	return nil
}

// tables is a set of the tables that transactions write.
type tables uint64

var tableBits = func() map[string]tables {
	bits := map[string]tables{}
	for i, name := range strings.Fields(`access blob_chunk case_link checkpoint conflict consent_version covered entry erasure
		feed grant_ head last mark msg msg_consent msg_to node obligation opening overflow package party pending
		recipient_key refusal req_nonce scope shred shred_period statement upload`) {
		bits[name] = 1 << i
	}
	return bits
}()

// target is the table that a statement changes, all if that is not seen.
func target(query string) tables {
	words := strings.FieldsFunc(query, notInName)
	for i := range min(len(words), 3) {
		if bit, ok := tableBits[words[i]]; ok {
			return bit
		}
	}
	return ^tables(0)
}

// mentioned are the tables whose names occur in a statement, also where the word
// is a column: that costs a journey and is never wrong.
func mentioned(query string) (set tables) {
	for _, word := range strings.FieldsFunc(query, notInName) {
		set |= tableBits[word]
	}
	return set
}

func notInName(r rune) bool {
	return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
}
