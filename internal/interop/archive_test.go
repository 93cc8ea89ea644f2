package interop

import (
	"archive/zip"
	"bytes"
	"os"
	"testing"
	"testing/fstest"

	"filippo.io/torchwood"
)

// A mirror that is zipped as it lies is an archive that torchwood reads.
func TestTorchwoodReadsArchive(t *testing.T) {
	b := publish(t)
	dir := t.TempDir()
	b.writeTiles(t, dir)
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	if err := z.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	archive := torchwood.NewTileArchiveFS(fstest.MapFS{"000.zip": {Data: packed.Bytes()}})
	defer archive.Close()
	files, err := torchwood.NewTileFS(archive)
	if err != nil {
		t.Fatal(err)
	}
	b.wantAll(t, files)
}

// wantAll reads every entry through torchwood's client, each checked against
// the checkpoint that lies beside the tiles.
func (b *book) wantAll(t *testing.T, from torchwood.TileReader) {
	t.Helper()
	signed, err := from.ReadEndpoint(t.Context(), "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := torchwood.VerifyCheckpoint(signed, b.policy)
	if err != nil {
		t.Fatal(err)
	}
	client, err := torchwood.NewClient(from)
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for idx, entry := range client.AllEntries(t.Context(), c.Tree, 0) {
		if idx != n || !bytes.Equal(entry, b.leaves[n]) {
			t.Fatalf("entry %d is %q", idx, entry)
		}
		n++
	}
	if err := client.Err(); err != nil || n != size {
		t.Errorf("%d entries, %v", n, err)
	}
	if _, proof, err := client.Entry(t.Context(), c.Tree, 300); err != nil || len(proof) == 0 {
		t.Errorf("proof of entry 300: %v", err)
	}
}
