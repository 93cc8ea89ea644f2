package office

import "context"

// Retrieve signs for a message without opening it: it is handed over from then
// on. A second time changes nothing.
func (o *Office) Retrieve(ctx context.Context, desk, msg string) error {
	if err := o.Sync(ctx); err != nil {
		return err
	}
	l, err := o.Find(ctx, desk, msg)
	if err != nil {
		return err
	}
	return o.retrieve(ctx, desk, &l)
}
