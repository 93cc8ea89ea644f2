package sqlstore

import "testing"

func TestAnonymous(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT 1":                         "SELECT 1",
		"SELECT $1, $2":                    "SELECT ?, ?",
		"INSERT INTO t VALUES ($1),($2)":   "INSERT INTO t VALUES (?),(?)",
		insertText("t (a, b, c)", 3, 5):    "INSERT INTO t (a, b, c) VALUES (?,?,?),(?,?,?),(?,?,?),(?,?,?),(?,?,?)",
		"SELECT $2, $1":                    "SELECT $2, $1",
		"SELECT $1, $1":                    "SELECT $1, $1",
		"SELECT $1, $3":                    "SELECT $1, $3",
		"SELECT $1, '$2', $2":              "SELECT ?, '$2', ?",
		"SELECT 'it''s $1', $1":            "SELECT 'it''s $1', ?",
		"SELECT $10":                       "SELECT $10",
		"SELECT $1 WHERE $":                "SELECT $1 WHERE $",
		"SELECT a, $1 FROM t WHERE b = $2": "SELECT a, ? FROM t WHERE b = ?",
	} {
		if got := anonymous(query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}
