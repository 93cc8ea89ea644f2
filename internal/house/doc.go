// Package house holds the tests of the house itself: which room may import
// which, what no room may reach by any path, who alone may read the clock, end
// the program, open a sealed body. docs/architecture.md says in words what
// table_test.go says in rows; a package that stands in no row fails the test.
//
// There is no code here.
package house
