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
// They are sent as text, for lib/pq sends no more than one statement with
// arguments at a time: few rows as EXECUTE of what was prepared once under a name,
// many rows of one table as one INSERT.
type later struct {
	steps []step
	size  int // of the arguments, in bytes
	rows  int // rows in steps
	sent  int // how often steps were sent

	templates map[string]*template
	asked     map[string]tables // what a question mentions
}

func newLater() *later { return &later{templates: map[string]*template{}, asked: map[string]tables{}} }

// A step is a statement with the arguments of each time it is to run, or the
// beginning or end of a savepoint.
type step struct {
	*template
	text string          // of a savepoint's step
	args []string        // literals in parentheses
	keys map[string]bool // of rows that may be there already
}

// A template is a statement that was prepared under a name.
type template struct {
	name   string
	target tables

	// An INSERT of one row is head (…) tail, and its first key columns, if tail
	// changes a row that is there, say which.
	head, tail string
	key        int
}

// Bounds of what waits, and from how many rows on one INSERT is cheaper than
// preparing has made each.
const (
	maxLater  = 1 << 18
	manyRows  = 4
	mostSteps = 1 << 12
)

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
	t, err := s.template(ctx, query)
	if err != nil {
		return err
	}
	literals, err := literalsOf(args)
	if err != nil {
		return err
	}
	l.add(t, literals)
	if l.size > maxLater || len(l.steps) > mostSteps {
		return s.flush(ctx)
	}
	return nil
}

// add puts a row to the last step that changes its table, if that is the same
// statement: rows of different tables do not depend on each other, those before
// and after the edge of a savepoint do.
func (l *later) add(t *template, literals []string) {
	text := "(" + strings.Join(literals, ",") + ")"
	key := ""
	if t.key > 0 {
		key = strings.Join(literals[:t.key], ",")
	}
	l.rows++
	l.size += len(text)
	for i := len(l.steps) - 1; i >= 0 && l.steps[i].template != nil; i-- {
		st := &l.steps[i]
		if st.target&t.target == 0 {
			continue
		}
		if st.template == t && t.head != "" && !st.keys[key] {
			st.args = append(st.args, text)
			st.take(key)
			return
		}
		break
	}
	st := step{template: t, args: []string{text}}
	st.take(key)
	l.steps = append(l.steps, st)
}

// take notes a key: one INSERT may not change a row twice.
func (st *step) take(key string) {
	if st.key == 0 {
		return
	}
	if st.keys == nil {
		st.keys = map[string]bool{}
	}
	st.keys[key] = true
}

// template prepares a statement for EXECUTE on first use. A name outlives the
// transaction it was made in.
func (s *session) template(ctx context.Context, query string) (*template, error) {
	l := s.conn.later
	if t, ok := l.templates[query]; ok {
		return t, nil
	}
	t := newTemplate("w"+strconv.Itoa(len(l.templates)), query)
	s.conn.sent++
	if _, err := s.conn.raw.ExecContext(context.WithoutCancel(ctx), "PREPARE "+t.name+" AS "+query); err != nil {
		return nil, s.fail(query, err)
	}
	l.templates[query] = t
	return t, nil
}

// newTemplate looks at a statement: which table it changes and whether it inserts
// one row whose columns are $1, $2, … in order.
func newTemplate(name, query string) *template {
	t := &template{name: name, target: target(query)}
	head, rest, ok := strings.Cut(query, " VALUES ")
	if !ok || !strings.HasPrefix(head, "INSERT INTO ") {
		return t
	}
	row := placeholders(1, strings.Count(head, ",")+1)
	tail, ok := strings.CutPrefix(strings.ReplaceAll(rest, ", $", ",$"), row)
	if !ok || strings.Contains(tail, "$") {
		return t
	}
	t.head, t.tail = head+" VALUES ", tail
	if on, ok := strings.CutPrefix(strings.TrimSpace(tail), "ON CONFLICT ("); ok {
		columns, _, _ := strings.Cut(on, ")")
		t.key = strings.Count(columns, ",") + 1
		if _, first, _ := strings.Cut(head, "("); !strings.HasPrefix(first, columns) {
			t.head = "" // the key is not in front
		}
	}
	return t
}

// literalsOf spells arguments in SQL. Text holds no NUL and is UTF-8, which
// checkText has seen to; standard_conforming_strings is on.
func literalsOf(args []any) ([]string, error) {
	list := make([]string, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case int64:
			list[i] = strconv.FormatInt(a, 10)
		case int:
			list[i] = strconv.Itoa(a)
		case string:
			list[i] = pq.QuoteLiteral(a)
		case []byte:
			list[i] = `'\x` + hex.EncodeToString(a) + "'"
		default:
			return nil, fmt.Errorf("sqlstore: an argument of type %T", a)
		}
	}
	return list, nil
}

// text is what waits, as SQL.
func (l *later) text() string {
	b := make([]byte, 0, l.size+64*len(l.steps))
	for _, st := range l.steps {
		b = st.appendTo(b)
	}
	return string(b)
}

func (st *step) appendTo(b []byte) []byte {
	switch {
	case st.template == nil:
		return append(b, st.text...)
	case st.head != "" && len(st.args) >= manyRows:
		b = append(b, st.head...)
		for i, args := range st.args {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, args...)
		}
		b = append(b, st.tail...)
		return append(b, ';')
	}
	for _, args := range st.args {
		b = append(b, "EXECUTE "...)
		b = append(b, st.name...)
		if args != "()" {
			b = append(b, args...)
		}
		b = append(b, ';')
	}
	return b
}

// flush sends what waits.
func (s *session) flush(ctx context.Context) error {
	l := s.conn.later
	if l == nil || len(l.steps) == 0 {
		return nil
	}
	if err := s.usable(ctx); err != nil {
		return err
	}
	text := l.text()
	l.drop()
	l.sent++
	s.conn.sent++
	if _, err := s.conn.raw.ExecContext(context.WithoutCancel(ctx), text); err != nil {
		return s.fail("write rows", err)
	}
	return nil
}

// drop forgets what waits.
func (l *later) drop() { l.cut(mark{}) }

// cut forgets what was put after a mark.
func (l *later) cut(m mark) {
	clear(l.steps[m.steps:])
	l.steps, l.rows, l.size = l.steps[:m.steps], m.rows, m.size
}

// touch is what the steps change.
func (l *later) touch() (set tables) {
	for _, st := range l.steps {
		if st.template != nil {
			set |= st.target
		}
	}
	return set
}

// flushFor sends what waits if a question could see it, or if it writes too: that
// comes after the savepoint that waits.
func (s *session) flushFor(ctx context.Context, query string) error {
	l := s.conn.later
	if l == nil {
		return nil
	}
	if !strings.HasPrefix(query, "SELECT") {
		return s.flush(ctx)
	}
	if l.rows == 0 {
		return nil
	}
	set, ok := l.asked[query]
	if !ok {
		set = mentioned(query)
		l.asked[query] = set
	}
	if l.touch()&set == 0 {
		return nil
	}
	return s.flush(ctx)
}

// A mark is where a savepoint began.
type mark struct{ steps, rows, size, sent int }

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
	if l.rows > 0 { // if one of these is refused it is not this savepoint that is gone back to
		if err := s.flush(ctx); err != nil {
			return mark{}, err
		}
	}
	m := mark{len(l.steps), l.rows, l.size, l.sent}
	l.steps = append(l.steps, step{text: "SAVEPOINT " + name + ";"})
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
		l.cut(m)
		return nil
	}
	l.steps = append(l.steps, step{text: "RELEASE " + name + ";"})
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
		l.cut(m)
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
