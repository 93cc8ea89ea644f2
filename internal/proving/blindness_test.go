package proving

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/messaging/envelope"
)

// wiretap keeps a copy of everything that travels between clients and server.
type wiretap struct {
	next http.RoundTripper
	mu   sync.Mutex
	seen bytes.Buffer
}

func (w *wiretap) note(parts ...[]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range parts {
		w.seen.Write(p)
		w.seen.WriteByte('\n')
	}
}

func (w *wiretap) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		w.note(body)
	}
	w.note([]byte(req.URL.String()), headerBytes(req.Header))
	resp, err := w.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	w.note(headerBytes(resp.Header), body)
	return resp, err
}

func headerBytes(h http.Header) []byte {
	var b bytes.Buffer
	h.Write(&b)
	return b.Bytes()
}

// sentinels are texts that stand in sealed places only.
var sentinels = []string{"Podrinjska 17a QXZ", "sentinel-of-the-body-5c1f", "Сведок из тела поруке", "tajna-priloga-8812", "naslov-za-oci-primaoca"}

// TestBlindness sends sentinels in every sealed place and looks for them in
// whatever the server has or sees: database, write-ahead log, folders, log lines
// and traffic, as they are, in hex and in base64 at each of its three phases.
//
// Of PostgreSQL it reads every file and, as some rows are compressed there, every
// row as text.
func TestBlindness(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		testBlindness(t, "", func(f *field, places map[string][]byte) {
			f.files(filepath.Dir(strings.TrimPrefix(f.Home.DSN(), "sqlite:")), places)
		})
	})
	t.Run("postgres", func(t *testing.T) {
		c := pgtest.Start(t, pgtest.Options{})
		db := c.Database(t)
		testBlindness(t, db, func(f *field, places map[string][]byte) {
			f.files(f.Home.Dir, places)
			f.files(c.Dir(), places)
			f.rows(c, pgtest.NameOf(db), places)
		})
	})
}

// files adds what lies in a folder.
func (f *field) files(folder string, places map[string][]byte) {
	f.must(filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		places[path] = data
		return err
	}))
}

// rows adds every table.
func (f *field) rows(c *pgtest.Cluster, database string, places map[string][]byte) {
	all := 0
	for _, table := range c.Query(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'odziv'") {
		rows := strings.Join(c.Query(database, "SELECT t::text FROM odziv."+table+" t"), "\n")
		all += len(rows)
		places["table "+table] = []byte(rows)
	}
	if all < 100_000 {
		f.t.Fatalf("the tables hold %d bytes: looked into too little", all)
	}
}

func testBlindness(t *testing.T, db string, look func(f *field, places map[string][]byte)) {
	tap := &wiretap{next: &http.Transport{DisableCompression: true}}
	f := openField(t, func(o *demo.Options) { o.Transport, o.DB = tap, db })
	swc, legal := f.office("swc-kraljevo", "legal")
	ppo, registry := f.office("hppo-kraljevo", "registry")
	d := f.complaint(legal, registry)
	d.Text = envelope.Text{Subject: sentinels[4], Body: sentinels[1] + " " + sentinels[2],
		Fields: map[string]string{"facts-of-case": sentinels[0], "indicators": "none", "age": "adult", "role": "authority"}}
	content := strings.Repeat(sentinels[3]+"\n", 5000)
	d.Files = []envelope.File{{Name: sentinels[3] + ".txt", Type: "text/plain", Size: int64(len(content)), Content: strings.NewReader(content)}}
	sent, err := swc.Send(t.Context(), d)
	f.must(err)
	opened, err := ppo.Read(t.Context(), registry, sent.Msg)
	f.must(err)
	var saved bytes.Buffer
	f.must(ppo.Save(t.Context(), registry, opened, 0, &saved))
	if saved.String() != content || opened.Text.Subject != sentinels[4] || !strings.Contains(opened.Text.Body, sentinels[2]) {
		t.Fatal("the recipient did not get what was sent")
	}
	places := map[string][]byte{"log": f.log.Bytes(), "traffic": tap.seen.Bytes()}
	look(f, places)
	if len(places) < 4 || len(places["traffic"]) < 100_000 || len(places["log"]) == 0 {
		t.Fatalf("looked into too little: %d places", len(places))
	}
	for _, sentinel := range sentinels {
		for form, needle := range spellings(sentinel) {
			for place, data := range places {
				if bytes.Contains(data, needle) {
					t.Errorf("%s shows %q in %s", place, sentinel, form)
				}
			}
		}
	}
}

// spellings are the forms under which a text may hide.
func spellings(text string) map[string][]byte {
	forms := map[string][]byte{
		"clear": []byte(text),
		"hex":   []byte(hex.EncodeToString([]byte(text))),
		"HEX":   []byte(strings.ToUpper(hex.EncodeToString([]byte(text)))),
	}
	for phase := range 3 {
		padded := strings.Repeat("\x00", phase) + text
		for name, enc := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
			coded := enc.EncodeToString([]byte(padded))
			forms[name+string(rune('0'+phase))] = []byte(coded[4*((phase+2)/3) : len(coded)-4])
		}
	}
	return forms
}

// TestSpellingsFind makes sure that the search would find what it looks for.
func TestSpellingsFind(t *testing.T) {
	text := sentinels[1]
	for lead := range 3 {
		hay := []byte(strings.Repeat("x", lead) + text + "tail of the text")
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			found := false
			for _, needle := range spellings(text) {
				found = found || bytes.Contains([]byte(enc.EncodeToString(hay)), needle)
			}
			if !found {
				t.Errorf("base64 with %d bytes before is not found", lead)
			}
		}
	}
}
