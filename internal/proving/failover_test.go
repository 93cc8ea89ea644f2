package proving

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/observe"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// either names one database on two servers, of which one is the primary.
func either(a, b *pgtest.Cluster, database string) string {
	portOf := func(c *pgtest.Cluster) string { return c.Address()[strings.LastIndexByte(c.Address(), ':')+1:] }
	return fmt.Sprintf("postgres://postgres:%s@/%s?host=127.0.0.1,127.0.0.1&port=%s,%s&sslmode=disable",
		pgtest.Password, database, portOf(a), portOf(b))
}

// TestFailover kills the primary under 32 senders, promotes its synchronous
// standby, and the same server goes on there: nothing acknowledged is lost, and
// its signer, which remembers what it signed, finds no fork.
func TestFailover(t *testing.T) {
	for range rounds(3) {
		primary := pgtest.Start(t, pgtest.Options{})
		standby := primary.Standby(t, "second")
		primary.SetSync("second")
		name := pgtest.NameOf(primary.Database(t))
		f, d := openDaemon(t, either(primary, standby, name))
		s := f.besiege(32, nil)
		s.more(20)
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
		primary.Kill()
		standby.Promote()
		s.more(20)
		acks := s.relieve()
		f.provable(t, acks[len(acks)-1])
		d.alive()
		d.kill()
		f.reopened(t, acks)
	}
}

// TestLostTail promotes a standby that received less than the primary
// acknowledged, a withdrawal among it. The server finds that its database has
// less than it signed, records nothing and stops loudly; the tail comes back from
// an observer's mirror at the same indexes; consent is read from nothing until
// the institutions have given back what opens it; and then the withdrawal counts.
func TestLostTail(t *testing.T) {
	primary := pgtest.Start(t, pgtest.Options{})
	standby := primary.Standby(t, "second")
	name := pgtest.NameOf(primary.Database(t))
	f, d := openDaemon(t, either(primary, standby, name))
	ngo, swc := f.sender("ngo-a", "case"), f.sender("swc-kraljevo", "intake")
	observers := []*observe.Observer{f.observer(t, ngo), f.observer(t, f.sender("hppo-kraljevo", "registry"))}

	given := ngo.consentTo(statement.NewID(statement.Case), statement.NewID(statement.Person), swc.desk)
	acks := []acknowledged{f.complain(t)}
	_, err := ngo.tell(t, consent.Given, given)
	f.must(err)
	standby.WaitReplay(primary)
	standby.Detach()
	for range 3 { // what the standby never hears of
		a := f.complain(t)
		a.noBody = true // which no mirror has: the sender has to send again
		acks = append(acks, a)
	}
	next := given
	next.Ver, next.Prev = 2, 1
	withdrawn, err := ngo.tell(t, consent.Withdrawn, next)
	f.must(err)
	f.provable(t, acknowledged{item: withdrawn})
	for _, o := range observers {
		f.must(o.Round(t.Context(), true))
		expected, err := o.Waiting()
		f.must(err)
		for _, c := range expected {
			f.must(o.Accept(c.Idx))
		}
	}

	primary.Kill()
	standby.Promote()
	d.ends()
	if log := string(d.log.Bytes()); !strings.Contains(log, "odzivd: error: ") || !strings.Contains(log, "odzivd: hint: nothing is accepted until the database has again what was signed") {
		t.Errorf("it does not say what happened and what to do:\n%s", tail(d.log.Bytes(), 3000))
	}
	d.run()
	d.ends() // it does not begin, either

	mirror := filepath.Join(t.TempDir(), "mirror")
	_, err = observers[0].Export(t.Context(), mirror, false)
	f.must(err)
	out, err := exec.Command(d.binary, "import", "--dir", d.dir, "--from", mirror).CombinedOutput()
	if err != nil {
		t.Fatalf("import: %v\n%s", err, out)
	}
	d.start()
	refused(t, f.refer(t, ngo, swc, given), 503, "ledger_incomplete")
	for _, o := range observers {
		report, err := o.Repost(t.Context(), o.Feeds[0].Feeder, nil)
		f.must(err)
		if report.Given == 0 {
			t.Errorf("nothing was given back: %+v", report)
		}
	}
	refused(t, f.refer(t, ngo, swc, given), 403, "consent_version") // the one that lets it is not the last
	last := f.complain(t)
	if last.item.Idx <= withdrawn.Idx {
		t.Errorf("index %d was given out twice", last.item.Idx)
	}
	f.provable(t, last)
	for _, o := range observers {
		f.must(o.Round(t.Context(), true))
		if alarms, err := o.Alarms.List(false); err != nil || len(alarms) != 0 {
			t.Errorf("the observer is alarmed: %+v, %v", alarms, err)
		}
	}
	d.kill()
	f.reopened(t, append(acks, last))
}

// observer is the observer of an institution, which reads the feeds of a desk.
func (f *field) observer(t *testing.T, by *sender) *observe.Observer {
	t.Helper()
	c := f.plainClient(by.signer())
	now := func() int64 { return time.Now().UnixMilli() }
	o, err := observe.Open(context.Background(), observe.Config{Dir: t.TempDir(), Genesis: f.Genesis, Inst: by.desk.Member.ID, Demo: true,
		Source: observe.FromClient(c), Clock: now, Log: slog.New(slog.DiscardHandler),
		Feeds: []observe.Desks{{Feeder: c, KeyID: by.by().Key}}})
	f.must(err)
	t.Cleanup(func() { f.must(o.Close()) })
	return o
}

// complain sends one message over HTTP until it is taken.
func (f *field) complain(t *testing.T) acknowledged {
	t.Helper()
	a, err := f.bulky(t).send(f.clientBy(nil))
	f.must(err)
	return a
}

// tell submits a consent act over HTTP.
func (s *sender) tell(t *testing.T, act consent.Act, st consent.Statement) (evidence.Item, error) {
	t.Helper()
	raw, err := s.signed(t.Context(), act, &st)
	s.f.must(err)
	return s.f.plainClient(s.signer()).PutConsent(t.Context(), st.ID, st.Ver, raw)
}

// refer sends what relies on a consent.
func (f *field) refer(t *testing.T, from, to *sender, given consent.Statement) error {
	t.Helper()
	core := from.core("referral", messaging.Basis{Code: "consent", Purpose: "assistance", Consents: []messaging.ConsentRef{{ID: given.ID, Ver: 1}}})
	core.Case, core.Subj, core.Created = given.Case, []string{given.Subj}, time.Now().UnixMilli()
	sealer, err := envelope.NewSealer(core.Msg)
	f.must(err)
	sealed, err := sealer.Seal(t.Context(), envelope.Draft{Core: core, Text: envelope.Text{Fields: map[string]string{"needs": "n"}},
		To: []envelope.Addressee{from.addressee(to.desk, messaging.RoleTo), from.addressee(from.desk, messaging.RoleSelf)}}, from.signer())
	f.must(err)
	raw, err := sealed.Notice.DSSE.Encode()
	f.must(err)
	c := f.plainClient(from.signer())
	f.must(c.UploadPart(t.Context(), core.Msg, 0, bytes.NewReader(sealed.Body), int64(len(sealed.Body)), nil))
	_, err = c.PutMessage(t.Context(), core.Msg, raw)
	return err
}

// ends waits until the server has ended by itself, with a failure.
func (d *daemon) ends() {
	d.t.Helper()
	select {
	case <-d.gone:
	case <-time.After(2 * time.Minute):
		d.t.Fatalf("odzivd goes on\n%s", tail(d.log.Bytes(), 3000))
	}
	if d.cmd.ProcessState.Success() {
		d.t.Error("odzivd ended as if nothing had happened")
	}
}
