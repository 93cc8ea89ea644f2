// Package vaulttest starts real Vault servers for tests: in memory, or with
// raft storage that can be sealed, killed and started again. Each belongs to one
// test and ends with it, and with the test program, however that ends.
//
// The server is built by internal/vaultserver, a module of its own; the first
// test ever builds it, which takes minutes. Answers are read as plain HTTP and
// JSON, not with Vault's client library: a test of that client needs an opinion
// of its own.
package vaulttest
