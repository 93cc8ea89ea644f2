package storetest

import (
	"bytes"
	"fmt"
	"reflect"
	"sync"

	"github.com/odziv/odziv/internal/exchange"
)

func (s *suite) nonce(sc exchange.Scratch, key, nonce string, at int64, want bool) {
	s.Helper()
	fresh, err := sc.UseNonce(s.ctx, key, nonce, at)
	if err != nil || fresh != want {
		s.Errorf("nonce %s of %s: fresh %v, %v, want %v", nonce, key, fresh, err, want)
	}
}

func caseNonces(s *suite) {
	s.write(func(tx exchange.Tx) error {
		s.nonce(tx, "k1", "n1", 10, true)
		s.nonce(tx, "k1", "n1", 10, false)
		s.nonce(tx, "k1", "n2", 10, true)
		s.nonce(tx, "k2", "n1", 10, true)
		return nil
	})
	s.scratch(func(sc exchange.Scratch) error {
		s.nonce(sc, "k1", "n1", 99, false)
		s.nonce(sc, "k1", "N1", 11, true)
		return nil
	})
	s.scratch(func(sc exchange.Scratch) error { return sc.Sweep(s.ctx, 11, 0) })
	s.scratch(func(sc exchange.Scratch) error {
		s.nonce(sc, "k1", "n1", 12, true)
		s.nonce(sc, "k1", "N1", 12, false) // at the bound, not before it
		return nil
	})
}

// caseNoncesAtOnce: of many that use one nonce at once, one is first.
func caseNoncesAtOnce(s *suite) {
	const users, nonces = 8, 20
	var wg sync.WaitGroup
	var mu sync.Mutex
	fresh := map[string]int{}
	for u := range users {
		wg.Go(func() {
			for n := range nonces {
				name := fmt.Sprint("n", n)
				use := func(sc exchange.Scratch) error {
					ok, err := sc.UseNonce(s.ctx, "k", name, 1)
					if ok {
						mu.Lock()
						fresh[name]++
						mu.Unlock()
					}
					return err
				}
				var err error
				if u%2 == 0 {
					err = s.Scratch(s.ctx, use)
				} else {
					err = s.Write(s.ctx, func(tx exchange.Tx) error { return use(tx) })
				}
				if err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for n := range nonces {
		if got := fresh[fmt.Sprint("n", n)]; got != 1 {
			s.Errorf("nonce %d was fresh %d times", n, got)
		}
	}
}

func upload(msg string, part int, at int64) exchange.UploadRow {
	return exchange.UploadRow{Msg: msg, Part: part, Key: "ed25519:a", Size: 1 << 33, Hash: []byte{0, 1, 0xff}, Stanzas: 2, At: at}
}

func caseUploads(s *suite) {
	empty := exchange.UploadRow{Msg: "m_a", Part: 1, Hash: []byte{}}
	s.scratch(func(sc exchange.Scratch) error {
		none := empty
		none.Hash = nil
		return all(sc.PutUpload(s.ctx, upload("m_a", 0, 5)), sc.PutUpload(s.ctx, none),
			sc.PutChunk(s.ctx, "m_a", 0, 0, []byte("first\x00")), sc.PutChunk(s.ctx, "m_a", 0, 1<<33, []byte("far")),
			sc.PutChunk(s.ctx, "m_a", 1, 0, nil))
	})
	s.read(func(v exchange.View) error {
		found(s, "upload", upload("m_a", 0, 5))(v.Upload(s.ctx, "m_a", 0))
		u, ok, err := v.Upload(s.ctx, "m_a", 1)
		if err != nil || !ok || len(u.Hash) != 0 || u.Size != 0 {
			s.Errorf("empty upload: %+v, %v, %v", u, ok, err)
		}
		missing[exchange.UploadRow](s, "upload")(v.Upload(s.ctx, "m_a", 2))
		s.chunk(v, "m_a", 0, 0, []byte("first\x00"))
		s.chunk(v, "m_a", 0, 1<<33, []byte("far"))
		s.chunk(v, "m_a", 1, 0, []byte{})
		missing[[]byte](s, "chunk within another")(v.Chunk(s.ctx, "m_a", 0, 1))
		missing[[]byte](s, "chunk of another")(v.Chunk(s.ctx, "m_b", 0, 0))
		return nil
	})
	grown := upload("m_a", 0, 5)
	grown.Size, grown.Hash = 9, []byte{9}
	s.scratch(func(sc exchange.Scratch) error {
		return all(sc.PutUpload(s.ctx, grown), sc.PutChunk(s.ctx, "m_a", 0, 0, []byte("again")))
	})
	s.read(func(v exchange.View) error {
		found(s, "upload that went on", grown)(v.Upload(s.ctx, "m_a", 0))
		s.chunk(v, "m_a", 0, 0, []byte("again"))
		return nil
	})
}

func (s *suite) chunk(v exchange.UploadView, msg string, part int, off int64, want []byte) {
	s.Helper()
	got, ok, err := v.Chunk(s.ctx, msg, part, off)
	if err != nil || !ok || !bytes.Equal(got, want) {
		s.Errorf("chunk %s %d %d: %d bytes, %v, %v, want %d", msg, part, off, len(got), ok, err, len(want))
	}
}

// caseUploadsKept: what an accepted message names does not change any more.
func caseUploadsKept(s *suite) {
	s.scratch(func(sc exchange.Scratch) error {
		return all(sc.PutUpload(s.ctx, upload("m_a", 0, 5)), sc.PutChunk(s.ctx, "m_a", 0, 0, []byte("sealed")))
	})
	s.write(func(tx exchange.Tx) error { return tx.PutMessage(s.ctx, message("m_a", 0), nil, nil) })
	grown := upload("m_a", 0, 5)
	grown.Size++
	for what, f := range map[string]func(sc exchange.Scratch) error{
		"a chunk replaced": func(sc exchange.Scratch) error { return sc.PutChunk(s.ctx, "m_a", 0, 0, []byte("forged")) },
		"a chunk added":    func(sc exchange.Scratch) error { return sc.PutChunk(s.ctx, "m_a", 0, 6, []byte("forged")) },
		"an upload grown":  func(sc exchange.Scratch) error { return sc.PutUpload(s.ctx, grown) },
	} {
		if err := s.Scratch(s.ctx, f); err == nil {
			s.Errorf("%s after the message was accepted", what)
		}
	}
	s.read(func(v exchange.View) error {
		s.chunk(v, "m_a", 0, 0, []byte("sealed"))
		found(s, "upload", upload("m_a", 0, 5))(v.Upload(s.ctx, "m_a", 0))
		return nil
	})
}

func caseShredKeys(s *suite) {
	s.read(func(v exchange.View) error {
		if _, _, _, ok, err := v.LastPeriod(s.ctx); ok || err != nil {
			s.Errorf("a period in a new store: %v, %v", ok, err)
		}
		if rows, err := v.Periods(s.ctx); len(rows) != 0 || err != nil {
			s.Errorf("periods in a new store: %v, %v", rows, err)
		}
		return nil
	})
	s.scratch(func(sc exchange.Scratch) error {
		return all(sc.PutPeriod(s.ctx, "x_b", []byte{0, 2}, 20), sc.PutPeriod(s.ctx, "x_c", []byte{0, 1}, 10),
			sc.PutPeriod(s.ctx, "x_a", []byte{0, 3}, 20), sc.PutShred(s.ctx, "m_a", "x_c", []byte{0, 9}), sc.PutShred(s.ctx, "m_b", "x_c", nil))
	})
	s.wantShred("m_a", "x_c", []byte{0, 9})
	s.wantShred("m_b", "x_c", []byte{})
	s.scratch(func(sc exchange.Scratch) error {
		return all(sc.PutShred(s.ctx, "m_a", "x_b", []byte{7}), sc.PutPeriod(s.ctx, "x_c", []byte{8}, 10))
	})
	s.wantShred("m_a", "x_b", []byte{7})
	s.read(func(v exchange.View) error {
		found(s, "period wrapped again", []byte{8})(v.Period(s.ctx, "x_c"))
		missing[[]byte](s, "period")(v.Period(s.ctx, "x_d"))
		id, wrapped, at, ok, err := v.LastPeriod(s.ctx)
		if err != nil || !ok || id != "x_b" || !bytes.Equal(wrapped, []byte{0, 2}) || at != 20 {
			s.Errorf("last period %s %x at %d, %v, %v", id, wrapped, at, ok, err)
		}
		rows, err := v.Periods(s.ctx)
		want := []exchange.PeriodRow{{ID: "x_c", Wrapped: []byte{8}, At: 10}, {ID: "x_a", Wrapped: []byte{0, 3}, At: 20}, {ID: "x_b", Wrapped: []byte{0, 2}, At: 20}}
		if err != nil || !reflect.DeepEqual(rows, want) {
			s.Errorf("periods %+v, %v", rows, err)
		}
		_, _, ok, err = v.Shred(s.ctx, "m_c")
		if ok || err != nil {
			s.Errorf("shred key of no message: %v, %v", ok, err)
		}
		return nil
	})
}

func (s *suite) wantShred(msg, period string, wrapped []byte) {
	s.Helper()
	s.read(func(v exchange.View) error {
		p, w, ok, err := v.Shred(s.ctx, msg)
		if err != nil || !ok || p != period || !bytes.Equal(w, wrapped) {
			s.Errorf("shred key of %s: %s %x, %v, %v", msg, p, w, ok, err)
		}
		return nil
	})
}

func casePackages(s *suite) {
	s.scratch(func(sc exchange.Scratch) error {
		return all(sc.PutPackage(s.ctx, digest("a"), []byte("a\x00b")), sc.PutPackage(s.ctx, digest("b"), nil),
			sc.PutPackage(s.ctx, digest("a"), []byte("a\x00b")), sc.PutRecipientKey(s.ctx, digest("k"), "age1pq…"),
			sc.PutRecipientKey(s.ctx, digest("k"), "age1pq…"))
	})
	s.read(func(v exchange.View) error {
		found(s, "package", []byte("a\x00b"))(v.Package(s.ctx, digest("a")))
		data, ok, err := v.Package(s.ctx, digest("b"))
		if err != nil || !ok || len(data) != 0 {
			s.Errorf("empty package: %x, %v, %v", data, ok, err)
		}
		missing[[]byte](s, "package")(v.Package(s.ctx, digest("c")))
		found(s, "recipient", "age1pq…")(v.RecipientKey(s.ctx, digest("k")))
		missing[string](s, "recipient")(v.RecipientKey(s.ctx, digest("l")))
		return nil
	})
}

// caseSweep: an upload goes with its chunks and its shred key if it was begun
// before the bound and no accepted message names it, whatever is derived.
func caseSweep(s *suite) {
	s.scratch(func(sc exchange.Scratch) error {
		err := all(sc.PutUpload(s.ctx, upload("m_two", 0, 99)), sc.PutUpload(s.ctx, upload("m_two", 1, 300)), sc.PutShred(s.ctx, "m_begun", "x_a", []byte{1}))
		for msg, at := range map[string]int64{"m_old": 99, "m_kept": 1, "m_bound": 100, "m_two": 99} {
			err = all(err, sc.PutUpload(s.ctx, upload(msg, 0, at)), sc.PutShred(s.ctx, msg, "x_a", []byte{1}),
				sc.PutChunk(s.ctx, msg, 0, 0, []byte("zero")), sc.PutChunk(s.ctx, msg, 0, 4, []byte("four")))
		}
		return err
	})
	s.write(func(tx exchange.Tx) error { return tx.PutMessage(s.ctx, message("m_kept", 0), nil, nil) })
	s.write(func(tx exchange.Tx) error { return tx.DropDerived(s.ctx) })
	s.scratch(func(sc exchange.Scratch) error { return sc.Sweep(s.ctx, 0, 100) })
	s.read(func(v exchange.View) error {
		for msg, want := range map[string]bool{"m_old": false, "m_two": false, "m_kept": true, "m_bound": true} {
			_, up, err1 := v.Upload(s.ctx, msg, 0)
			_, zero, err2 := v.Chunk(s.ctx, msg, 0, 0)
			_, four, err3 := v.Chunk(s.ctx, msg, 0, 4)
			_, _, key, err4 := v.Shred(s.ctx, msg)
			if err := all(err1, err2, err3, err4); err != nil || up != want || zero != want || four != want || key != want {
				s.Errorf("%s after sweep: upload %v, chunks %v %v, key %v, %v", msg, up, zero, four, key, err)
			}
		}
		if _, _, ok, err := v.Shred(s.ctx, "m_begun"); !ok || err != nil {
			s.Errorf("a key whose upload is about to begin was swept: %v", err)
		}
		return nil
	})
}
