package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/mod/sumdb/note"

	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/ledger"
)

// watchmen are the witnesses of a script, real ones, in this process.
type watchmen struct {
	mu     sync.Mutex
	asleep map[string]bool
}

var watchmenOf sync.Map // work folder of a script to its *watchmen

// writePolicy keeps what a policy of witnesses must repeat of the directory, for
// the council to sign in a script.
func writePolicy(w *demo.World, dir string) error {
	state := w.Exchange.Directory()
	body := map[string]any{"t": "policy", "council": state.Council(), "delegates": state.Delegates(), "logs": state.Logs()}
	return writeJSON(filepath.Join(dir, "policy.json"), body)
}

// watch starts witnesses and lets the council adopt a policy: any Q of N of
// them. With "asleep" none of them answers.
func watch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: watch Q N [asleep]")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	men := &watchmen{asleep: map[string]bool{}}
	watchmenOf.Store(ts.Getenv("WORK"), men)
	var body map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("policy.json")), &body))
	var text, names strings.Builder
	list := []map[string]string{}
	for i := range n {
		name := fmt.Sprintf("w%d", i+1)
		men.asleep[name] = len(args) > 2
		vkey, url := men.start(ts, name, body["logs"].(map[string]any))
		fmt.Fprintf(&text, "witness %s %s %s\n", name, vkey, url)
		fmt.Fprintf(&names, " %s", name)
		list = append(list, map[string]string{"operator": "of the test", "vkey": vkey})
	}
	policy := fmt.Sprintf("%sgroup all %s%s\nquorum all\n", &text, args[0], &names)
	body["quorum"], body["witnesses"] = map[string]string{"dir": policy, "ev": policy}, list
	ts.Check(writeJSON(ts.MkAbs("adopted.json"), body))
	ts.Check(ts.Exec("odziv", "--demo", "--home", ts.MkAbs("homes/council"), "directory", "propose", ts.MkAbs("adopted.json")))
}

// start runs one witness until the script ends.
func (m *watchmen) start(ts *testscript.TestScript, name string, logs map[string]any) (vkey, url string) {
	seed := sha256.Sum256([]byte(name))
	key, err := witness.NewKey(name+".example", statement.NewSigningKey(seed[:]))
	ts.Check(err)
	memory, err := witness.OpenMemory(ts.MkAbs(filepath.Join("witnesses", name)))
	ts.Check(err)
	known := map[string][]note.Verifier{}
	for _, of := range logs {
		v, err := ledger.ParseVerifierKey(of.(string))
		ts.Check(err)
		known[v.Name()] = []note.Verifier{v}
	}
	w := &witness.Witness{Key: key, Memory: memory, Clock: func() int64 { return time.Now().UnixMilli() },
		Verifiers: func(origin string) []note.Verifier { return known[origin] }}
	handler := w.Handler(slog.New(slog.DiscardHandler))
	listener, err := witness.Listen(context.Background(), "127.0.0.1:0", nil)
	ts.Check(err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- witness.Serve(ctx, listener, http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			m.mu.Lock()
			asleep := m.asleep[name]
			m.mu.Unlock()
			if asleep {
				http.Error(out, "asleep", http.StatusServiceUnavailable)
				return
			}
			handler.ServeHTTP(out, r)
		}))
	}()
	ts.Defer(func() {
		stop()
		<-ended
		memory.Close()
	})
	return key.VerifierKey(), "http://" + listener.Addr().String()
}

// asleep lets exactly these witnesses not answer.
func asleep(ts *testscript.TestScript, neg bool, args []string) {
	men, ok := watchmenOf.Load(ts.Getenv("WORK"))
	if neg || !ok {
		ts.Fatalf("usage: asleep NAME…, after watch")
	}
	m := men.(*watchmen)
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.asleep {
		m.asleep[name] = slices.Contains(args, name)
	}
}

// countFiles wants so many files to match a pattern.
func countFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: files N PATTERN")
	}
	list, err := filepath.Glob(ts.MkAbs(args[1]))
	ts.Check(err)
	if fmt.Sprint(len(list)) != args[0] {
		ts.Fatalf("%d files match %s, want %s: %v", len(list), args[1], args[0], list)
	}
	for _, name := range list {
		info, err := os.Stat(name)
		ts.Check(err)
		if info.Mode().Perm()&0o077 != 0 {
			ts.Fatalf("%s is open to others: %v", name, info.Mode())
		}
	}
}
