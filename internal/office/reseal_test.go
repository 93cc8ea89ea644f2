package office_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/scenario/demo"
)

// renew gives a desk another key, acknowledged by its second officer.
func renew(t *testing.T, w *demo.World, d *demo.Desk) int64 {
	t.Helper()
	epoch, err := at(t, w, d, 0, "").Rotate(t.Context(), d.ID, "yearly")
	check(t, err)
	check(t, at(t, w, d, 1, "").Acknowledge(t.Context(), d.ID))
	return epoch
}

// A key changes at the last moment, after all parts of a set arrived: the bodies
// are sealed again, the attachments neither sealed nor sent again.
func TestResealAtTheLastMoment(t *testing.T) {
	w := open(t)
	from, to, also := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry"), desk(t, w, "hppo-kraljevo", "prosecutor")
	content := bytes.Repeat([]byte("content of an attachment "), 5_000)
	for name, send := range map[string]func(p *program, drafts []office.Draft) ([]office.Sent, error){
		"message": func(p *program, drafts []office.Draft) ([]office.Sent, error) {
			one, err := p.Send(t.Context(), drafts[0])
			return []office.Sent{one}, err
		},
		"set": func(p *program, drafts []office.Draft) ([]office.Sent, error) { return p.SendSet(t.Context(), drafts) },
		"set, interrupted": func(p *program, drafts []office.Draft) ([]office.Sent, error) {
			inner := p.net.fail
			p.net.fail = func(r *http.Request, answered bool) error {
				if submission.MatchString(r.URL.Path) {
					return errCut
				}
				return nil
			}
			_, err := p.SendSet(t.Context(), drafts)
			id := unsent(t, err)
			p.net.fail = inner
			return p.Resume(t.Context(), id)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := at(t, w, from, 0, t.TempDir())
			check(t, p.Sync(t.Context()))
			drafts := []office.Draft{complaint(from.ID, to.ID), complaint(from.ID, also.ID)}
			for i := range drafts {
				drafts[i].Files = append(drafts[i].Files, file("a.bin", content))
			}
			submitted := 0
			p.net.failing(func(r *http.Request, answered bool) error {
				if submission.MatchString(r.URL.Path) && !answered {
					if submitted++; submitted == 1 {
						renew(t, w, to)
					}
				}
				return nil
			})
			all, err := send(p, drafts)
			check(t, err)
			if submitted != 2 {
				t.Errorf("submitted %d times", submitted)
			}
			for i, sent := range all {
				path := "PUT /v1/messages/" + sent.Msg + "/parts/"
				if attachments, bodies := p.net.count(path+"1"), p.net.count(path+"0"); attachments != 1 || bodies < 2 {
					t.Errorf("message %d: %d requests of its attachment, %d of its body", i, attachments, bodies)
				}
			}
			reader := at(t, w, to, 1, "")
			opened, err := reader.Read(t.Context(), to.ID, all[0].Msg)
			check(t, err)
			var out bytes.Buffer
			check(t, reader.Save(t.Context(), to.ID, opened, 0, &out))
			if !bytes.Equal(out.Bytes(), content) || opened.Text.Body != "body" {
				t.Error("another content came out")
			}
		})
	}
}

// Attachments that were swept at the exchange while the message waited go there
// again, and nothing is lost.
func TestResealAfterSweep(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	dir := t.TempDir()
	p := at(t, w, from, 0, dir)
	p.net.failing(cut(submission, false))
	d := complaint(from.ID, to.ID)
	d.Files = append(d.Files, file("a.bin", []byte("content")))
	_, err := p.Send(t.Context(), d)
	id := unsent(t, err)
	check(t, w.Clock.Forward(w.Clock.Now()+25*60*60*1000))
	check(t, w.Exchange.Sweep(t.Context()))
	again := at(t, w, from, 0, dir)
	again.net.failing(nil)
	all, err := again.Resume(t.Context(), id)
	check(t, err)
	if all[0].Msg != id || again.net.count("PUT /v1/messages/"+id+"/parts/1") != 1 {
		t.Errorf("%s, its attachment sent %d times", all[0].Msg, again.net.count("PUT /v1/messages/"+id+"/parts/1"))
	}
}

// A message to a desk that must renew its key first is kept, and says for whose key
// it waits; it goes once the key is there, or at once where it becomes immediate.
func TestWaitsForKey(t *testing.T) {
	w := open(t)
	from, to := desk(t, w, "swc-kraljevo", "legal"), desk(t, w, "hppo-kraljevo", "registry")
	dir := t.TempDir()
	p := at(t, w, from, 0, dir)
	renew(t, w, from) // the own desk's is fresh
	check(t, w.Clock.Forward(w.Clock.Now()+364*24*60*60*1000))
	renew(t, w, from)
	first, err := p.Send(t.Context(), complaint(from.ID, to.ID))
	check(t, err)
	check(t, w.Clock.Forward(w.Clock.Now()+48*60*60*1000)) // the other's has been too old for a day

	waiting := func(d office.Draft) string {
		t.Helper()
		p.net.failing(nil)
		_, err := p.Send(t.Context(), d)
		var u *office.Unsent
		var r *office.Refused
		if !errors.As(err, &u) || !errors.As(err, &r) || r.Code != "epoch_stale" || u.Waits() != to.ID {
			t.Fatalf("%v, want a message that waits", err)
		}
		if n := p.net.count("PUT"); n != 0 {
			t.Errorf("%d writes left this computer", n)
		}
		return u.ID
	}
	correction := complaint(from.ID, to.ID)
	correction.Kind, correction.Re, correction.Subj, correction.Urg = "correction", first.Msg, nil, "R"
	correction.Text.Fields = map[string]string{"corrected": "this"}
	urgent := waiting(correction)
	d := complaint(from.ID, to.ID)
	d.Files = append(d.Files, file("a.bin", []byte("content")))
	regular := waiting(d)

	if _, err := p.Resume(t.Context(), regular); !errors.As(err, new(*office.Unsent)) {
		t.Errorf("%v", err)
	}
	all, err := p.ResumeUrgent(t.Context(), urgent)
	check(t, err)
	if all[0].Msg != urgent || len(all[0].Cautions) == 0 {
		t.Errorf("%+v", all[0])
	}
	if _, err := p.ResumeUrgent(t.Context(), regular); err == nil {
		t.Error("a complaint became immediate, which the rules do not permit")
	}
	if _, err := at(t, w, from, 0, dir).Resume(t.Context(), regular); !errors.As(err, new(*office.Unsent)) {
		t.Errorf("%v: lost by what the rules refused", err)
	}
	renew(t, w, to)
	all, err = p.Resume(t.Context(), regular)
	check(t, err)
	opened, err := at(t, w, to, 1, "").Read(t.Context(), to.ID, all[0].Msg)
	check(t, err)
	if opened.Text.Body != "body" || len(opened.Att) != 1 {
		t.Errorf("%+v", opened.Letter)
	}
	// One's own desk keeps a copy, so its key matters too, and she is told that it is
	// her own.
	_, err = at(t, w, to, 0, "").Send(t.Context(), plainFrom(to.ID, from.ID, all[0]))
	check(t, err)
	check(t, w.Clock.Forward(w.Clock.Now()+366*24*60*60*1000))
	_, err = at(t, w, from, 0, dir).Send(t.Context(), complaint(from.ID, to.ID))
	var own *office.Unsent
	if !errors.As(err, &own) {
		t.Fatalf("%v", err)
	}
	renew(t, w, to)
	if _, err = at(t, w, from, 0, dir).Resume(t.Context(), own.ID); !errors.As(err, &own) || own.Waits() != from.ID || !strings.Contains(err.Error(), "your own desk") {
		t.Errorf("%v", err)
	}
	renew(t, w, from)
	_, err = at(t, w, from, 0, dir).Resume(t.Context(), own.ID)
	check(t, err)
}
