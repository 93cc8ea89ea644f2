package messaging

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/odziv/odziv/internal/statement"
)

// Every accepted input must encode to itself: there is one spelling.

func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := ParseJSON(data)
		if err != nil {
			return
		}
		if again := encode(t, n.Payload); !bytes.Equal(again, n.DSSE.Payload) {
			t.Errorf("payload %s\nencodes to %s", n.DSSE.Payload, again)
		}
		if again := encode(t, n.DSSE); !bytes.Equal(again, data) {
			t.Errorf("statement %s\nencodes to %s", data, again)
		}
	})
}

// FuzzPayload reaches the members without passing base64.
func FuzzPayload(f *testing.F) {
	f.Fuzz(func(t *testing.T, payload []byte) {
		n, err := Parse(signBytes(t, statement.TypeNotice, payload, keyA))
		if err != nil {
			return
		}
		if again := encode(t, n.Payload); !bytes.Equal(again, payload) {
			t.Errorf("%s\nencodes to %s", payload, again)
		}
		if len(n.Core.Others()) == 0 || len(n.Core.To) > MaxRecipients {
			t.Error("recipients beyond their limits")
		}
	})
}

func FuzzParseSet(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := ParseSet(data)
		if err != nil {
			return
		}
		s := Set{Set: all[0].Core.Set, V: 1}
		for _, n := range all {
			s.Msgs = append(s.Msgs, n.DSSE)
		}
		if again := encode(t, s); !bytes.Equal(again, data) {
			t.Errorf("%s\nencodes to %s", data, again)
		}
	})
}

func FuzzParseStatement(f *testing.F) {
	f.Fuzz(func(t *testing.T, ev string, payload []byte) {
		s, err := ParseStatement(signBytes(t, statement.TypeOfEvent(ev), payload, keyB))
		if err != nil {
			return
		}
		if s.Header().Ev != ev {
			t.Errorf("event %s under the type of %s", s.Header().Ev, ev)
		}
		if again := encode(t, s); !bytes.Equal(again, payload) {
			t.Errorf("%s\nencodes to %s", payload, again)
		}
	})
}

// TestFuzzSeeds writes the seeds with -update and fails when they are gone: a
// target without seeds tests nothing and says nothing.
func TestFuzzSeeds(t *testing.T) {
	if *update {
		writeSeeds(t)
	}
	for target, least := range map[string]int{"FuzzParse": 10, "FuzzPayload": 10, "FuzzParseSet": 2, "FuzzParseStatement": len(allEvents)} {
		seeds, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(seeds) < least {
			t.Errorf("%s has %d seeds, want at least %d", target, len(seeds), least)
		}
	}
}

func writeSeeds(t *testing.T) {
	for _, v := range vectors(t) {
		switch v.read {
		case "notice":
			writeSeed(t, "FuzzParse", v.name, seedBytes(v.data))
			if d, err := statement.ParseDSSE(v.data); err == nil {
				writeSeed(t, "FuzzPayload", v.name, seedBytes(d.Payload))
			}
		case "set":
			writeSeed(t, "FuzzParseSet", v.name, seedBytes(v.data))
		}
	}
	for _, ev := range allEvents {
		writeSeed(t, "FuzzParseStatement", ev, "string("+strconv.Quote(ev)+")\n"+seedBytes(encode(t, aStatement(ev))))
	}
}

func seedBytes(b []byte) string { return "[]byte(" + strconv.Quote(string(b)) + ")\n" }

func writeSeed(t *testing.T, target, name, values string) {
	dir := filepath.Join("testdata", "fuzz", target)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte("go test fuzz v1\n"+values), 0o644); err != nil {
		t.Fatal(err)
	}
}
