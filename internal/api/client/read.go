package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/odziv/odziv/internal/api/wire"
)

// Status asks what the exchange says of itself. Nobody signed it.
func (c *Client) Status(ctx context.Context) (s wire.Status, err error) {
	err = c.get(ctx, wire.PathStatus, nil, maxOne, &s)
	return s, err
}

// Pending lists the statements that wait and concern a desk, or, without one,
// those that the caller's key signed or may sign: a registrar, a delegate or a
// root act for no desk.
func (c *Client) Pending(ctx context.Context, desk string) ([]wire.Pending, error) {
	query := url.Values{}
	if desk != "" {
		query.Set("desk", desk)
	}
	var list wire.Pendings
	err := c.get(ctx, wire.PathPendings, query, maxList, &list)
	return list.Pending, err
}

// Feed returns the items of a desk's feed with a number above after; limit 0 is
// the most there may be.
func (c *Client) Feed(ctx context.Context, desk string, after int64, limit int) (page wire.Feed, err error) {
	q := url.Values{"desk": {desk}, "after": {number(after)}}
	err = c.get(ctx, wire.PathFeed, limited(q, limit), maxList, &page)
	return page, err
}

// GrantFeed returns what a grant hands over of the time before it, with an
// index above after; -1 is from the beginning.
func (c *Client) GrantFeed(ctx context.Context, desk, grant string, after int64, limit int) (page wire.Feed, err error) {
	q := url.Values{"desk": {desk}, "grant": {grant}, "after": {number(after)}}
	err = c.get(ctx, wire.PathFeed, limited(q, limit), maxList, &page)
	return page, err
}

// Query selects a desk's obligations.
type Query struct {
	Desk    string
	Owing   bool   // what the desk owes, instead of what is owed to it
	Closed  bool   // closed ones too
	Missing bool   // missing replies alone
	After   string // Next of the page before
	Limit   int    // 0: the most there may be
}

// Obligations lists a desk's obligations by (due, id).
func (c *Client) Obligations(ctx context.Context, q Query) (page wire.Duties, err error) {
	v := url.Values{"desk": {q.Desk}, "side": {"owed"}}
	if q.Owing {
		v.Set("side", "owing")
	}
	if q.Closed {
		v.Set("closed", "true")
	}
	if q.Missing {
		v.Set("missing", "true")
	}
	if q.After != "" {
		v.Set("after", q.After)
	}
	err = c.get(ctx, wire.PathObligations, limited(v, q.Limit), maxList, &page)
	return page, err
}

// Obligation returns one obligation of the caller's institution.
func (c *Client) Obligation(ctx context.Context, id string) (d wire.Duty, err error) {
	err = c.get(ctx, wire.Path(wire.PathObligation, id), nil, maxOne, &d)
	return d, err
}

// ErrDigest says that an exchange answered with other bytes than were named by
// their hash: an honest one cannot.
var ErrDigest = errors.New("client: what came is not what its name says")

// Key fetches the text of a desk epoch's key and compares it with rk, the hex
// SHA-256 that the directory holds.
func (c *Client) Key(ctx context.Context, rk string) (string, error) {
	data, err := c.named(ctx, wire.Path(wire.PathKey, rk), wire.Text, rk, wire.MaxKey)
	return string(data), err
}

// Package fetches a wrapped desk key and compares it with its hex SHA-256.
func (c *Client) Package(ctx context.Context, sha256 string) ([]byte, error) {
	return c.named(ctx, wire.Path(wire.PathPackage, sha256), wire.Bytes, sha256, wire.MaxPackage)
}

// Escrow tells what happened to the escrow of a desk, from a leaf backwards; -1 is
// from the latest.
func (c *Client) Escrow(ctx context.Context, desk string, from int64) (page wire.Escrow, err error) {
	q := url.Values{"from": {number(from)}}
	err = c.get(ctx, wire.Path(wire.PathEscrow, desk), q, maxList, &page)
	return page, err
}

// EscrowFile fetches a file of a desk's escrow and compares it with its hex
// SHA-256. Only a custodian whom a release names gets it.
func (c *Client) EscrowFile(ctx context.Context, desk string, epoch int64, sha256 string) ([]byte, error) {
	return c.named(ctx, wire.Path(wire.PathEscrowFile, desk, number(epoch), sha256), wire.Bytes, sha256, wire.MaxPackage)
}

func (c *Client) named(ctx context.Context, path, media, name string, limit int64) ([]byte, error) {
	data, err := c.read(ctx, ask{method: http.MethodGet, path: path, accept: media}, limit)
	if err != nil {
		return nil, err
	}
	if digest(data) != name {
		return nil, ErrDigest
	}
	return data, nil
}

// Checkpoint returns the latest published checkpoint of a tree, a signed note;
// without a signer that of the last quarter of an hour, whose absence wraps
// [ledger.ErrMissing].
func (c *Client) Checkpoint(ctx context.Context, log wire.Log) ([]byte, error) {
	path := wire.PathEvCheckpoint
	if log == wire.Dir {
		path = wire.PathDirCheckpoint
	}
	data, err := c.read(ctx, ask{method: http.MethodGet, path: path, accept: wire.Text}, maxOne)
	return data, missing(err)
}

// Entries returns leaves of the directory from an index on; none at its end.
func (c *Client) Entries(ctx context.Context, from int64, limit int) ([][]byte, error) {
	var answer wire.Entries
	q := limited(url.Values{"from": {number(from)}}, limit)
	err := c.get(ctx, wire.PathDirEntries, q, maxList, &answer)
	return answer.Entries, err
}

// Proof returns the .tlog-proof file of an entry: the same for ever once its
// checkpoint met the quorum, before that a provisional one; without a signer one
// under the checkpoint of the last quarter of an hour. An entry that is not
// there, or not to be seen, is an error that wraps [ledger.ErrMissing].
func (c *Client) Proof(ctx context.Context, log wire.Log, idx int64) ([]byte, error) {
	pattern := wire.PathEvProof
	if log == wire.Dir {
		pattern = wire.PathDirProof
	}
	data, err := c.read(ctx, ask{method: http.MethodGet, path: wire.Path(pattern, number(idx)), accept: wire.Text}, maxOne)
	return data, missing(err)
}

// Consistency returns the hashes that prove a tree of one size to be a prefix
// of the same tree at another.
func (c *Client) Consistency(ctx context.Context, log wire.Log, from, to int64) ([][32]byte, error) {
	path := wire.PathEvConsistency
	if log == wire.Dir {
		path = wire.PathDirConsistency
	}
	var answer wire.Consistency
	if err := c.get(ctx, path, url.Values{"from": {number(from)}, "to": {number(to)}}, maxOne, &answer); err != nil {
		return nil, err
	}
	hashes := make([][32]byte, 0, len(answer.Proof))
	for _, h := range answer.Proof {
		if len(h) != 32 {
			return nil, errAnswer
		}
		hashes = append(hashes, [32]byte(h))
	}
	return hashes, nil
}

// Holes lists entries of the evidence tree after an index whose openings the
// exchange lost, ascending, at most [wire.MaxPage]; -1 is from the beginning.
// None is the answer of an exchange that lacks nothing.
func (c *Client) Holes(ctx context.Context, after int64) ([]int64, error) {
	var answer wire.Holes
	err := c.get(ctx, wire.PathHoles, url.Values{"after": {number(after)}}, maxOne, &answer)
	return answer.Holes, err
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func limited(q url.Values, limit int) url.Values {
	if limit > 0 {
		q.Set("limit", strconv.Itoa(min(limit, wire.MaxPage)))
	}
	return q
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
