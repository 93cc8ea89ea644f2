package office_test

import (
	"testing"
)

// acceptAll lets an officer accept everything that waits for her.
func acceptAll(t *testing.T, p *program) {
	t.Helper()
	for _, c := range p.Unexpected("") {
		_, err := p.Accept(c.Idx)
		check(t, err)
	}
}
