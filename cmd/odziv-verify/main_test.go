package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/audittest"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"odziv-verify": func() { os.Exit(run()) }})
}

// Every script finds the files of one small ledger in its folder.
func TestScripts(t *testing.T) {
	files := makeFiles(t)
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exec-code": execCode},
		Setup: func(env *testscript.Env) error {
			for name, data := range files {
				if err := os.WriteFile(filepath.Join(env.WorkDir, name), data, 0o644); err != nil {
					return err
				}
			}
			env.Setenv("GENESIS", string(files["genesis"]))
			env.Setenv("EVKEY", audittest.LogKey(ledger.Ev))
			return nil
		}})
}

// execCode runs a program that must end with the exit code given first.
func execCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exec-code CODE PROGRAM ARG…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want := args[0]; strconv.Itoa(code) != want {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
}

func makeFiles(t *testing.T) map[string][]byte {
	t.Helper()
	w := audittest.New(t, false)
	w.Story()
	w.Publish()
	key, policy := witness(t)
	chain := audit.Chain{Leaf: func(idx int64) ([]byte, error) { return w.Leaves[idx], nil },
		Proof: func(idx int64) ([]byte, error) { return w.Proof(ledger.Dir, idx), nil }}
	pieces := func(idx int64) audit.Pieces {
		return audit.Pieces{Item: w.Item(idx), Proof: w.Proof(ledger.Ev, idx)}
	}
	must := func(data []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	files := map[string][]byte{
		"genesis":         []byte(w.Genesis()),
		"evidence.json":   must(audit.BuildEvidence(pieces(audittest.Concern), chain)),
		"silence.json":    must(audit.BuildEvidence(pieces(audittest.Silence), chain)),
		"receipt.json":    must(audit.BuildReceipt([]audit.Pieces{pieces(audittest.Given), pieces(audittest.Narrowed)}, chain)),
		"five.tlog-proof": w.Proof(ledger.Ev, 5),
		"five.json":       must(w.Openings[5].Leaf()),
		"six.json":        must(w.Openings[6].Leaf()),
		"small.zip":       bundle(t, w),
		"witnesses.txt":   policy,
		"cosigned.proof":  cosigned(t, key, w.Proof(ledger.Ev, 5)),
		"answer.json":     must(audit.BuildEvidence(pieces(audittest.Answer), chain)),
	}
	w.Fill(5)
	w.Publish()
	files["large.zip"] = bundle(t, w)
	denial := deny(t, w)
	w.Publish()
	files["denial.json"] = must(audit.BuildEvidence(pieces(denial), chain))
	fork := audittest.New(t, false)
	fork.Fill(12)
	fork.Publish()
	files["fork.zip"] = bundle(t, fork)
	demo := audittest.New(t, true)
	demo.Story()
	demo.Publish()
	files["demo.zip"] = bundle(t, demo)
	files["altered.zip"] = altered(t, files["small.zip"], "ev/tile/entries/000.p/11", 4*111+40)
	files["altered.json"] = bytes.Replace(files["evidence.json"], []byte(`"kind":"concern"`), []byte(`"kind":"answer"`), 1)
	files["steering.json"] = []byte("{\"type\":\"application/vnd.odziv.evidence.v1+json\",\"x\x1b[31m\":1}")
	return files
}

// deny records that what the story answered is open, which is a lie.
func deny(t *testing.T, w *audittest.World) int64 {
	t.Helper()
	o := w.Opened(audittest.Concern, "answer-high")
	d := w.Draft(evidence.Silence, audittest.ID("x", "denial"), "")
	data, err := statement.Marshal(evidence.DutyData{Due: o.Due, O: o.O, Obligee: o.EE, Obligor: o.OR, Rule: o.Rule, Size: d.Meta.Idx, State: "open"})
	if err != nil {
		t.Fatal(err)
	}
	d.Priv.Data, d.Desks = data, []string{o.EE, o.OR}
	return w.Record(d)
}

// witness is a cosigner, and a policy that asks for it and names the log.
func witness(t *testing.T) (*ledger.CosigningKey, []byte) {
	t.Helper()
	key, err := ledger.NewCosigningKey("witness.example", audittest.Seed("witness"))
	if err != nil {
		t.Fatal(err)
	}
	return key, fmt.Appendf(nil, "log %s\nwitness w %s\nquorum w\n", audittest.LogKey(ledger.Ev), key.VerifierKey())
}

// cosigned adds a cosignature to a proof.
func cosigned(t *testing.T, key *ledger.CosigningKey, proof []byte) []byte {
	t.Helper()
	p, err := ledger.ParseProof(proof)
	if err != nil {
		t.Fatal(err)
	}
	log, err := ledger.ParseVerifierKey(audittest.LogKey(ledger.Ev))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ledger.ParseCheckpoint(p.Checkpoint, log)
	if err != nil {
		t.Fatal(err)
	}
	return append(proof, key.Cosign(c, audittest.Start+audittest.Day)...)
}

func bundle(t *testing.T, w *audittest.World) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := audit.WriteBundle(context.Background(), &b, w.Source(), audit.Options{Packs: w.Packs, Made: w.At}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// altered changes one byte of one file, with a checksum that fits.
func altered(t *testing.T, bundle []byte, name string, at int) []byte {
	t.Helper()
	in, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	for _, f := range in.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		var data bytes.Buffer
		if _, err := data.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		if f.Name == name {
			data.Bytes()[at] ^= 1
		}
		w, err := out.CreateRaw(&zip.FileHeader{Name: f.Name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(data.Bytes()),
			CompressedSize64: uint64(data.Len()), UncompressedSize64: uint64(data.Len())})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The program is what an outsider trusts: no SQL, no network, no private key is
// linked into it.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 50 {
		t.Fatalf("only %d packages", len(deps))
	}
	const module = "github.com/odziv/odziv/"
	for _, dep := range deps {
		for _, forbidden := range []string{"net/http", "database/sql", "filippo.io/age", "modernc.org/", "github.com/labstack/", "github.com/hashicorp/",
			module + "keys/keystore", module + "keys/vault", module + "messaging/envelope", module + "internal/exchange", module + "internal/office",
			module + "internal/api", module + "internal/sqlstore", module + "internal/shred", module + "internal/server"} {
			if dep == strings.TrimSuffix(forbidden, "/") || strings.HasPrefix(dep, strings.TrimSuffix(forbidden, "/")+"/") {
				t.Errorf("%s is linked in", dep)
			}
		}
	}
}

// JSON output has the members that scripts rely on.
func TestOutputMembers(t *testing.T) {
	raw, err := json.Marshal(output{Files: []result{{Findings: []audit.Finding{{Log: "ev", Idx: 3, What: "x"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{`"verdict"`, `"exit"`, `"files"`, `"file"`, `"report"`, `"findings"`, `"log"`, `"idx":3`, `"what"`, `"genesis"`, `"pinned"`, `"facts"`} {
		if !strings.Contains(string(raw), member) {
			t.Errorf("%s is not in %s", member, raw)
		}
	}
}
