package interop

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// tools is where programs of others are built; it is removed at the end.
var tools string

func TestMain(m *testing.M) {
	var err error
	if tools, err = os.MkdirTemp("", "odziv-interop-*"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(tools)
	os.Exit(code)
}

// ageTools builds age's own commands, of the version in go.mod, once.
var ageTools = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "build", "-o", tools+"/", "filippo.io/age/cmd/age", "filippo.io/age/cmd/age-inspect").CombinedOutput()
	if err != nil {
		os.Stderr.Write(out)
	}
	return tools, err
})

// box is a folder in which a script of somebody who has only others' tools
// runs: bash, jq, openssl, age.
type box struct {
	t   *testing.T
	dir string
}

func newBox(t *testing.T) *box {
	t.Helper()
	for _, tool := range []string{"bash", "jq", "openssl", "sha256sum", "base64"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is not installed: apt-get install jq openssl coreutils", tool)
		}
	}
	return &box{t, t.TempDir()}
}

func (b *box) put(name string, data []byte) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// run runs a bash script in the box with age on the path.
func (b *box) run(script string, env ...string) (string, error) {
	b.t.Helper()
	age, err := ageTools()
	if err != nil {
		b.t.Fatalf("age's commands cannot be built: %v", err)
	}
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "PATH="+age+":"+os.Getenv("PATH"), "LC_ALL=C.UTF-8")
	cmd.Env = append(cmd.Env, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err = cmd.Run(); err != nil {
		b.t.Logf("%s%s", out.String(), errs.String())
	}
	return strings.TrimSpace(out.String()), err
}

// must runs a script that has to succeed.
func (b *box) must(script string, env ...string) string {
	b.t.Helper()
	out, err := b.run(script, env...)
	if err != nil {
		b.t.Fatalf("%s\n%v", script, err)
	}
	return out
}
