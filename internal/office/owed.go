package office

import (
	"context"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
)

// Duties lists every obligation of a desk: owed to it, or, owing, by it.
func (o *Office) Duties(ctx context.Context, desk string, owing, closed bool) ([]wire.Duty, error) {
	return o.duties(ctx, client.Query{Desk: desk, Owing: owing, Closed: closed})
}

// Missing lists the missing replies: what is overdue and was not answered.
func (o *Office) Missing(ctx context.Context, desk string, owing bool) ([]wire.Duty, error) {
	return o.duties(ctx, client.Query{Desk: desk, Owing: owing, Missing: true})
}

func (o *Office) duties(ctx context.Context, q client.Query) ([]wire.Duty, error) {
	all := []wire.Duty{}
	for {
		page, err := o.Client.Obligations(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Duties...)
		if page.Next == "" {
			return all, nil
		}
		q.After = page.Next
	}
}

// Silence puts the present state of an obligation on record and returns its
// item: with its proof, whoever answered before can show it and convict.
func (o *Office) Silence(ctx context.Context, obligation string) (evidence.Item, error) {
	item, err := o.Client.PutSilence(ctx, obligation, statement.NewID(statement.Other))
	if err == nil {
		o.wrote(item)
	}
	return item, err
}
