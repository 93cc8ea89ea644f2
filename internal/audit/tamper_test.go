package audit_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/audittest"
)

// file is one file of an archive.
type file struct {
	name string
	data []byte
}

func unzip(t testing.TB, bundle []byte) []file {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	var files []file
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{f.Name, data})
	}
	return files
}

// rezip packs files with checksums that fit, as somebody who alters a bundle
// would.
func rezip(t testing.TB, files []file) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.CreateRaw(&zip.FileHeader{Name: f.name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(f.data),
			CompressedSize64: uint64(len(f.data)), UncompressedSize64: uint64(len(f.data))})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// alter is the bundle with one file changed; change may return nil to drop it.
func alter(t testing.TB, bundle []byte, name string, change func([]byte) []byte) []byte {
	t.Helper()
	files := unzip(t, bundle)
	i := slices.IndexFunc(files, func(f file) bool { return f.name == name })
	if i < 0 {
		t.Fatalf("no file %s", name)
	}
	if files[i].data = change(bytes.Clone(files[i].data)); files[i].data == nil {
		files = slices.Delete(files, i, i+1)
	}
	return rezip(t, files)
}

func flip(at int) func([]byte) []byte {
	return func(data []byte) []byte {
		data[at] ^= 1
		return data
	}
}

func smallBundle(t testing.TB) (*audittest.World, []byte) {
	w := story(t)
	w.Fill(280)
	w.Publish()
	return w, bundleOf(t, w, audit.Options{Made: w.At})
}

func failed(found []audit.Finding, err error) bool { return len(found) > 0 || err != nil }

// Any byte of any file, first as damage on the way, then with a checksum that
// fits it.
func TestEveryFileIsHeld(t *testing.T) {
	w, bundle := smallBundle(t)
	trust := audit.Trust{Genesis: w.Genesis()}
	r := rand.New(rand.NewPCG(1, 2))
	for _, f := range unzip(t, bundle) {
		for _, at := range []int{0, len(f.data) - 1, r.IntN(len(f.data))} {
			if f.name == "bundle.json" && bytes.Contains(f.data[max(0, at-24):], []byte(`"made"`)) {
				continue // a claim that nothing proves
			}
			altered := alter(t, bundle, f.name, flip(at))
			if _, found, err := verify(t, altered, trust); !failed(found, err) {
				t.Errorf("%s: byte %d of %d changed, and all verifies", f.name, at, len(f.data))
			}
		}
	}
}

func TestEveryByteOfTheArchive(t *testing.T) {
	w := story(t)
	bundle := bundleOf(t, w, audit.Options{Made: w.At})
	trust := audit.Trust{Genesis: w.Genesis()}
	whole := unzip(t, bundle)
	r := rand.New(rand.NewPCG(3, 4))
	missed := 0
	tries := rounds(250)
	for range tries {
		at := r.IntN(len(bundle))
		altered := bytes.Clone(bundle)
		altered[at] ^= byte(1 + r.IntN(255))
		if _, found, err := verify(t, altered, trust); failed(found, err) {
			continue
		}
		// What an archive says of a file beside its name and bytes, such as its
		// date, is nobody's evidence.
		missed++
		if !slices.EqualFunc(unzip(t, altered), whole, func(a, b file) bool { return a.name == b.name && bytes.Equal(a.data, b.data) }) {
			t.Errorf("byte %d changed a file, and all verifies", at)
		}
	}
	if missed > 10+tries/10 {
		t.Errorf("%d of %d changes outside of any file", missed, tries)
	}
}

// What is wrong with an entry or opening is found under its index.
func TestFindingsNameTheIndex(t *testing.T) {
	w, bundle := smallBundle(t)
	lines := func(change func(lines [][]byte)) func([]byte) []byte {
		return func(data []byte) []byte {
			l := bytes.SplitAfter(data, []byte("\n"))
			change(l)
			return bytes.Join(l, nil)
		}
	}
	const leaf = 2 + 109
	for name, c := range map[string]struct {
		file   string
		change func([]byte) []byte
		want   string
	}{
		"a byte of an entry":              {"ev/tile/entries/000", flip(7*leaf + 40), "ev entry 7 "},
		"a byte of an entry, last bundle": {"ev/tile/entries/001.p/35", flip(20*leaf + 40), "ev entry 276 "},
		"two entries swapped": {"ev/tile/entries/000", func(d []byte) []byte {
			a, b := bytes.Clone(d[3*leaf:4*leaf]), bytes.Clone(d[5*leaf:6*leaf])
			copy(d[3*leaf:], b)
			copy(d[5*leaf:], a)
			return d
		}, "ev entry 3 "},
		"a byte of META":        {"openings/000000.jsonl", lines(func(l [][]byte) { l[4][len(`{"idx":4,"meta":{"at":1`)] ^= 1 }), "ev entry 4:"},
		"a byte of PRIV":        {"openings/000000.jsonl", lines(func(l [][]byte) { l[5][len(l[5])-200] ^= 1 }), "ev entry 5:"},
		"a key":                 {"openings/000000.jsonl", lines(func(l [][]byte) { l[6] = bytes.Replace(l[6], []byte(`"rp":"`), []byte(`"rp":"A`), 1) }), "entry 6 or later"},
		"two openings swapped":  {"openings/000000.jsonl", lines(func(l [][]byte) { l[2], l[3] = l[3], l[2] }), "entry 4 or later"},
		"an opening renumbered": {"openings/000000.jsonl", lines(func(l [][]byte) { l[8] = bytes.Replace(l[8], []byte(`"idx":8,`), []byte(`"idx":9,`), 1); l[9] = nil }), "ev entry 9:"},
		"an opening twice":      {"openings/000000.jsonl", lines(func(l [][]byte) { l[9] = l[8] }), "entry 9 or later"},
		"a directory entry":     {"dir/tile/entries/000.p/29", flip(5000), "dir entry 4:"},
		"a hash tile":           {"ev/tile/0/001.p/35", flip(33), "hash 1 is not that of the entries"},
		"a tile missing":        {"ev/tile/0/000", func([]byte) []byte { return nil }, "is not in the bundle"},
		"a bundle missing":      {"ev/tile/entries/000", func([]byte) []byte { return nil }, "ev entry 0 "},
		"the checkpoint":        {"ev/checkpoint", flip(40), "ev/checkpoint:"},
		"a pack":                {"packs/xx-demo@1.toml", func(d []byte) []byte { return append(d, "# x\n"...) }, "packs/xx-demo@1.toml:"},
		"openings cut short":    {"openings/000001.jsonl", func(d []byte) []byte { return d[:len(d)-1] }, "is cut short"},
	} {
		_, found, err := verify(t, alter(t, bundle, c.file, c.change), audit.Trust{Genesis: w.Genesis()})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.ContainsFunc(found, func(f audit.Finding) bool { return strings.Contains(f.String(), c.want) }) {
			t.Errorf("%s: %v, want %q", name, found, c.want)
		}
	}
}

func TestArchiveThatIsNone(t *testing.T) {
	w, bundle := smallBundle(t)
	files := unzip(t, bundle)
	deflated := func() []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		f, err := z.Create("bundle.json")
		if err != nil {
			t.Fatal(err)
		}
		f.Write(make([]byte, 100<<20))
		z.Close()
		return b.Bytes()
	}
	many := func() []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for i := range audit.MaxBundleFiles + 1 {
			z.CreateRaw(&zip.FileHeader{Name: fmt.Sprintf("%06d", i), Method: zip.Store})
		}
		z.Close()
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		bundle []byte
		want   error
	}{
		"nothing":               {nil, audit.ErrFormat},
		"no zip":                {[]byte("PK\x03\x04 and then nothing of the kind"), audit.ErrFormat},
		"an empty zip":          {rezip(t, nil), audit.ErrFormat},
		"half a zip":            {bundle[:len(bundle)/2], audit.ErrFormat},
		"a zip without its end": {bundle[:len(bundle)-1], audit.ErrFormat},
		"a compressed file":     {deflated(), audit.ErrVerify},
		"too many files":        {many(), audit.ErrVerify},
		"a file twice":          {rezip(t, append(slices.Clone(files), files[1])), audit.ErrVerify},
		"files that overlap":    {overlapping(t), audit.ErrVerify},
		"no manifest":           {rezip(t, files[1:]), audit.ErrFormat},
		"a manifest of another kind": {alter(t, bundle, "bundle.json", func(d []byte) []byte {
			return bytes.Replace(d, []byte("bundle.v1"), []byte("bundle.v2"), 1)
		}), audit.ErrVerify},
		"a manifest of nonsense sizes": {alter(t, bundle, "bundle.json", func(d []byte) []byte {
			return bytes.Replace(d, []byte(`"size":29`), []byte(`"size":0`), 1)
		}), audit.ErrVerify},
	} {
		if _, found, err := verify(t, c.bundle, audit.Trust{Genesis: w.Genesis()}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v, want %v", name, found, err, c.want)
		}
	}
	stray := append(slices.Clone(files), file{"notes.txt", []byte("x")})
	if _, found, err := verify(t, rezip(t, stray), audit.Trust{}); err != nil || len(found) != 1 || found[0].File != "notes.txt" {
		t.Errorf("a stray file: %v, %v", found, err)
	}
}

// overlapping is an archive whose table of contents names the same bytes under
// many names, so that they add up to more than there is.
func overlapping(t *testing.T) []byte {
	one := rezip(t, []file{{"a", bytes.Repeat([]byte("x"), 1000)}})
	end := bytes.LastIndex(one, []byte("PK\x05\x06"))
	start := bytes.LastIndex(one[:end], []byte("PK\x01\x02"))
	record, trailer := one[start:end], bytes.Clone(one[end:])
	b := bytes.Clone(one[:start])
	for i := range 3 {
		r := bytes.Clone(record)
		r[46] = byte('a' + i)
		b = append(b, r...)
	}
	trailer[8], trailer[10] = 3, 3
	size := 3 * len(record)
	trailer[12], trailer[13] = byte(size), byte(size>>8)
	return append(b, trailer...)
}

func TestWrongGenesisOfABundle(t *testing.T) {
	_, bundle := smallBundle(t)
	r, found, err := verify(t, bundle, audit.Trust{Genesis: strings.Repeat("ab", 32)})
	if err != nil || len(found) != 1 || found[0].Log != "dir" || found[0].Idx != 0 || r.Pinned {
		t.Fatal(r, found, err)
	}
	if r, found, err = verify(t, bundle, audit.Trust{}); err != nil || len(found) != 0 || r.Pinned || !strings.Contains(text(r), "Not pinned") {
		t.Fatal(r, found, err)
	}
}

// The same source and options give the same bytes.
func TestBundleIsDeterministic(t *testing.T) {
	w, bundle := smallBundle(t)
	if again := bundleOf(t, w, audit.Options{Made: w.At}); !bytes.Equal(bundle, again) {
		t.Error("two bundles of one ledger differ")
	}
}
