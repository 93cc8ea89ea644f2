package sqlstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// A Setting of a database server that lets its own log keep what is in rows, and
// what it must be.
type Setting struct {
	Name string
	Is   string
	Want string
}

// Logged lists the settings under which the database server writes statements,
// or their parameters, into a log of its own: what is erased would live on there.
// It is empty where all are as they must be, and for an engine without such a log.
func (s *Store) Logged(ctx context.Context) (list []Setting, err error) {
	e, ok := s.engine.(*postgresEngine)
	if !ok {
		return nil, nil
	}
	c, err := e.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer c.discard()
	for _, r := range []struct {
		name, want string
		harmless   func(value string) bool
	}{
		{"log_error_verbosity", "terse", func(v string) bool { return v == "terse" }},
		{"log_min_error_statement", "panic", func(v string) bool { return v == "panic" }},
		{"log_statement", "none", func(v string) bool { return v == "none" || v == "ddl" }},
		{"log_min_duration_statement", "-1", func(v string) bool { return v == "-1" }},
		{"log_min_duration_sample", "-1", func(v string) bool { return v == "-1" }},
		{"log_transaction_sample_rate", "0", isZero},
		{"log_parameter_max_length", "0", isZero},
		{"log_parameter_max_length_on_error", "0", isZero},
		{"debug_print_parse", "off", isOff},
		{"debug_print_rewritten", "off", isOff},
		{"debug_print_plan", "off", isOff},
	} {
		var value string
		if err := c.raw.QueryRowContext(ctx, "SHOW "+r.name).Scan(&value); err != nil {
			return nil, failed("read the settings of its log", err)
		}
		if !r.harmless(value) {
			list = append(list, Setting{r.name, value, r.want})
		}
	}
	return list, nil
}

func isOff(value string) bool { return value == "off" }

func isZero(value string) bool {
	n, err := strconv.ParseFloat(value, 64)
	return err == nil && n == 0
}

// Mend is the statement by which a superuser sets it for a database. It holds from
// the next connection on.
func (s Setting) Mend(database string) string {
	return fmt.Sprintf(`ALTER DATABASE "%s" SET %s = '%s'`, strings.ReplaceAll(database, `"`, `""`), s.Name, s.Want)
}

// Database is the name of the database on a server, "" where there is none.
func (s *Store) Database(ctx context.Context) (name string, err error) {
	e, ok := s.engine.(*postgresEngine)
	if !ok {
		return "", nil
	}
	c, err := e.dial(ctx)
	if err != nil {
		return "", err
	}
	defer c.discard()
	err = c.raw.QueryRowContext(ctx, "SELECT current_database()").Scan(&name)
	return name, failed("read the name of the database", err)
}
