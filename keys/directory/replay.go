package directory

import (
	"crypto/ed25519"
	"fmt"
	"runtime"
	"sync"
)

// replayBatch bounds the leaves that Replay holds decoded.
const replayBatch = 512

// Replay applies leaves in order, as repeated [State.Apply] would, on all
// processors: decoding and signatures cost most and do not wait for each other.
// An error names the first leaf refused, by its index in the directory, and there
// is no state then.
func (s *State) Replay(leaves [][]byte) (*State, error) {
	for len(leaves) > 0 {
		batch := leaves[:min(replayBatch, len(leaves))]
		next, err := s.replayBatch(batch)
		if err != nil {
			return nil, err
		}
		s, leaves = next, leaves[len(batch):]
	}
	return s, nil
}

// replayBatch steps through the leaves with their signatures still unverified,
// verifies them all, and only then lets the state go.
func (s *State) replayBatch(leaves [][]byte) (*State, error) {
	signed, errs := make([]*Signed, len(leaves)), make([]error, len(leaves))
	parallel(len(leaves), func(i int) { signed[i], errs[i] = Decode(leaves[i]) })
	next, keys := s, make([][]ed25519.PublicKey, len(leaves))
	sound := 0
	for ; sound < len(leaves) && errs[sound] == nil; sound++ {
		grown, k, err := next.step(signed[sound])
		if err != nil {
			errs[sound] = err
			break
		}
		next, keys[sound] = grown, k
	}
	parallel(sound, func(i int) { errs[i] = verify(signed[i].DSSE, keys[i]) })
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("directory: leaf %d: %w", s.n+int64(i), err)
		}
	}
	return next, nil
}

// parallel calls do for 0…n-1, spread over the processors, and waits.
func parallel(n int, do func(i int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				do(i)
			}
		})
	}
	wg.Wait()
}
