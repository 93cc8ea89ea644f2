package vault

import (
	"context"
	"fmt"
	"regexp"
)

// Entity is the identity that the token belongs to, by which policies name a
// person's own paths ({{identity.entity.id}}). A token of nobody, such as the
// root token, has none: [ErrLogin].
func (c *Client) Entity(ctx context.Context) (string, error) {
	var out struct {
		Data struct {
			Entity string `json:"entity_id"`
		} `json:"data"`
	}
	if err := c.call(ctx, request{verb: "GET", path: "auth/token/lookup-self"}, &out); err != nil {
		return "", fmt.Errorf("vault: who am I: %w", err)
	}
	switch {
	case out.Data.Entity == "":
		return "", fmt.Errorf("vault: %w: the token belongs to no person", ErrLogin)
	case !entityID.MatchString(out.Data.Entity):
		return "", fmt.Errorf("vault: who am I: %w", ErrAnswer)
	}
	return out.Data.Entity, nil
}

var entityID = regexp.MustCompile(`^[0-9a-z][0-9a-z-]{0,63}$`)
