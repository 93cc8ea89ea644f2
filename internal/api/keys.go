package api

import "github.com/odziv/odziv/internal/api/wire"

func putKey(c *call) error {
	rk, err := c.hash("rk")
	if err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	if err := c.x.PutKey(c.ctx, c.caller, rk, string(body)); err != nil {
		return err
	}
	return c.done()
}

func getKey(c *call) error {
	rk, err := c.hash("rk")
	if err != nil {
		return err
	}
	recipient, err := c.x.RecipientKey(c.ctx, c.caller, rk)
	if err != nil {
		return err
	}
	return c.blob(wire.Text, []byte(recipient))
}

func putPackage(c *call) error {
	digest, err := c.hash("sha256")
	if err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	if err := c.x.PutPackage(c.ctx, c.caller, digest, body); err != nil {
		return err
	}
	return c.done()
}

func getPackage(c *call) error {
	digest, err := c.hash("sha256")
	if err != nil {
		return err
	}
	data, err := c.x.Package(c.ctx, c.caller, digest)
	if err != nil {
		return err
	}
	return c.blob(wire.Bytes, data)
}
