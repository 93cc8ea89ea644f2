package interop

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/api/request"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// openSite is a whole exchange behind HTTP, with a few messages on record, a
// quarter of an hour later: when the public may see them.
func openSite(t *testing.T) (*demo.World, *office.Office) {
	t.Helper()
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	w, err := demo.Open(t.Context(), demo.Options{Dir: t.TempDir(), Clock: demo.NewClock(start.UnixMilli()), Codes: []string{"swc-kraljevo", "hppo-kraljevo"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	o, from := officeOf(t, w, "swc-kraljevo", "legal")
	_, to := officeOf(t, w, "hppo-kraljevo", "registry")
	for range 5 {
		if err := o.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := o.Send(t.Context(), office.Draft{Desk: from, Family: "rs-a", Kind: "complaint", To: []string{to},
			Subj: []string{statement.NewID(statement.Person)}, Basis: messaging.Basis{Code: "legal-obligation", Purpose: "procedure"},
			Cats: []string{"identity"}, Facts: map[string]string{"complainant": "institution"},
			Text: envelope.Text{Subject: "subject", Body: "body", Fields: map[string]string{"facts-of-case": "facts", "indicators": "none", "age": "adult", "role": "authority"}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Published(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Clock.Forward(start.Add(16 * time.Minute).UnixMilli()); err != nil {
		t.Fatal(err)
	}
	return w, o
}

func officeOf(t *testing.T, w *demo.World, code, fn string) (*office.Office, string) {
	t.Helper()
	m, ok := w.Member(code)
	if !ok {
		t.Fatalf("no institution %s", code)
	}
	d, ok := m.Desk(fn)
	if !ok {
		t.Fatalf("%s has no desk %s", code, fn)
	}
	o, err := d.Office(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return o, d.ID
}

// signing signs every request as an officer, for clients of others.
type signing struct {
	o *office.Office
}

func (s signing) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	if err := request.Sign(req.Context(), req, nil, s.o.Keys.Signer(), s.o.Now(), request.NewNonce()); err != nil {
		return nil, err
	}
	return http.DefaultTransport.RoundTrip(req)
}

func keyOfLog(t *testing.T, o *office.Office, log ledger.Log) (note.Verifier, string) {
	t.Helper()
	vkey := o.Directory().Logs().Ev
	if log == ledger.Dir {
		vkey = o.Directory().Logs().Dir
	}
	v, err := ledger.ParseVerifierKey(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return v, vkey
}

// Outside tools read the evidence tree over HTTP as anyone may, and the
// directory as a member does: Tessera's fsck and torchwood's client find each
// entry under the checkpoint.
func TestOutsideToolsReadTheSite(t *testing.T) {
	w, o := openSite(t)
	for _, c := range []struct {
		log  ledger.Log
		http *http.Client
	}{
		{ledger.Ev, http.DefaultClient},
		{ledger.Ev, &http.Client{Transport: signing{o}}},
		{ledger.Dir, &http.Client{Transport: signing{o}}},
	} {
		v, vkey := keyOfLog(t, o, c.log)
		root, err := url.Parse(w.URL + "/" + c.log.String() + "/")
		if err != nil {
			t.Fatal(err)
		}
		fetch, err := client.NewHTTPFetcher(root, c.http)
		if err != nil {
			t.Fatal(err)
		}
		if err := fsckLog(t, v, fetch); err != nil {
			t.Errorf("%s: fsck: %v", c.log, err)
		}
		if n := torchwoodReads(t, root.String(), vkey, c.http); n < 5 {
			t.Errorf("%s: torchwood read %d entries", c.log, n)
		}
	}
}

// torchwoodReads counts the entries that torchwood's client reads and verifies,
// and lets it verify the proof of each as the site serves it.
func torchwoodReads(t *testing.T, base, vkey string, h *http.Client) (n int64) {
	t.Helper()
	policy, err := torchwood.ParsePolicy([]byte("log " + vkey + "\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	fetcher, err := torchwood.NewTileFetcher(base, torchwood.WithHTTPClient(h))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	signed, err := fetcher.ReadEndpoint(ctx, "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := torchwood.VerifyCheckpoint(signed, policy)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := torchwood.NewClient(fetcher)
	if err != nil {
		t.Fatal(err)
	}
	for idx, entry := range reader.AllEntries(ctx, c.Tree, 0) {
		proof, err := fetcher.ReadEndpoint(ctx, "proof/"+strconv.FormatInt(idx, 10))
		if err != nil {
			t.Fatal(err)
		}
		if err := torchwood.VerifyProof(policy, tlog.RecordHash(entry), proof); err != nil {
			t.Errorf("proof of entry %d: %v", idx, err)
		}
		n++
	}
	if err := reader.Err(); err != nil || n != c.N {
		t.Errorf("%d of %d entries: %v", n, c.N, err)
	}
	return n
}
