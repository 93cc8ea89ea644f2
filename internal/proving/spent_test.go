package proving

import (
	"testing"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
)

// TestRefusedConsentBlocksNobody lets somebody who may not record a withdrawal
// try. The refusal must not take the version's place: whoever may withdraws next.
func TestRefusedConsentBlocksNobody(t *testing.T) {
	f := openField(t, func(o *demo.Options) { o.Dir = memoryDir(t) })
	ngo, stranger := f.sender("ngo-a", "case"), f.sender("nes-nis", "case")
	given := ngo.consentTo(statement.NewID(statement.Case), statement.NewID(statement.Person), f.sender("swc-kraljevo", "intake").desk)
	_, err := ngo.record(t.Context(), consent.Given, given)
	f.must(err)
	next := given
	next.Ver, next.Prev = 2, 1
	for range 25 { // also beyond the refusals that get a leaf each
		_, err := stranger.record(t.Context(), consent.Withdrawn, next)
		if r, ok := exchange.AsRefusal(err); !ok || r.Code != "recorder" {
			t.Fatalf("want the refusal recorder, got %v", err)
		}
	}
	_, err = ngo.record(t.Context(), consent.Withdrawn, next)
	f.must(err)
	sound(t, f.Exchange.Store, f.World)
}
