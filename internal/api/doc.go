// Package api is the exchange over HTTP, as openapi.json in this folder
// specifies it (OpenAPI 3.1, served at /openapi.json): every request is signed
// under the profile odziv-req-v1 (RFC 9421, package request), every write is a
// PUT under a natural id, every refusal is a problem (RFC 9457).
//
// The trees are served as C2SP tlog-tiles. Who does not sign sees them as they
// stood at the last quarter of an hour, and of everything else the answer of a
// path that there is not.
//
// [New] makes the handler, [Server] and [Serve] put it on a socket. Clients use
// package client; package wire holds what both sides know.
//
// Handlers decide nothing: they bound and read a request, ask package exchange,
// and write down its answer. Nothing of a request but method, route, status and
// duration reaches a log.
package api
