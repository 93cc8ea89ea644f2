package client

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
)

// PutMessage submits a sealed message, of which all parts were uploaded.
func (c *Client) PutMessage(ctx context.Context, msg string, dsse []byte) (item evidence.Item, err error) {
	err = c.put(ctx, wire.Path(wire.PathMessage, msg), dsse, maxOne, &item)
	return item, err
}

// PutSet submits the messages of one act, all or none, and returns the opening
// of each in their order.
func (c *Client) PutSet(ctx context.Context, set string, body []byte) ([]evidence.Item, error) {
	var answer wire.SetAnswer
	err := c.put(ctx, wire.Path(wire.PathSet, set), body, 16*maxOne, &answer)
	return answer.Items, err
}

// PutStatement submits a receipt, an attestation, a grant or the like.
func (c *Client) PutStatement(ctx context.Context, id string, dsse []byte) (item evidence.Item, err error) {
	err = c.put(ctx, wire.Path(wire.PathStatement, id), dsse, maxOne, &item)
	return item, err
}

// PutConsent submits one version of a consent.
func (c *Client) PutConsent(ctx context.Context, id string, ver int, dsse []byte) (item evidence.Item, err error) {
	err = c.put(ctx, wire.Path(wire.PathConsent, id, strconv.Itoa(ver)), dsse, maxOne, &item)
	return item, err
}

// PutDirectory submits a complete directory statement; digest is the hex
// SHA-256 of its payload.
func (c *Client) PutDirectory(ctx context.Context, digest string, dsse []byte) (entry wire.Entry, err error) {
	err = c.put(ctx, wire.Path(wire.PathDirectory, digest), dsse, maxOne, &entry)
	return entry, err
}

// PutPending adds this officer's signature to a statement that several must
// sign; digest is the hex SHA-256 of its payload.
func (c *Client) PutPending(ctx context.Context, digest string, dsse []byte) (answer wire.PendingAnswer, err error) {
	err = c.put(ctx, wire.Path(wire.PathPending, digest), dsse, maxOne, &answer)
	return answer, err
}

// PutSilence puts on record how an obligation stands now; id is a fresh x_.
func (c *Client) PutSilence(ctx context.Context, obligation, id string) (item evidence.Item, err error) {
	err = c.put(ctx, wire.Path(wire.PathSilence, obligation, id), nil, maxOne, &item)
	return item, err
}

// PutKey stores the text of a desk epoch's key (age1pq1…).
func (c *Client) PutKey(ctx context.Context, recipient string) error {
	return c.store(ctx, wire.Path(wire.PathKey, digest([]byte(recipient))), wire.Text, []byte(recipient))
}

// PutPackage stores one wrapped copy of a desk epoch's identity.
func (c *Client) PutPackage(ctx context.Context, data []byte) error {
	return c.store(ctx, wire.Path(wire.PathPackage, digest(data)), wire.Bytes, data)
}

// store sends what is answered with nothing.
func (c *Client) store(ctx context.Context, path, media string, body []byte) error {
	_, err := c.read(ctx, ask{method: http.MethodPut, path: path, body: body, media: media}, 0)
	return err
}

// PutOpening gives an opening back that the exchange lost, as it stood in a feed.
func (c *Client) PutOpening(ctx context.Context, item evidence.Item) error {
	body, err := wire.Encode(item)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	return c.store(ctx, wire.Path(wire.PathOpening, number(item.Idx)), wire.JSON, body)
}
