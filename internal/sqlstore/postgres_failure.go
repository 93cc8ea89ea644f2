package sqlstore

import (
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/lib/pq"
)

// kindOfPostgres is the kind of an error of PostgreSQL or of the way to it.
func kindOfPostgres(err error) *Failure {
	var server *pq.Error
	if errors.As(err, &server) {
		return kindOfState(string(server.Code))
	}
	var network net.Error
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) {
		return ErrUnreachable
	}
	return nil
}

// states are SQLSTATEs with a kind of their own, classes those of which every
// other has one (PostgreSQL 15, appendix A).
var (
	states = map[string]*Failure{
		"25006": ErrReadOnly,    // read_only_sql_transaction
		"25P03": ErrUnreachable, // idle_in_transaction_session_timeout
		"25P04": ErrUnreachable, // transaction_timeout
		"3D000": ErrNoFile,      // invalid_catalog_name: no such database
		"3F000": ErrNoFile,      // invalid_schema_name
		"42P01": ErrNoFile,      // undefined_table
		"42704": ErrNoFile,      // undefined_object: no such role
		"40001": ErrBusy,        // serialization_failure
		"40P01": ErrBusy,        // deadlock_detected
		"42501": ErrForbidden,   // insufficient_privilege
		"53100": ErrFull,        // disk_full
		"53300": ErrUnreachable, // too_many_connections
		"55P03": ErrBusy,        // lock_not_available
		"57014": ErrBusy,        // query_canceled: also statement_timeout
		"57P01": ErrUnreachable, // admin_shutdown
		"57P02": ErrUnreachable, // crash_shutdown
		"57P03": ErrUnreachable, // cannot_connect_now
		"57P05": ErrUnreachable, // idle_session_timeout
		"58030": ErrDisk,        // io_error
		"58P01": ErrDamaged,     // undefined_file
		"XX001": ErrDamaged,     // data_corrupted
		"XX002": ErrDamaged,     // index_corrupted
	}
	classes = map[string]*Failure{
		"08": ErrUnreachable, // connection
		"23": ErrRefused,     // integrity constraint, and our triggers
		"28": ErrLogin,       // authorization
	}
)

func kindOfState(state string) *Failure {
	if kind, ok := states[state]; ok {
		return kind
	}
	if len(state) != 5 {
		return nil
	}
	return classes[state[:2]]
}
