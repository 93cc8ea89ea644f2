package cli

import (
	"context"
	"slices"
	"sync"
)

// ending is what is to be done when a command line ends.
type ending struct {
	mu   sync.Mutex
	list []func()
}

type endingKey struct{}

func withEnd(ctx context.Context) (context.Context, func()) {
	e := &ending{}
	return context.WithValue(ctx, endingKey{}, e), func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, f := range slices.Backward(e.list) {
			f()
		}
		e.list = nil
	}
}

// AtEnd has f called when the command line that ctx belongs to ends, however it
// does short of a kill: what ends a login must not wait for a timeout. Outside of
// a command line it calls nothing.
func AtEnd(ctx context.Context, f func()) {
	if e, ok := ctx.Value(endingKey{}).(*ending); ok {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.list = append(e.list, f)
	}
}
