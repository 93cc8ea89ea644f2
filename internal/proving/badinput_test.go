package proving

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/api/request"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// client is an officer's connection over HTTP, whose clock is wrong by so much.
func (s *sender) client(wrong time.Duration, transport http.RoundTripper) *client.Client {
	s.f.t.Helper()
	clock := func() int64 { return s.f.Clock.Now() + wrong.Milliseconds() }
	c, err := client.New(s.f.URL, s.signer(), clock, client.Options{Attempts: 1, Transport: transport})
	s.f.must(err)
	return c
}

// refused wants a problem with a code, a status and something to do about it.
func refused(t *testing.T, err error, status int, code string) {
	t.Helper()
	var p *wire.Problem
	switch {
	case !errors.As(err, &p):
		t.Errorf("%v, want the problem %s", err, code)
	case p.Code != code || p.Status != status:
		t.Errorf("%s with %d, want %s with %d", p.Code, p.Status, code, status)
	case p.Hint == "" && p.Detail == "":
		t.Errorf("%s says nothing about what to do", p.Code)
	}
}

// put uploads a message's body and submits it over HTTP.
func (s *sender) put(t *testing.T, core messaging.Core, to *demo.Desk, change func(*messaging.Core)) error {
	t.Helper()
	if change != nil {
		change(&core)
	}
	_, raw, err := s.seal(t.Context(), core, to, map[string]string{})
	s.f.must(err)
	_, err = s.client(0, nil).PutMessage(t.Context(), core.Msg, raw)
	return err
}

// sizes are how many leaves both trees have.
func (f *field) sizes() [2]int64 {
	f.t.Helper()
	dir, ev, err := f.Sizes(context.Background())
	f.must(err)
	return [2]int64{dir, ev}
}

// TestBadInput sends, one after the other, what an exchange must refuse. Each
// gets its code and a word on what to do; a refusal by rule is one leaf and
// spends the id, anything else leaves no trace; a good message passes after each.
func TestBadInput(t *testing.T) {
	f := openField(t, func(o *demo.Options) { o.Dir = memoryDir(t) })
	swc, ppo := f.sender("swc-kraljevo", "legal"), f.sender("hppo-kraljevo", "registry")
	ngo, police := f.sender("ngo-a", "case"), f.sender("police-kraljevo", "intake")
	basis := messaging.Basis{Code: "legal-obligation", Purpose: "procedure"}
	complaint := func(change func(*messaging.Core)) func() error {
		return func() error { return swc.put(t, swc.core("complaint", basis), ppo.desk, change) }
	}
	expired, narrow := f.consents(ngo, police)
	referral := func(k consent.Statement, to *demo.Desk) func() error {
		return func() error {
			core := ngo.core("referral", messaging.Basis{Code: "consent", Purpose: "assistance", Consents: []messaging.ConsentRef{{ID: k.ID, Ver: 1}}})
			core.Case, core.Subj = k.Case, []string{k.Subj}
			return ngo.put(t, core, to, nil)
		}
	}
	for name, tt := range map[string]struct {
		try    func() error
		status int
		code   string
		leaf   int64
	}{
		"a key nobody knows":            {f.stranger(t), 401, "signature", 0},
		"signed by another":             {f.signedByAnother(t, swc, ppo), 403, "signer", 0},
		"acting for another's desk":     {f.impostor(t, swc, ppo), 403, "sender", 1},
		"an expired consent":            {referral(expired, police.desk), 403, "consent_time", 1},
		"a recipient outside the scope": {referral(narrow, f.sender("nes-nis", "case").desk), 403, "consent_recipient", 1},
		"an unknown kind":               {complaint(func(c *messaging.Core) { c.Kind = "complain" }), 422, "kind", 1},
		"a pack that is not in force":   {complaint(func(c *messaging.Core) { c.Pack = "rs-a@2" }), 409, "pack", 1},
		"a fact that is none":           {complaint(func(c *messaging.Core) { c.Facts = map[string]string{"age": "child"} }), 422, "facts", 1},
		"a basis that is none":          {complaint(func(c *messaging.Core) { c.Basis.Code = "public-task" }), 403, "basis", 1},
		"written ten minutes ahead":     {complaint(func(c *messaging.Core) { c.Created += 11 * 60_000 }), 422, "created", 0},
		"written ten minutes ago":       {complaint(func(c *messaging.Core) { c.Created -= 11 * 60_000 }), 422, "created", 0},
		"a directory there never was":   {complaint(func(c *messaging.Core) { c.Dir.Root = bytes.Repeat([]byte{1}, 32) }), 409, "dir_unknown", 0},
		"a part that never came":        {f.truncated(t, swc, ppo, 0), 409, "part_missing", 0},
		"an attachment without its end": {f.truncated(t, swc, ppo, 1), 409, "part_missing", 0},
		"an attachment cut at a chunk":  {f.truncated(t, swc, ppo, 2), 409, "part_missing", 0},
		"malformed JSON":                {f.raw(t, swc, `{"payload":`), 400, "malformed", 0},
		"a member twice":                {f.raw(t, swc, `{"payload":"e30=","payload":"e30=","payloadType":"application/vnd.odziv.notice.v1+json","signatures":[]}`), 400, "malformed", 0},
		"a member nobody knows":         {f.raw(t, swc, `{"payload":"e30=","payloadType":"application/vnd.odziv.notice.v1+json","signatures":[],"x":1}`), 400, "malformed", 0},
		"something after the end":       {f.raw(t, swc, `{"payload":"e30=","payloadType":"application/vnd.odziv.notice.v1+json","signatures":[]} `), 400, "malformed", 0},
		"a payload with a member twice": {f.signedPayload(t, swc, `{"body":{},"body":{},"v":1}`), 400, "malformed", 0},
		"nothing":                       {f.raw(t, swc, ""), 400, "malformed", 0},
	} {
		t.Run(name, func(t *testing.T) {
			before := f.sizes()
			refused(t, tt.try(), tt.status, tt.code)
			if after := f.sizes(); after[0] != before[0] || after[1] != before[1]+tt.leaf {
				t.Errorf("leaves %v, were %v, want %d more", after, before, tt.leaf)
			}
			if err := complaint(nil)(); err != nil {
				t.Errorf("a good message after it: %v", err)
			}
		})
	}
	sound(t, f.Exchange.Store, f.World)
}

// consents are one that has expired and one for the police alone.
func (f *field) consents(ngo, police *sender) (expired, narrow consent.Statement) {
	subj := statement.NewID(statement.Person)
	expired = ngo.consentTo(statement.NewID(statement.Case), subj, police.desk)
	expired.NA = f.Clock.Now() + hour
	narrow = ngo.consentTo(statement.NewID(statement.Case), subj, police.desk)
	for _, st := range []consent.Statement{expired, narrow} {
		_, err := ngo.record(context.Background(), consent.Given, st)
		f.must(err)
	}
	f.must(f.Clock.Forward(f.Clock.Now() + 2*hour))
	return expired, narrow
}

// stranger asks with a key that nobody enrolled.
func (f *field) stranger(t *testing.T) func() error {
	return func() error {
		c, err := client.New(f.URL, statement.NewSigningKey(bytes.Repeat([]byte{7}, 32)), f.Clock.Now, client.Options{Attempts: 1})
		f.must(err)
		_, err = c.PutMessage(t.Context(), statement.NewID(statement.Message), []byte("{}"))
		return err
	}
}

// signedByAnother submits somebody else's message.
func (f *field) signedByAnother(t *testing.T, swc, ppo *sender) func() error {
	return func() error {
		core := swc.core("complaint", messaging.Basis{Code: "legal-obligation", Purpose: "procedure"})
		_, raw, err := swc.seal(t.Context(), core, ppo.desk, map[string]string{})
		f.must(err)
		_, err = ppo.client(0, nil).PutMessage(t.Context(), core.Msg, raw)
		return err
	}
}

// impostor submits a message for a desk of the institution that the officer is
// not a member of.
func (f *field) impostor(t *testing.T, swc, ppo *sender) func() error {
	return func() error {
		intake := f.sender("swc-kraljevo", "intake")
		core := swc.core("complaint", messaging.Basis{Code: "legal-obligation", Purpose: "procedure"})
		core.From.Desk = intake.desk.ID
		sealer, err := envelope.NewSealer(core.Msg)
		f.must(err)
		sealed, err := sealer.Seal(t.Context(), envelope.Draft{Core: core, Text: envelope.Text{Fields: map[string]string{}},
			To: []envelope.Addressee{swc.addressee(ppo.desk, messaging.RoleTo), swc.addressee(intake.desk, messaging.RoleSelf)}}, swc.signer())
		f.must(err)
		c := swc.client(0, nil)
		f.must(c.UploadPart(t.Context(), core.Msg, 0, bytes.NewReader(sealed.Body), int64(len(sealed.Body)), nil))
		raw, err := sealed.Notice.DSSE.Encode()
		f.must(err)
		_, err = c.PutMessage(t.Context(), core.Msg, raw)
		return err
	}
}

// truncated submits a message whose attachment did not arrive whole: not at all
// (0), without its last bytes (1), or up to the end of a chunk (2).
func (f *field) truncated(t *testing.T, swc, ppo *sender, how int) func() error {
	return func() error {
		core := swc.core("complaint", messaging.Basis{Code: "legal-obligation", Purpose: "procedure"})
		sealer, err := envelope.NewSealer(core.Msg)
		f.must(err)
		content := bytes.Repeat([]byte("a"), 3<<20)
		var part bytes.Buffer
		_, err = sealer.Attach(t.Context(), envelope.File{Name: "a.bin", Type: "a/b", Size: int64(len(content)), Content: bytes.NewReader(content)}, &part)
		f.must(err)
		sealed, err := sealer.Seal(t.Context(), envelope.Draft{Core: core, Text: envelope.Text{Fields: map[string]string{}},
			To: []envelope.Addressee{swc.addressee(ppo.desk, messaging.RoleTo), swc.addressee(swc.desk, messaging.RoleSelf)}}, swc.signer())
		f.must(err)
		c := swc.client(0, nil)
		f.must(c.UploadPart(t.Context(), core.Msg, 0, bytes.NewReader(sealed.Body), int64(len(sealed.Body)), nil))
		if cut := []int{0, part.Len() - 16, 2 << 20}[how]; cut > 0 {
			f.must(c.UploadPart(t.Context(), core.Msg, 1, bytes.NewReader(part.Bytes()[:cut]), int64(cut), nil))
		}
		raw, err := sealed.Notice.DSSE.Encode()
		f.must(err)
		_, err = c.PutMessage(t.Context(), core.Msg, raw)
		return err
	}
}

// raw submits bytes as they are.
func (f *field) raw(t *testing.T, s *sender, body string) func() error {
	return func() error {
		_, err := s.client(0, nil).PutMessage(t.Context(), statement.NewID(statement.Message), []byte(body))
		return err
	}
}

// signedPayload submits a well-made statement around a payload that is none.
func (f *field) signedPayload(t *testing.T, s *sender, payload string) func() error {
	return func() error {
		d, err := statement.Sign(t.Context(), statement.TypeNotice, []byte(payload), s.signer())
		f.must(err)
		raw, err := d.Encode()
		f.must(err)
		return f.raw(t, s, string(raw))()
	}
}

// recorder keeps the submissions that pass, with headers and body.
type recorder struct {
	mu   sync.Mutex
	seen []*http.Request
	body [][]byte
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	if req.Method == http.MethodPut && !strings.Contains(req.URL.Path, "/parts/") {
		r.mu.Lock()
		r.seen, r.body = append(r.seen, req.Clone(context.Background())), append(r.body, body)
		r.mu.Unlock()
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(req)
}

// TestReplayedRequest records a submission on its way and sends it again, byte
// for byte: once is all it counts.
func TestReplayedRequest(t *testing.T) {
	f := openField(t, func(o *demo.Options) { o.Dir = memoryDir(t) })
	swc, ppo := f.sender("swc-kraljevo", "legal"), f.sender("hppo-kraljevo", "registry")
	core := swc.core("complaint", messaging.Basis{Code: "legal-obligation", Purpose: "procedure"})
	_, raw, err := swc.seal(t.Context(), core, ppo.desk, map[string]string{})
	f.must(err)
	tap := &recorder{}
	item, err := swc.client(0, tap).PutMessage(t.Context(), core.Msg, raw)
	f.must(err)
	before := f.sizes()
	for range 2 {
		req := tap.seen[0].Clone(t.Context())
		req.Body = io.NopCloser(bytes.NewReader(tap.body[0]))
		resp, err := http.DefaultTransport.RoundTrip(req)
		f.must(err)
		answer, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized || !bytes.Contains(answer, []byte(`"nonce"`)) || !bytes.Contains(answer, []byte(`"hint"`)) {
			t.Errorf("%d %s", resp.StatusCode, answer)
		}
	}
	// The same message signed anew is no replay: it gets the answer of then.
	again, err := swc.client(0, nil).PutMessage(t.Context(), core.Msg, raw)
	f.must(err)
	if again.Idx != item.Idx || !bytes.Equal(again.Priv, item.Priv) || f.sizes() != before {
		t.Errorf("index %d, was %d", again.Idx, item.Idx)
	}
}

// TestWrongClock lets an officer's computer be ten minutes off, and an hour: the
// exchange says so, the program dates by the exchange's clock, and the message
// passes.
func TestWrongClock(t *testing.T) {
	f := openField(t, func(o *demo.Options) { o.Dir = memoryDir(t) })
	swc, ppo := f.sender("swc-kraljevo", "legal"), f.sender("hppo-kraljevo", "registry")
	for _, wrong := range []time.Duration{10 * time.Minute, -10 * time.Minute, time.Hour, -time.Hour} {
		c := swc.client(wrong, nil)
		core := swc.core("complaint", messaging.Basis{Code: "legal-obligation", Purpose: "procedure"})
		_, raw, err := swc.seal(t.Context(), core, ppo.desk, map[string]string{})
		f.must(err)
		if _, err := c.PutMessage(t.Context(), core.Msg, raw); err != nil {
			t.Errorf("%v: %v", wrong, err)
		}
		if off := time.Duration(c.Offset()) * time.Millisecond; (off + wrong).Abs() > 2*time.Second {
			t.Errorf("%v: corrected by %v", wrong, off)
		}
		// Told from the outside, without the program's correction.
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL+wire.PathFeed+"?desk="+swc.desk.ID, nil)
		f.must(err)
		f.must(request.Sign(t.Context(), req, nil, swc.signer(), f.Clock.Now()+wrong.Milliseconds(), request.NewNonce()))
		resp, err := http.DefaultTransport.RoundTrip(req)
		f.must(err)
		answer, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 401 || !bytes.Contains(answer, []byte(`"clock-skew"`)) || resp.Header.Get("Date") == "" {
			t.Errorf("%v: %d %s", wrong, resp.StatusCode, answer)
		}
	}
}

// jumping is a clock whose steady reading does not follow it.
type jumping struct {
	mu        sync.Mutex
	now, mono int64
}

func (c *jumping) Now() int64       { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *jumping) Monotonic() int64 { c.mu.Lock(); defer c.mu.Unlock(); return c.mono }

func (c *jumping) jump(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += by.Milliseconds()
}

// TestServerClockJumps moves the server's own clock by ten minutes, both ways:
// nothing is written until it is right again.
func TestServerClockJumps(t *testing.T) { onEach(t, testServerClockJumps) }

func testServerClockJumps(t *testing.T, e engine) {
	f := openField(t, e.place(t))
	swc, ppo := f.sender("swc-kraljevo", "legal"), f.sender("hppo-kraljevo", "registry")
	f.must(f.Clock.Forward(f.Clock.Now() + hour)) // so that nobody's term begins after the jump
	clock := &jumping{now: f.Clock.Now(), mono: 1}
	config := f.Exchange.Config
	config.Clock = clock
	x := f.serving(t, config)
	try := func() error {
		core := swc.core("complaint", messaging.Basis{Code: "legal-obligation", Purpose: "procedure"})
		_, raw, err := swc.seal(t.Context(), core, ppo.desk, map[string]string{})
		f.must(err)
		_, err = x.SubmitMessage(t.Context(), swc.caller(), core.Msg, raw)
		return err
	}
	f.must(try())
	for _, by := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		before := f.sizes()
		clock.jump(by)
		r, ok := exchange.AsRefusal(try())
		if !ok || r.Code != "clock" || r.Class != exchange.Unavailable || r.Hint == "" {
			t.Errorf("%v: %v", by, r)
		}
		if f.sizes() != before {
			t.Errorf("%v: something was written", by)
		}
		clock.jump(-by)
		if err := try(); err != nil {
			t.Errorf("%v, and back: %v", by, err)
		}
	}
}

// TestHugeBody claims two gigabytes, and streams without end: the answer comes
// before the bytes.
func TestHugeBody(t *testing.T) {
	f := openField(t, func(o *demo.Options) { o.Dir = memoryDir(t) })
	swc := f.sender("swc-kraljevo", "legal")
	msg := statement.NewID(statement.Message)
	for _, path := range []string{wire.Path(wire.PathMessage, msg), wire.Path(wire.PathPart, msg, "1") + "?off=0"} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s chunked=%v", path[:8], chunked), func(t *testing.T) {
				answer, sent := f.flood(t, swc, path, chunked)
				if !strings.HasPrefix(answer, "HTTP/1.1 413 ") || !strings.Contains(answer, `"too_large"`) || !strings.Contains(answer, `"hint"`) {
					t.Errorf("%.300s", answer)
				}
				if sent > 32<<20 {
					t.Errorf("%d bytes were taken", sent)
				}
			})
		}
	}
	core := swc.core("complaint", messaging.Basis{Code: "legal-obligation", Purpose: "procedure"})
	if err := swc.put(t, core, f.sender("hppo-kraljevo", "registry").desk, nil); err != nil {
		t.Errorf("a good message after it: %v", err)
	}
}

// flood sends a signed request whose body is two gigabytes, until it is answered
// or hung up on, and returns the answer and how much was taken.
func (f *field) flood(t *testing.T, s *sender, path string, chunked bool) (answer string, sent int64) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, f.URL+path, nil)
	f.must(err)
	f.must(request.Sign(t.Context(), req, []byte("another body"), s.signer(), f.Clock.Now(), request.NewNonce()))
	host := strings.TrimPrefix(f.URL, "http://")
	conn, err := net.Dial("tcp", host)
	f.must(err)
	defer conn.Close()
	var head bytes.Buffer
	fmt.Fprintf(&head, "PUT %s HTTP/1.1\r\nHost: %s\r\n", path, host)
	f.must(req.Header.Write(&head))
	length := "Content-Length: 2147483648\r\n\r\n"
	if chunked {
		length = "Transfer-Encoding: chunked\r\n\r\n"
	}
	head.WriteString(length)
	_, err = conn.Write(head.Bytes())
	f.must(err)
	answered := make(chan string, 1)
	go func() {
		buf := make([]byte, 8<<10)
		n, _ := io.ReadAtLeast(conn, buf, 400)
		answered <- string(buf[:n])
	}()
	piece := bytes.Repeat([]byte("x"), 1<<20)
	f.must(conn.SetWriteDeadline(time.Now().Add(20 * time.Second)))
	for sent < 2<<30 {
		select {
		case answer := <-answered:
			return answer, sent
		default:
		}
		if chunked {
			fmt.Fprintf(conn, "%x\r\n", len(piece))
		}
		n, err := conn.Write(piece)
		sent += int64(n)
		if chunked {
			io.WriteString(conn, "\r\n")
		}
		if err != nil {
			break
		}
	}
	return <-answered, sent
}

// TestStaleEpochs: a key that was replaced is refused at once; one whose holder
// left is warned about for a day, then refused, except in danger.
func TestStaleEpochs(t *testing.T) {
	f := openField(t, func(o *demo.Options) { o.Dir = memoryDir(t) })
	swc, ppo, center := f.sender("swc-kraljevo", "legal"), f.sender("hppo-kraljevo", "registry"), f.sender("center", "office")
	complaint := func(change func(*messaging.Core)) error {
		core := swc.core("complaint", messaging.Basis{Code: "legal-obligation", Purpose: "procedure"})
		core.Dir = f.dirHead()
		return swc.put(t, core, ppo.desk, change)
	}
	report := func(urgency string) error {
		core := swc.core("suspicion-report", messaging.Basis{Code: "legal-obligation", Purpose: "identification"})
		core.Dir, core.Urg = f.dirHead(), urgency
		return swc.put(t, core, center.desk, nil)
	}
	f.must(complaint(nil))

	// Replaced: the program seals again by itself, a foreign one is told.
	o, desk := f.office("hppo-kraljevo", "registry")
	_, err := o.Rotate(t.Context(), desk, "yearly")
	f.must(err)
	f.must(complaint(nil)) // made, and not yet confirmed by a second member
	second, err := ppo.desk.Officers[1].Office(t.Context())
	f.must(err)
	f.must(second.Acknowledge(t.Context(), desk))
	before := f.sizes()
	refused(t, complaint(nil), 409, "epoch_old")
	if f.sizes() != before {
		t.Error("left a trace")
	}

	// Stale: one who holds the key left.
	f.revoke(center, 1)
	f.must(report("U"))
	f.must(f.Clock.Forward(f.Clock.Now() + day - 1000))
	f.must(report("U"))
	f.must(f.Clock.Forward(f.Clock.Now() + 2000))
	before = f.sizes()
	refused(t, report("U"), 409, "epoch_stale")
	if f.sizes() != before {
		t.Error("left a trace")
	}
	f.must(report("I"))
	sound(t, f.Exchange.Store, f.World)
}

// revoke ends the key of an officer of a desk.
func (f *field) revoke(s *sender, officer int) {
	f.t.Helper()
	registrar := s.desk.Member.Registrars()[0].Signer()
	o := s.desk.Officers[officer]
	now := f.Clock.Now()
	body := &directory.OfficerRevoke{U: o.ID, Key: statement.KeyID(o.Keys.Signer().Public()), From: now, Reason: "left"}
	payload, err := f.Exchange.Directory().Prepare(body, now)
	f.must(err)
	d, err := statement.Sign(context.Background(), statement.TypeDirectory, payload, registrar)
	f.must(err)
	raw, err := d.Encode()
	f.must(err)
	sum := d.Digest()
	caller := exchange.Caller{Key: statement.KeyID(registrar.Public()), Nonce: request.NewNonce()}
	_, err = f.Exchange.SubmitDirectory(context.Background(), caller, fmt.Sprintf("%x", sum), raw)
	f.must(err)
}
