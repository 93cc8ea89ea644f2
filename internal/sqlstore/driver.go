package sqlstore

import (
	_ "github.com/lib/pq"  // "postgres"
	_ "modernc.org/sqlite" // "sqlite"
)
