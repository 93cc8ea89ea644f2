package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// MaxFields bounds the fields of a value in the key-value store.
const MaxFields = 64

// KVGet reads the current version of a value. A version of 0 means that nothing
// was ever written there; no fields beside a version mean that the value was
// deleted. The version is what [Client.KVPut] wants to replace it.
func (c *Client) KVGet(ctx context.Context, path string) (fields map[string]Secret, version int, err error) {
	if err := checkName("path", pathName, path); err != nil {
		return nil, 0, fmt.Errorf("vault: %w", err)
	}
	var out struct {
		Data struct {
			Data     map[string]string `json:"data"`
			Metadata struct {
				Version int `json:"version"`
			} `json:"metadata"`
		} `json:"data"`
	}
	err = c.call(ctx, request{verb: "GET", path: c.cfg.KV + "/data/" + path}, &out)
	version = out.Data.Metadata.Version
	if errors.Is(err, ErrNotFound) && version >= 0 {
		return nil, version, nil
	}
	if err == nil && (out.Data.Data == nil || version < 1) {
		err = ErrAnswer
	}
	if err != nil {
		return nil, 0, fmt.Errorf("vault: read %s: %w", path, err)
	}
	fields = map[string]Secret{}
	for name, text := range out.Data.Data {
		fields[name] = NewSecret(text)
	}
	return fields, version, nil
}

// KVPut writes the value after version cas, 0 if there is to be none yet, and
// returns its version. If somebody else was first, the error wraps [ErrConflict].
// After [ErrUnreachable] it may have been written or not: read again.
func (c *Client) KVPut(ctx context.Context, path string, cas int, fields map[string]Secret) (int, error) {
	if err := checkName("path", pathName, path); err != nil {
		return 0, fmt.Errorf("vault: %w", err)
	}
	plain, size := map[string]string{}, 0
	for name, text := range fields {
		plain[name] = text.Reveal()
		size += len(name) + len(plain[name])
	}
	if cas < 0 || len(fields) > MaxFields || size > MaxMessage {
		return 0, fmt.Errorf("vault: write %s: at most %d fields and %d bytes", path, MaxFields, MaxMessage)
	}
	for name, text := range plain {
		if !utf8.ValidString(name) || !utf8.ValidString(text) {
			return 0, fmt.Errorf("vault: write %s: JSON would alter what is not UTF-8", path)
		}
	}
	var out struct {
		Data struct {
			Version int `json:"version"`
		} `json:"data"`
	}
	r := request{verb: "PUT", path: c.cfg.KV + "/data/" + path, body: map[string]any{"data": plain, "options": map[string]int{"cas": cas}}}
	if cas == 0 {
		r.needs = "create"
	}
	err := c.call(ctx, r, &out)
	if err == nil && out.Data.Version != cas+1 {
		err = ErrAnswer
	}
	if err != nil {
		return 0, fmt.Errorf("vault: write %s: %w", path, err)
	}
	return out.Data.Version, nil
}

// KVConfigure keeps at most so many versions of a value, and has Vault refuse
// who writes without saying which version she replaces.
func (c *Client) KVConfigure(ctx context.Context, path string, maxVersions int) error {
	if err := checkName("path", pathName, path); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	body := map[string]any{"max_versions": maxVersions, "cas_required": true}
	if err := c.call(ctx, request{verb: "PUT", path: c.cfg.KV + "/metadata/" + path, body: body}, nil); err != nil {
		return fmt.Errorf("vault: configure %s: %w", path, err)
	}
	return nil
}

// KVDelete destroys every version of a value and what is known about it.
func (c *Client) KVDelete(ctx context.Context, path string) error {
	if err := checkName("path", pathName, path); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	if err := c.call(ctx, request{verb: "DELETE", path: c.cfg.KV + "/metadata/" + path}, nil); err != nil {
		return fmt.Errorf("vault: delete %s: %w", path, err)
	}
	return nil
}

// KVList names what lies directly below a path, sorted; folders end in "/".
func (c *Client) KVList(ctx context.Context, path string) ([]string, error) {
	if err := checkName("path", pathName, path); err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	var out struct {
		Data struct {
			Keys []string `json:"keys"`
		} `json:"data"`
	}
	err := c.call(ctx, request{verb: "LIST", path: c.cfg.KV + "/metadata/" + path}, &out)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("vault: list %s: %w", path, err)
	}
	slices.Sort(out.Data.Keys)
	return out.Data.Keys, nil
}
