package envelope

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// watchEvery is how many bytes pass between two looks at the heap.
const watchEvery = 8 << 20

// heapWatch records by how much the live heap exceeds what it was.
type heapWatch struct {
	base, peak uint64
	samples    int
}

// liveHeap is what is reachable, garbage apart.
func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func (w *heapWatch) sample() {
	w.samples++
	if now := liveHeap(); now > w.base {
		w.peak = max(w.peak, now-w.base)
	}
}

// reader limits r to size bytes and samples on the way.
func (w *heapWatch) reader(r io.Reader, size int64) io.Reader {
	return io.TeeReader(io.LimitReader(r, size), &watched{watch: w})
}

// watched counts what is written and samples on the way.
type watched struct {
	watch *heapWatch
	n     int64
}

func (w *watched) Write(p []byte) (int, error) {
	before := w.n / watchEvery
	w.n += int64(len(p))
	if w.n/watchEvery != before {
		w.watch.sample()
	}
	return len(p), nil
}

// newSpool is a file, so that ciphertext does not count as memory.
func newSpool(t *testing.T) (*os.File, error) {
	f, err := os.Create(filepath.Join(t.TempDir(), "part.age"))
	if err == nil {
		t.Cleanup(func() { f.Close() })
	}
	return f, err
}
