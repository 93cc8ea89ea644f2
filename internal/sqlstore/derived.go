package sqlstore

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// kind is what a column of a derived table holds.
type kind byte

const (
	text   kind = 't'
	number kind = 'n'
	bytes_ kind = 'b'
	object kind = 'j' // JSON, shown as it is
)

type column struct {
	name string
	kind kind
}

// A table describes a derived table for the dump. The first key columns are its
// primary key.
type table struct {
	name    string
	key     int
	columns []column
}

// derived lists the derived tables by name. A test holds it against the schema.
var derived = [...]table{
	{"access", 3, columns("officer t, case_ t, day t, idx n")},
	{"case_link", 1, columns("case_ t, matter t")},
	{"conflict", 1, columns("id t, who t, subj j, level t, set_idx n, set_at n, lifted_idx n, lifted_at n")},
	{"consent_version", 2, columns("id t, ver n, idx n, at n, act t, subj t, stmt b")},
	{"feed", 2, columns("desk t, n n, idx n, erased n")},
	{"grant_", 1, columns("id t, idx n, at n, case_ t, desk t, subj j, scope j, nb n, na n, ended_idx n, ended_at n, earlier j")},
	{"last", 1, columns("obj t, idx n")},
	{"mark", 2, columns("o t, level n, idx n")},
	{"msg", 1, columns("msg t, idx n, at n, case_ t, kind t, desk t, inst t, basis t, occurred n, hold n, reason t, set_ t, pack t, subj j")},
	{"msg_consent", 3, columns("consent t, idx n, msg t")},
	{"msg_to", 2, columns("msg t, desk t, ord n, role t, handed n, handed_idx n, served n, opened n, blocked n, reason t")},
	{"obligation", 1, columns("o t, rule t, obligor t, obligee t, whom t, case_ t, obj t, trigger_ n, kind t, occurred n, due n, live n, body j")},
	{"party", 2, columns("case_ t, desk t, inst t")},
	{"refusal", 3, columns("officer t, at n, idx n")},
	{"scope", 3, columns("case_ t, idx n, scope t")},
	{"statement", 1, columns("id t, digest t, idx n, spent n")},
}

func columns(spec string) []column {
	var list []column
	for _, c := range strings.Split(spec, ", ") {
		list = append(list, column{c[:len(c)-2], kind(c[len(c)-1])})
	}
	return list
}

// derivedPage is how many rows of the dump are read at a time.
const derivedPage = 512

// Derived implements exchange.View. A key is the columns of the primary key,
// numbers with 16 digits, one space between; a row is the JSON array of all
// columns, bytes in base64.
func (v *view) Derived(ctx context.Context, f func(table, key, row string) error) error {
	for i := range derived {
		if err := v.dump(ctx, &derived[i], f); err != nil {
			return err
		}
	}
	return nil
}

func (v *view) dump(ctx context.Context, t *table, f func(table, key, row string) error) error {
	query, args := t.pageQuery(false), []any{derivedPage}
	for {
		page, last, err := v.dumpPage(ctx, t, query, args)
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := f(t.name, r.key, r.row); err != nil {
				return err
			}
		}
		if len(page) < derivedPage {
			return nil
		}
		query, args = t.pageQuery(true), append([]any{derivedPage}, last...)
	}
}

// pageQuery reads a page by the primary key, after a key or from the start.
func (t *table) pageQuery(after bool) string {
	var names []string
	for _, c := range t.columns {
		names = append(names, c.name)
	}
	key := strings.Join(names[:t.key], ", ")
	where := ""
	if after {
		where = " WHERE (" + key + ") > " + placeholders(2, t.key)
	}
	return "SELECT " + strings.Join(names, ", ") + " FROM " + t.name + where + " ORDER BY " + key + " LIMIT $1"
}

type dumped struct{ key, row string }

func (v *view) dumpPage(ctx context.Context, t *table, query string, args []any) (page []dumped, last []any, err error) {
	values := make([]any, len(t.columns))
	into := make([]any, len(t.columns))
	for i := range values {
		into[i] = &values[i]
	}
	err = v.each(ctx, query, args, func(rows *sql.Rows) error {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		d, err := t.dumped(values)
		page = append(page, d)
		return err
	})
	return page, values[:t.key], err
}

// dumped spells one row.
func (t *table) dumped(values []any) (d dumped, err error) {
	key, row := make([]string, t.key), make([]string, len(t.columns))
	for i, c := range t.columns {
		if row[i], err = c.spell(values[i]); err != nil {
			return d, fmt.Errorf("sqlstore: %s.%s: %w", t.name, c.name, err)
		}
		if i < t.key {
			key[i] = keyText(values[i])
		}
	}
	return dumped{strings.Join(key, " "), "[" + strings.Join(row, ",") + "]"}, nil
}

func (c column) spell(value any) (string, error) {
	switch x := value.(type) {
	case int64:
		if c.kind == number {
			return strconv.FormatInt(x, 10), nil
		}
	case string:
		switch c.kind {
		case object:
			return x, nil
		case text:
			b, err := json.Marshal(x)
			return string(b), err
		}
	case []byte:
		if c.kind == bytes_ {
			return `"` + base64.StdEncoding.EncodeToString(x) + `"`, nil
		}
	case nil:
		if c.kind == bytes_ {
			return `""`, nil // the driver's spelling of an empty value; the columns are NOT NULL
		}
	}
	return "", fmt.Errorf("a %T where %q is declared: %w", value, c.kind, ErrDamaged)
}

func keyText(value any) string {
	if n, ok := value.(int64); ok {
		return fmt.Sprintf("%016d", n)
	}
	return fmt.Sprint(value)
}

// DropDerived implements exchange.Tx. It also counts again whether every leaf is
// opened or erased.
func (t *tx) DropDerived(ctx context.Context) error {
	for i := range derived {
		if err := t.put(ctx, "DELETE FROM "+derived[i].name); err != nil {
			return err
		}
	}
	t.feeds = nil
	return t.recount(ctx)
}
