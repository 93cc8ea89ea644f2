package sqlstore

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
)

// A Failure is a kind of failure of the database that the operator can act
// upon. Compare with errors.Is; Hint says what to do.
type Failure struct{ text, hint string }

// Error implements error.
func (f *Failure) Error() string { return f.text }

// Hint is one sentence for the operator, without a final full stop.
func (f *Failure) Hint() string { return f.hint }

// The failures. The cause is always wrapped beside them.
var (
	ErrFull     = &Failure{"the disk is full", "free space where the database lies, then try again"}
	ErrBusy     = &Failure{"the database is locked by another program", "find who else holds it (another server, a backup, a rebuild, a shell) and try again"}
	ErrReadOnly = &Failure{"the database cannot be written", "check owner and mode of the file and of its folder, and whether the file system is mounted read-only; on PostgreSQL, whether this is the primary"}
	ErrDamaged  = &Failure{"the database is damaged or is no database", "stop the server, keep the database, restore the last backup beside it and import the missing entries from a mirror"}
	ErrDisk     = &Failure{"the disk failed to read or write", "look into the system's log; the database may be on a failing disk or on a network file system"}
	ErrNoFile   = &Failure{"there is no database", "check its name; a database of PostgreSQL is made by its administrator, and the ledger in it, or in a file, once with init"}
	ErrExists   = &Failure{"something is there already", "a database is created once; to use the existing one leave out init, or name another"}
	ErrSchema   = &Failure{"the database has another schema than this program", "use the version of the program that wrote it, or a newer one; or name the right database"}
	ErrOutcome  = &Failure{"it is not known whether the transaction was kept", "read before repeating; every write may be repeated with the same id and bytes"}
	ErrRefused  = &Failure{"the database refused the rows", "this is a fault of the program or of whoever changed its tables; run fsck"}
	ErrClosed   = &Failure{"the store is closed", "open it again"}

	ErrName        = &Failure{"the database's name cannot be read", "write postgres://LOGIN@HOST/DATABASE, with what is no letter or digit in a password as %XX, and parameters of lib/pq after a question mark; check the PG… variables of the environment"}
	ErrUnreachable = &Failure{"the database server cannot be reached, or went away", "check that it runs and where, and the network; what was begun was not kept unless said otherwise, and is tried again by itself"}
	ErrLogin       = &Failure{"the database server refused the login", "check login and password (in the name, PGPASSWORD or the passfile) and the server's pg_hba.conf"}
	ErrForbidden   = &Failure{"the login lacks rights in the database", "its administrator grants it odziv_api and odziv_eraser; to make or change tables name, once, a login that is a member of odziv_owner"}
	ErrOutdated    = &Failure{"the schema is older than this program, and this login may not change it", "stop the servers, make a backup, then run odzivd migrate with --db and a login that is a member of odziv_owner"}
	ErrNotDurable  = &Failure{"the database server does not wait for its disk", "set fsync and full_page_writes to on in postgresql.conf: without them a power cut loses what was acknowledged"}
)

// failed says what the program was doing and of what kind the failure is.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	if kind := kindOf(err); kind != nil {
		return fmt.Errorf("sqlstore: %s: %w: %w", doing, kind, err)
	}
	return fmt.Errorf("sqlstore: %s: %w", doing, err)
}

// kindOf is the kind of an error of either engine, nil for one that no operator
// can act upon or whose kind is wrapped already.
func kindOf(err error) *Failure {
	var known *Failure
	if errors.As(err, &known) {
		return nil
	}
	if kind := kindOfPostgres(err); kind != nil {
		return kind
	}
	return kindOfSQLite(err)
}

// Primary result codes of SQLite (https://www.sqlite.org/rescode.html).
const (
	codePerm       = 3
	codeBusy       = 5
	codeLocked     = 6
	codeReadOnly   = 8
	codeIO         = 10
	codeCorrupt    = 11
	codeFull       = 13
	codeCannotOpen = 14
	codeConstraint = 19
	codeNotADB     = 26
	codeShmSize    = codeIO | 19<<8 // the index of the log could not grow: no room
)

func kindOfSQLite(err error) *Failure {
	var engine *sqlite.Error
	if !errors.As(err, &engine) {
		return nil
	}
	if engine.Code() == codeShmSize {
		return ErrFull
	}
	return kindOfCode(engine.Code() & 0xff)
}

func kindOfCode(code int) *Failure {
	switch code {
	case codeFull:
		return ErrFull
	case codeBusy, codeLocked:
		return ErrBusy
	case codeReadOnly, codePerm, codeCannotOpen:
		return ErrReadOnly
	case codeCorrupt, codeNotADB:
		return ErrDamaged
	case codeIO:
		return ErrDisk
	case codeConstraint:
		return ErrRefused
	}
	return nil
}
