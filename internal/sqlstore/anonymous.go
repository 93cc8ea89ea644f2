package sqlstore

import "strconv"

// anonymous writes "?" for the parameters $1, $2, … of a statement if they stand
// in it in this order, each once; else it returns the statement as it is.
//
// SQLite takes $1 for a name, and its driver asks for the name of every parameter
// at every execution, which searches a list: time that grows with the square of
// the parameters. A "?" has no name.
func anonymous(query string) string {
	out := make([]byte, 0, len(query))
	next, quoted := 1, false
	for i := 0; i < len(query); i++ {
		c := query[i]
		if c == '\'' {
			quoted = !quoted
		}
		if c != '$' || quoted {
			out = append(out, c)
			continue
		}
		end := i + 1
		for end < len(query) && query[end] >= '0' && query[end] <= '9' {
			end++
		}
		if n, err := strconv.Atoi(query[i+1 : end]); err != nil || n != next {
			return query
		}
		next++
		out = append(out, '?')
		i = end - 1
	}
	return string(out)
}
