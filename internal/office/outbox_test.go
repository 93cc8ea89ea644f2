package office_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

var (
	errCut     = errors.New("the line is cut")
	submission = regexp.MustCompile(`^/v1/(messages/m_[a-z2-7]+|sets/n_[a-z2-7]+)$`)
	parts      = regexp.MustCompile(`^/v1/messages/m_[a-z2-7]+/parts/[0-9]+$`)
)

// cut loses requests to a path, or, once they were answered, the answers.
func cut(path *regexp.Regexp, answers bool) func(*http.Request, bool) error {
	return func(r *http.Request, answered bool) error {
		if r.Method == http.MethodPut && path.MatchString(r.URL.Path) && answered == answers {
			return errCut
		}
		return nil
	}
}

// unsent wants a message that is kept and can go on.
func unsent(t *testing.T, err error) string {
	t.Helper()
	var u *office.Unsent
	if !errors.As(err, &u) || !errors.Is(err, errCut) {
		t.Fatalf("%v, want a message that is kept", err)
	}
	return u.ID
}

// Wherever the line is cut, the message goes on with another run of the
// program, and is on record once.
func TestResume(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	content := bytes.Repeat([]byte("content of an attachment "), 400_000) // 10 MB: two chunks
	for name, fail := range map[string]func(*http.Request, bool) error{
		"before the first part": cut(parts, false),
		"after the first part":  cut(parts, true),
		"before the submission": cut(submission, false),
		"after the submission":  cut(submission, true),
		"when keys are asked":   func(r *http.Request, _ bool) error { return lose(strings.HasPrefix(r.URL.Path, "/v1/keys/")) },
		"in the second of parts": func(r *http.Request, _ bool) error {
			return lose(parts.MatchString(r.URL.Path) && r.URL.Query().Get("off") != "0")
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p := at(t, w, from, 0, dir).fresh(t)
			d := complaint(from.ID, to.ID)
			d.Files = append(d.Files, file("a.bin", content))
			p.net.failing(fail)
			_, err := p.Send(t.Context(), d)
			id := unsent(t, err)

			again := at(t, w, from, 0, dir)
			if ids, err := again.Notebook.Outbox(); err != nil || len(ids) != 1 || ids[0] != id {
				t.Fatalf("%v %v", ids, err)
			}
			all, err := again.Resume(t.Context(), id)
			check(t, err)
			if len(all) != 1 || all[0].Msg != id {
				t.Errorf("%+v", all)
			}
			if _, err := os.Stat(filepath.Join(dir, "outbox", id)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("left in the outbox: %v", err)
			}
			if n := onRecord(t, w, id); n != 1 {
				t.Errorf("on record %d times", n)
			}
			reader := at(t, w, to, 0, "")
			opened, err := reader.Read(t.Context(), to.ID, id)
			check(t, err)
			var out bytes.Buffer
			check(t, reader.Save(t.Context(), to.ID, opened, 0, &out))
			if !bytes.Equal(out.Bytes(), content) || opened.Text.Body != "body" {
				t.Error("another content came out")
			}
		})
	}
}

func lose(is bool) error {
	if is {
		return errCut
	}
	return nil
}

// onRecord counts the submissions of a message.
func onRecord(t *testing.T, w *demo.World, msg string) int {
	t.Helper()
	n := 0
	check(t, w.Exchange.Store.Read(t.Context(), func(v exchange.View) error {
		return v.Openings(t.Context(), 0, func(_ int64, o evidence.Opening) error {
			meta, _, err := o.Decode()
			if err == nil && meta.Ev == evidence.MessageSubmitted && meta.Obj == msg {
				n++
			}
			return err
		})
	}))
	return n
}

// A set goes on as a set.
func TestResumeSet(t *testing.T) {
	w := open(t)
	from, to, also := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry"), desk(t, w, "hppo-kraljevo", "prosecutor")
	dir := t.TempDir()
	p := at(t, w, from, 0, dir)
	for _, answers := range []bool{false, true} {
		p.net.failing(cut(submission, answers))
		_, err := p.SendSet(t.Context(), []office.Draft{complaint(from.ID, to.ID), complaint(from.ID, also.ID)})
		id := unsent(t, err)
		if !strings.HasPrefix(id, "n_") {
			t.Fatalf("called %s", id)
		}
		all, err := at(t, w, from, 0, dir).Resume(t.Context(), id)
		check(t, err)
		if len(all) != 2 || all[0].Item.Idx+1 != all[1].Item.Idx {
			t.Errorf("%+v", all)
		}
	}
	for n, ok := range map[int]bool{1: false, 2: true, 17: false} {
		p.net.failing(nil)
		drafts := []office.Draft{}
		for range n {
			drafts = append(drafts, complaint(from.ID, to.ID))
		}
		var refused *office.Refused
		if _, err := p.SendSet(t.Context(), drafts); (err == nil) != ok || !ok && !errors.As(err, &refused) {
			t.Errorf("%d messages: %v", n, err)
		}
	}
}

// What was too long on its way is sealed again under its id, its attachments
// staying as they are; so is what was sealed to a key that is no more used.
func TestSealedAgain(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	content := []byte("content")
	for name, meanwhile := range map[string]func(t *testing.T){
		"eleven minutes": func(t *testing.T) { check(t, w.Clock.Forward(w.Clock.Now()+11*60*1000)) },
		"a new key": func(t *testing.T) {
			_, err := at(t, w, to, 0, "").Rotate(t.Context(), to.ID, "yearly")
			check(t, err)
			check(t, at(t, w, to, 1, "").Acknowledge(t.Context(), to.ID))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p := at(t, w, from, 0, dir)
			p.net.failing(cut(submission, false))
			d := complaint(from.ID, to.ID)
			d.Files = append(d.Files, file("a.bin", content))
			d.Acts = []messaging.Act{{Op: messaging.OpDeclare, Rule: "report-to-center"}}
			_, err := p.Send(t.Context(), d)
			id := unsent(t, err)
			meanwhile(t)
			before := partsSigned(t, dir, id, 0)
			again := at(t, w, from, 0, dir)
			again.net.failing(nil)
			all, err := again.Resume(t.Context(), id)
			check(t, err)
			if n := again.net.count("PUT /v1/messages/" + id + "/parts/1"); n != 0 || all[0].Msg != id {
				t.Errorf("%s for %s, the attachment sent %d times more", all[0].Msg, id, n)
			}
			if after := partsOf(t, all[0]); !slices.Equal(after, before) {
				t.Errorf("attachments %v, were %v", after, before)
			}
			reader := at(t, w, to, 0, "")
			opened, err := reader.Read(t.Context(), to.ID, all[0].Msg)
			check(t, err)
			var out bytes.Buffer
			check(t, reader.Save(t.Context(), to.ID, opened, 0, &out))
			if !bytes.Equal(out.Bytes(), content) {
				t.Errorf("%q", out.Bytes())
			}
		})
	}
}

// partsSigned are the attachments that a kept message of the outbox names.
func partsSigned(t *testing.T, dir, id string, i int) []messaging.Part {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "outbox", id, fmt.Sprintf("%d.notice.json", i)))
	check(t, err)
	d, err := statement.ParseDSSE(raw)
	check(t, err)
	n, err := messaging.Parse(d)
	check(t, err)
	return n.Core.Parts
}

func partsOf(t *testing.T, s office.Sent) []messaging.Part {
	t.Helper()
	n, err := messaging.Parse(s.Priv.Stmt)
	check(t, err)
	return n.Core.Parts
}

// What the exchange refuses is not kept; nobody could send it.
func TestRefusedIsNotKept(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	dir := t.TempDir()
	p := at(t, w, from, 0, dir)
	d := complaint(from.ID, to.ID)
	d.Acts = []messaging.Act{{Op: messaging.OpFulfil, ID: "o_iyesbzvz7j4goqjtp6o74voom4", Value: "known"}}
	if _, err := p.Send(t.Context(), d); !office.IsCode(err, "obl_unknown") {
		t.Errorf("%v", err)
	}
	if ids, err := p.Notebook.Outbox(); err != nil || len(ids) != 0 {
		t.Errorf("%v %v", ids, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "outbox", "*")); len(left) != 0 {
		t.Errorf("%v", left)
	}
}

// The outbox shows nobody what is in it, and a foreign or damaged one is
// refused.
func TestOutboxIsSealed(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	dir := t.TempDir()
	p := at(t, w, from, 0, dir)
	p.net.failing(cut(submission, false))
	d := complaint(from.ID, to.ID)
	d.Text.Body, d.Text.Subject = "sentinel-body", "sentinel-subject"
	d.Files = append(d.Files, file("sentinel-name.bin", []byte("sentinel-content")))
	_, err := p.Send(t.Context(), d)
	id := unsent(t, err)
	check(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte("sentinel")) || bytes.Contains(data, []byte("AGE-SECRET")) {
			t.Errorf("%s shows what is sealed", path)
		}
		info, _ := e.Info()
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", path, info.Mode())
		}
		return err
	}))
	// A colleague's program cannot read it.
	if _, err := at(t, w, from, 1, dir).Resume(t.Context(), id); !errors.Is(err, office.ErrDamaged) {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"drafts.age", "0.notice.json"} {
		path := filepath.Join(dir, "outbox", id, name)
		good := flip(t, path)
		if _, err := at(t, w, from, 0, dir).Resume(t.Context(), id); !errors.Is(err, office.ErrDamaged) {
			t.Errorf("a changed %s: %v", name, err)
		}
		check(t, os.WriteFile(path, good, 0o600))
	}
	_, err = at(t, w, from, 0, dir).Resume(t.Context(), id)
	check(t, err)
}

// flip changes the last byte of a file and returns what it was.
func flip(t *testing.T, path string) []byte {
	t.Helper()
	good, err := os.ReadFile(path)
	check(t, err)
	bad := bytes.Clone(good)
	bad[len(bad)-1] ^= 1
	check(t, os.WriteFile(path, bad, 0o600))
	return good
}

// Ciphertext that changed while it waited is refused by the exchange: the
// message names its digest.
func TestOutboxChangedPart(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	dir := t.TempDir()
	p := at(t, w, from, 0, dir)
	p.net.failing(cut(parts, false))
	d := complaint(from.ID, to.ID)
	d.Files = append(d.Files, file("a.bin", []byte("content")))
	_, err := p.Send(t.Context(), d)
	id := unsent(t, err)
	flip(t, filepath.Join(dir, "outbox", id, "0.1.age"))
	if _, err := at(t, w, from, 0, dir).Resume(t.Context(), id); !office.IsCode(err, "part_missing") {
		t.Errorf("%v", err)
	}
	if n := onRecord(t, w, id); n != 0 {
		t.Errorf("on record %d times", n)
	}
}

// While one run of the program sends a parcel no other goes on with it or
// forgets it.
func TestOneSenderAtATime(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	dir := t.TempDir()
	p := at(t, w, from, 0, dir)
	p.net.failing(cut(submission, false))
	_, err := p.Send(t.Context(), complaint(from.ID, to.ID))
	id := unsent(t, err)
	other := at(t, w, from, 0, dir).fresh(t)
	tried := false
	p.net.failing(func(r *http.Request, answered bool) error {
		if !submission.MatchString(r.URL.Path) || answered || tried {
			return nil
		}
		tried = true
		if _, err := other.Resume(t.Context(), id); !errors.Is(err, office.ErrSending) {
			t.Errorf("two send it: %v", err)
		}
		if err := other.Notebook.Discard(id); !errors.Is(err, office.ErrSending) {
			t.Errorf("forgotten on its way: %v", err)
		}
		return nil
	})
	_, err = p.Resume(t.Context(), id)
	check(t, err)
	if n := onRecord(t, w, id); n != 1 || !tried {
		t.Errorf("on record %d times, tried %v", n, tried)
	}
	if _, err := other.Resume(t.Context(), id); !errors.Is(err, office.ErrNoParcel) {
		t.Errorf("%v", err)
	}
}
