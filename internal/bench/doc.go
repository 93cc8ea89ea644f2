// Package bench compares the ledger with others that keep logs, in one program
// and on one disk. It is a module of its own, so that what it compares with is
// no dependency of the product.
//
// By default its tests only show that the compared logs are the same log. Numbers
// come on demand:
//
//	go test -run XXX -bench Append -benchtime 20000x
//
// They lie on the disk of /var/tmp, or where TMPDIR points.
package bench
