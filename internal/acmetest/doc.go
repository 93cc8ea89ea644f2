// Package acmetest lets odzivd get and renew its certificate from a real ACME
// server: Let's Encrypt's Pebble, with its mock of DNS. It is a module of its own,
// so that nothing of Pebble's enters the product's dependencies.
//
// There is no code here.
package acmetest
