package proving

import (
	"testing"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// TestOneSponsorTwoRepresentatives: who represents one side in a case must not
// count as party because a colleague of the same sponsor represents the other.
func TestOneSponsorTwoRepresentatives(t *testing.T) {
	f := openField(t, func(o *demo.Options) {
		o.Dir = memoryDir(t)
		o.Codes = append(o.Codes, "bar-sponsor")
	})
	swc, legal := f.office("swc-kraljevo", "legal")
	ppo, registry := f.office("hppo-kraljevo", "registry")
	a, err := f.Represent(t.Context(), "bar-sponsor")
	f.must(err)
	b, err := f.Represent(t.Context(), "bar-sponsor")
	f.must(err)
	sent, err := swc.Send(t.Context(), f.complaint(legal, registry))
	f.must(err)
	_, err = ppo.Send(t.Context(), office.Draft{Desk: registry, Family: "rs-a", Kind: "complaint-registered", Re: sent.Msg, To: []string{a.ID},
		Basis: messaging.Basis{Code: "criminal-procedure", Purpose: "procedure", Ref: "CPC 50"}, Cats: []string{"procedure-status"},
		Text: envelope.Text{Fields: map[string]string{"register": "kt", "number": "KT 1"}}})
	f.must(err)
	first, err := a.Office(t.Context())
	f.must(err)
	second, err := b.Office(t.Context())
	f.must(err)
	link := func() []string { return []string{sent.Case, statement.NewID(statement.Case)} }
	if _, err := second.Link(t.Context(), b.ID, "rs-a", link()); !office.IsCode(err, "party") {
		t.Errorf("the other representative is taken for a party: %v", err)
	}
	if _, err := first.Link(t.Context(), a.ID, "rs-a", link()); err != nil {
		t.Errorf("the representative who was written to is no party: %v", err)
	}
	sound(t, f.Exchange.Store, f.World)
}
