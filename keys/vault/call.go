package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/hashicorp/vault/api"
)

// A request is one call of Vault's HTTP interface; the path has no "v1/".
type request struct {
	verb  string // GET, PUT, DELETE or LIST
	path  string
	query map[string][]string
	body  any
	needs string // capability of a PUT, "update" if empty
}

// send makes one request through a door and decodes the answer into out, which
// may be nil. It never asks twice. On 404 out is filled too where the body
// allows, beside the error: a deleted secret tells its version so.
func (c *Client) send(ctx context.Context, door *api.Client, r request, out any) error {
	limited, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	resp, err := r.through(limited, door)
	if resp == nil {
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return silence(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return silence(ctx, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return refused(resp.StatusCode, body, out)
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%w: not what this request is answered with", ErrAnswer)
	}
	return nil
}

// refused is what an answer with an error status means. Vault's are JSON; a page of
// somebody else's with status 403 or 404 says nothing about Vault.
func refused(status int, body []byte, out any) error {
	var said struct{ Errors []string }
	if err := json.Unmarshal(body, &said); err != nil && status < 500 {
		return fmt.Errorf("%w (status %d, and not of Vault's making)", ErrAnswer, status)
	}
	if status == http.StatusNotFound && out != nil {
		_ = json.Unmarshal(body, out) // what cannot be read is not there
	}
	return refusal(status, said.Errors)
}

// through returns the response whatever its status; its error counts only where
// there is none, for an error of Vault's client quotes the answer.
func (r request) through(ctx context.Context, door *api.Client) (*http.Response, error) {
	var resp *api.Response
	var err error
	switch r.verb {
	case http.MethodGet:
		resp, err = door.Logical().ReadRawWithDataWithContext(ctx, r.path, r.query)
	case "LIST":
		resp, err = door.Logical().ReadRawWithDataWithContext(ctx, r.path, map[string][]string{"list": {"true"}})
	case http.MethodDelete:
		resp, err = door.Logical().DeleteRawWithContext(ctx, r.path)
	default:
		body := []byte("{}")
		if r.body != nil {
			if body, err = json.Marshal(r.body); err != nil {
				return nil, err
			}
		}
		resp, err = door.Logical().WriteRawWithContext(ctx, r.path, body)
	}
	var said *api.ResponseError
	if resp == nil || resp.Response == nil || err != nil && !errors.As(err, &said) {
		if resp != nil && resp.Response != nil {
			resp.Body.Close()
		}
		return nil, err
	}
	return resp.Response, nil
}

// call makes one request with the token in use, and lets the state of the client
// learn from what comes back.
func (c *Client) call(ctx context.Context, r request, out any) error {
	s, mark := c.current()
	if s == nil {
		return fmt.Errorf("%w: %s", ErrLogin, "no token at present")
	}
	err := c.send(ctx, s.door, r, out)
	if ctx.Err() == nil || err == nil {
		c.learn(s, mark, r, err)
	}
	return err
}
