package sqlstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging/obligation"
	"golang.org/x/mod/sumdb/tlog"
)

// group is how many submits share a transaction.
const group = 64

// submit is what one accepted notification to two desks writes: 18 rows.
type submit struct {
	idx     int64
	msg     exchange.MessageRow
	to      []exchange.RecipientRow
	digest  string
	opening evidence.Opening
	opens   []obligation.Obligation
	leaf    []byte
}

func digest(parts ...any) string {
	sum := sha256.Sum256([]byte(fmt.Sprint(parts...)))
	return hex.EncodeToString(sum[:])
}

func id(prefix string, parts ...any) string { return prefix + digest(parts...)[:26] }

func newSubmit(idx int64) *submit {
	desk, other := id("d_", idx%200), id("d_", (idx+1)%200)
	s := &submit{idx: idx, digest: digest("dsse", idx), leaf: []byte(fmt.Sprintf("%0109d", idx))}
	s.msg = exchange.MessageRow{Msg: id("m_", idx), Idx: idx, At: 1772441999100 + idx, Case: id("c_", idx/5),
		Kind: "complaint", Desk: desk, Inst: id("i_", idx%50), Basis: "legal-obligation", Pack: "rs-a@1", Subj: []string{id("p_", idx/5)}}
	s.to = []exchange.RecipientRow{{Msg: s.msg.Msg, Desk: other, Role: "to"}, {Msg: s.msg.Msg, Desk: desk, Role: "self"}}
	s.opening = evidence.Opening{Meta: bytes.Repeat([]byte("m"), 420), RM: make([]byte, 32),
		Priv: bytes.Repeat([]byte("p"), 2600), RP: make([]byte, 32)}
	for n, rule := range []string{"ack", "registration", "status-digest"} {
		s.opens = append(s.opens, obligation.Obligation{ID: obligation.ID(idx, rule, other, desk, n), Rule: rule,
			Obligor: other, Obligee: desk, Case: s.msg.Case, Trigger: idx, TriggerObj: s.msg.Msg, Kind: "complaint",
			Urg: "R", N: n, Pack: "rs-a@1", Cal: digest("cal"), OpenedAt: s.msg.At, Start: s.msg.At,
			Due: s.msg.At + 604800000, State: obligation.Open, Since: s.msg.At})
	}
	return s
}

// ask reads what the rules ask before they accept.
func (s *submit) ask(ctx context.Context, tx exchange.Tx) error {
	if _, _, err := tx.Statement(ctx, s.msg.Msg); err != nil {
		return err
	}
	cases, err := tx.Linked(ctx, s.msg.Case)
	if err != nil {
		return err
	}
	if _, err := tx.Live(ctx, cases); err != nil {
		return err
	}
	if _, err := tx.Last(ctx, s.msg.Msg); err != nil {
		return err
	}
	for _, o := range s.opens {
		if _, err := tx.Twin(ctx, cases, o.Rule, o.Obligor, o.Whom(), o.Kind, o.Occurred); err != nil {
			return err
		}
	}
	return nil
}

// write writes what follows from it.
func (s *submit) write(ctx context.Context, tx exchange.Tx) error {
	if err := tx.PutOpening(ctx, s.idx, s.opening); err != nil {
		return err
	}
	if err := tx.PutLast(ctx, s.msg.Msg, s.idx); err != nil {
		return err
	}
	if err := tx.PutStatement(ctx, exchange.StatementRow{ID: s.msg.Msg, Digest: s.digest, Idx: s.idx}); err != nil {
		return err
	}
	if err := tx.PutMessage(ctx, s.msg, s.to, nil); err != nil {
		return err
	}
	for _, r := range s.to {
		n, err := tx.FeedLast(ctx, r.Desk)
		if err != nil {
			return err
		}
		if err := tx.PutFeed(ctx, exchange.FeedRow{Desk: r.Desk, N: n + 1, Idx: s.idx, Erased: -1}); err != nil {
			return err
		}
		if err := tx.PutParty(ctx, s.msg.Case, exchange.PartyRow{Desk: r.Desk, Inst: s.msg.Inst}); err != nil {
			return err
		}
	}
	for _, o := range s.opens {
		if err := tx.PutObligation(ctx, o); err != nil {
			return err
		}
	}
	return tx.PutScope(ctx, s.msg.Case, s.idx, "disclosures")
}

// BenchmarkSubmits compares a group of submits through the Store, with the
// reads the rules make, with the rows alone written by hand, one statement each.
// Both commit to the same kind of database with the same settings.
func BenchmarkSubmits(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		b.Run("store", func(b *testing.B) { benchStore(b, newRaw(b).Store, true) })
		b.Run("store-without-reads", func(b *testing.B) { benchStore(b, newRaw(b).Store, false) })
		b.Run("bare", benchBareFile)
	})
	b.Run("postgres", func(b *testing.B) {
		c := pgtest.Start(b, pgtest.Options{}) // waits for its disk, which may be memory
		for name, bench := range map[string]func(b *testing.B, dsn string){
			"store":               func(b *testing.B, dsn string) { benchStore(b, servedOn(b, dsn).Store, true) },
			"store-without-reads": func(b *testing.B, dsn string) { benchStore(b, servedOn(b, dsn).Store, false) },
			"store-at-once":       func(b *testing.B, dsn string) { benchAtOnce(b, servedOn(b, dsn).Store) },
			"bare":                benchBareServer,
		} {
			b.Run(name, func(b *testing.B) {
				before := serverTime(b, c)
				bench(b, c.Database(b))
				b.ReportMetric(float64((serverTime(b, c)-before).Microseconds())/float64(b.N*group), "server-cpu-µs/submit")
			})
		}
	})
}

func benchStore(b *testing.B, s *Store, ask bool) {
	next := int64(0)
	before := journeys(b, s)
	perSubmit(b, func() error {
		submits := newGroup(&next)
		b.StartTimer()
		err := writeGroup(context.Background(), s, submits, ask)
		b.StopTimer()
		return err
	})
	b.ReportMetric(float64(journeys(b, s)-before)/float64(b.N*group), "journeys/submit")
}

// benchAtOnce writes a group without savepoints between its submits, as the
// exchange does when it has asked for all before.
func benchAtOnce(b *testing.B, s *Store) {
	ctx := context.Background()
	next := int64(0)
	before := journeys(b, s)
	perSubmit(b, func() error {
		submits := newGroup(&next)
		b.StartTimer()
		err := s.Write(ctx, func(tx exchange.Tx) error {
			batch, err := ledger.NewBatch(ctx, tx, ledger.Ev)
			if err != nil {
				return err
			}
			for _, s := range submits {
				for _, r := range s.to {
					if _, err := tx.FeedLast(ctx, r.Desk); err != nil {
						return err
					}
				}
			}
			for _, s := range submits {
				if _, err := batch.Append(s.leaf); err != nil {
					return err
				}
				if err := s.write(ctx, tx); err != nil {
					return err
				}
			}
			_, err = batch.Flush(ctx, submits[0].msg.At)
			return err
		})
		b.StopTimer()
		return err
	})
	b.ReportMetric(float64(journeys(b, s)-before)/float64(b.N*group), "journeys/submit")
}

// journeys is how often the writer asked the engine something.
func journeys(b *testing.B, s *Store) (n int) {
	b.Helper()
	if err := s.onWriter(context.Background(), func(c *conn) error { n = c.sent; return nil }); err != nil {
		b.Fatal(err)
	}
	return n
}

func newGroup(next *int64) []*submit {
	var list []*submit
	for range group {
		list = append(list, newSubmit(*next))
		*next++
	}
	return list
}

// perSubmit runs whole groups and reports the cost of one submit, in time and in
// time of the processor: the latter can be compared on a busy machine.
func perSubmit(b *testing.B, run func() error) {
	b.StopTimer()
	b.ResetTimer()
	before := processorTime()
	for range b.N {
		if err := run(); err != nil {
			b.Fatal(err)
		}
	}
	used := processorTime() - before
	b.ReportMetric(float64(used.Microseconds())/float64(b.N*group), "cpu-µs/submit")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*group), "µs/submit")
	b.ReportMetric(float64(b.N*group)/b.Elapsed().Seconds(), "submits/s")
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// serverTime is what the processes of a cluster have used of the processor, those
// that ended included: the making of the database counts, so run many groups.
func serverTime(b *testing.B, c *pgtest.Cluster) time.Duration {
	b.Helper()
	const ticks = 100 // per second, of /proc (proc(5)); Linux has had no other for long
	used := 0
	for _, pid := range c.Query("postgres", "SELECT pid FROM pg_stat_activity") {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		for _, field := range strings.Fields(rest)[11:13] {
			n, _ := strconv.Atoi(field)
			used += n
		}
	}
	return time.Duration(used) * time.Second / ticks
}

func writeGroup(ctx context.Context, s exchange.Store, submits []*submit, ask bool) error {
	return s.Write(ctx, func(tx exchange.Tx) error {
		batch, err := ledger.NewBatch(ctx, tx, ledger.Ev)
		if err != nil {
			return err
		}
		for _, s := range submits {
			if _, err := tx.UseNonce(ctx, s.msg.Desk, s.digest, s.msg.At); err != nil {
				return err
			}
			if _, err := batch.Append(s.leaf); err != nil {
				return err
			}
			err := tx.Savepoint(ctx, func() error {
				if ask {
					if err := s.ask(ctx, tx); err != nil {
						return err
					}
				}
				return s.write(ctx, tx)
			})
			if err != nil {
				return err
			}
		}
		_, err = batch.Flush(ctx, submits[0].msg.At)
		return err
	})
}

// bareRows are the rows of a submit as a hand-written program inserts them.
var bareRows = []string{
	"INSERT INTO req_nonce VALUES ($1, $2, $3)",
	"INSERT INTO opening VALUES ($1, $2, $3, $4, $5)",
	"INSERT INTO last VALUES ($1, $2)",
	"INSERT INTO statement VALUES ($1, $2, $3, 0)",
	"INSERT INTO msg VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, '', '', 'rs-a@1', $9)",
	"INSERT INTO msg_to VALUES ($1, $2, $3, $4, 0, 0, 0, 0, 0, '')",
	"INSERT INTO feed VALUES ($1, $2, $3, -1)",
	"INSERT INTO party VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
	"INSERT INTO obligation VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $12)",
	"INSERT INTO scope VALUES ($1, $2, $3)",
	"INSERT INTO entry VALUES (1, $1, $2)",
	"INSERT INTO node VALUES (1, $1, $2)",
}

func benchBareFile(b *testing.B) {
	r := newRaw(b)
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(r.path)+
		"?_txlock=immediate&_pragma=synchronous(FULL)&_pragma=secure_delete(ON)&_pragma=busy_timeout(8000)"+
		"&_pragma=temp_store(MEMORY)&_pragma=cache_size(-16384)&_pragma=wal_autocheckpoint(4000)")
	if err != nil {
		b.Fatal(err)
	}
	benchBare(b, db)
}

func benchBareServer(b *testing.B, dsn string) {
	r := servedOn(b, dsn)
	db, err := sql.Open("postgres", r.dsn+"&search_path=odziv&binary_parameters=yes")
	if err != nil {
		b.Fatal(err)
	}
	benchBare(b, db)
}

func benchBare(b *testing.B, db *sql.DB) {
	b.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	var stmts []*sql.Stmt
	for _, q := range bareRows {
		s, err := db.Prepare(q)
		if err != nil {
			b.Fatal(err)
		}
		stmts = append(stmts, s)
	}
	next, pos := int64(0), int64(0)
	perSubmit(b, func() error {
		submits := newGroup(&next)
		b.StartTimer()
		err := bareGroup(db, stmts, submits, &pos)
		b.StopTimer()
		return err
	})
}

func bareGroup(db *sql.DB, stmts []*sql.Stmt, submits []*submit, pos *int64) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	bound := make([]*sql.Stmt, len(stmts))
	for i, s := range stmts {
		bound[i] = tx.Stmt(s)
	}
	for _, s := range submits {
		if err := s.bare(bound, pos); err != nil {
			return err
		}
	}
	last := submits[len(submits)-1].idx
	if _, err := tx.Exec("UPDATE head SET size = $1 WHERE log = 1", last+1); err != nil {
		return err
	}
	return tx.Commit()
}

func (s *submit) bare(stmts []*sql.Stmt, pos *int64) (err error) {
	put := func(i int, args ...any) {
		if err == nil {
			_, err = stmts[i].Exec(args...)
		}
	}
	m, o := &s.msg, &s.opening
	put(0, m.Desk, s.digest, m.At)
	put(1, s.idx, o.Meta, o.RM, o.Priv, o.RP)
	put(2, m.Msg, s.idx)
	put(3, m.Msg, s.digest, s.idx)
	put(4, m.Msg, m.Idx, m.At, m.Case, m.Kind, m.Desk, m.Inst, m.Basis, `["`+m.Subj[0]+`"]`)
	for i, r := range s.to {
		put(5, r.Msg, r.Desk, i, r.Role)
		put(6, r.Desk, s.idx*2+int64(i), s.idx)
		put(7, m.Case, r.Desk, m.Inst)
	}
	for _, o := range s.opens {
		body, _ := json.Marshal(o)
		put(8, o.ID, o.Rule, o.Obligor, o.Obligee, o.Whom(), o.Case, o.TriggerObj, o.Trigger, o.Kind, o.Occurred, o.Due, string(body))
	}
	put(9, m.Case, s.idx, "disclosures")
	put(10, s.idx, s.leaf)
	for ; *pos < tlog.StoredHashCount(s.idx+1); *pos++ {
		put(11, *pos, o.RM)
	}
	return err
}
