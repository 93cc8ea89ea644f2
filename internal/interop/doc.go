// Package interop shows that programs and libraries of others read our bytes,
// and that we read theirs: age's own command, openssl, jq, torchwood,
// transparency-dev/merkle, go-securesystemslib, yaronf/httpsign.
//
// It is a module of its own, so that none of these enters the dependencies of
// the product. A tool that is missing fails the test: it is never skipped.
//
//	cd internal/interop && go test ./...
package interop
