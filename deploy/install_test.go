package deploy

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/vaulttest"
)

// block is a piece of docs/install.md that is typed.
type block struct {
	kind string // both, short, full: run here; machine: not
	text string
	line int
}

func blocks(t *testing.T) []block {
	t.Helper()
	var list []block
	var open *block
	for i, line := range strings.Split(read(t, "../docs/install.md"), "\n") {
		switch kind, ok := strings.CutPrefix(line, "```sh"); {
		case open == nil && ok:
			list = append(list, block{kind: strings.TrimSpace(kind), line: i + 1})
			open = &list[len(list)-1]
		case strings.HasPrefix(line, "```"):
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	if len(list) < 20 {
		t.Fatalf("%d blocks", len(list))
	}
	return list
}

// Every block is of a known kind and is a script; the files that it names, and the
// units that it starts, are there.
func TestInstallBlocks(t *testing.T) {
	for _, b := range blocks(t) {
		if !slices.Contains([]string{"both", "short", "full", "machine"}, b.kind) {
			t.Errorf("line %d: kind %q", b.line, b.kind)
		}
		cmd := exec.Command("bash", "-n")
		cmd.Stdin = strings.NewReader(b.text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("line %d: %s", b.line, out)
		}
		for _, name := range regexp.MustCompile(`deploy/[a-zA-Z0-9./*_-]+`).FindAllString(b.text, -1) {
			if found, _ := filepath.Glob(filepath.Join("..", name)); len(found) == 0 {
				t.Errorf("line %d: there is no %s", b.line, name)
			}
		}
		for _, name := range regexp.MustCompile(`odziv[a-z-]*\.(service|timer)\b`).FindAllString(b.text, -1) {
			if _, err := os.Stat(filepath.Join("systemd", name)); err != nil {
				t.Errorf("line %d: %v", b.line, err)
			}
		}
	}
}

// An installation follows the page on a tree of its own. Commands are run as they
// stand but for names of folders, machines and accounts; a unit that is started runs
// what its file says.
type installation struct {
	*machine
	t       *testing.T
	rewrite *strings.Replacer
	env     []string
	super   []string // what the account postgres has beside that
	daemons map[string]*daemon
}

func newInstallation(t *testing.T, super []string, pairs ...string) *installation {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("hint: run as root, as the page says")
	}
	m := newMachine(t)
	for _, dir := range []string{"usr/local/bin", "etc/systemd/system", "etc/odziv/tls", "var/lib/odziv/vault", "var/log/vault", "var/tmp", "dev/shm"} {
		mkdir(t, m.path(dir))
	}
	for _, name := range []string{"odziv", "odzivd"} {
		if err := os.Symlink(filepath.Join(tools(t), name), m.path("usr/local/bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	certify(t, m.path("etc/odziv/tls/chain.pem"), m.path("etc/odziv/tls/key.pem"))
	in := &installation{machine: m, t: t, super: super, daemons: map[string]*daemon{}}
	for _, top := range []string{"/usr/local/", "/etc/", "/var/", "/dev/shm/"} {
		pairs = append(pairs, top, m.root+top)
	}
	in.rewrite = strings.NewReplacer(append(pairs, "runuser -u odziv -- ", "", "runuser -u postgres -- ", "env "+strings.Join(super, " ")+" ", "--owner odziv", "--owner root",
		"-o postgres -g postgres ", "", "chown root:odziv", "chown root:root", "chown odziv:odziv", "chown root:root", "--listen :443", fmt.Sprintf("--listen 127.0.0.1:%d", m.port), "%d/", m.path("run/credentials")+"/",
		"127.0.0.1:8443", fmt.Sprintf("127.0.0.1:%d", m.port))...)
	in.env = append(os.Environ(), "PATH="+m.path("usr/local/bin")+":"+os.Getenv("PATH"))
	return in
}

var (
	verifier = regexp.MustCompile(`(?m)^  (dir|ev) +(\S+)$`)
	unitLine = regexp.MustCompile(`^systemctl (enable --now|disable --now|start|stop|daemon-reload) ?(.*)$`)
)

// follow runs the blocks of one way.
func (in *installation) follow(way string) {
	for _, b := range blocks(in.t) {
		if b.kind != way && b.kind != "both" {
			continue
		}
		typed := ""
		for _, line := range strings.SplitAfter(b.text, "\n") {
			m := unitLine.FindStringSubmatch(strings.TrimSpace(line))
			if m == nil {
				typed += line
				continue
			}
			in.bash(b.line, typed)
			typed = ""
			for unit := range strings.FieldsSeq(m[2]) {
				in.systemctl(m[1], unit)
			}
		}
		in.bash(b.line, typed)
	}
}

// bash runs what is typed, in the folder of the source, and keeps what it exports.
func (in *installation) bash(line int, typed string) {
	in.t.Helper()
	if strings.TrimSpace(typed) == "" {
		return
	}
	shares := 0
	typed = regexp.MustCompile(`(?m)^vault operator unseal$`).ReplaceAllStringFunc(typed, func(string) string {
		shares++
		return fmt.Sprintf(`vault operator unseal "$(sed -n 's/^Unseal Key %d: //p' /dev/shm/vault-shares)" >&2`, shares)
	})
	typed = regexp.MustCompile(`(?m)^vault login$`).ReplaceAllString(typed, `export VAULT_TOKEN="$(sed -n 's/^Initial Root Token: //p' /dev/shm/vault-shares)"`)
	genesis := filepath.Join(in.root, "genesis.json")
	typed = strings.ReplaceAll(in.rewrite.Replace(typed), "--genesis genesis.json", "--genesis "+genesis)
	keep := filepath.Join(in.root, "environment")
	cmd := exec.Command("bash", "-c", "set -euo pipefail\n"+typed+"\nexport -p >"+keep)
	if exported, err := os.ReadFile(keep); err == nil {
		cmd.Args[2] = string(exported) + "\n" + cmd.Args[2]
	}
	cmd.Dir, cmd.Env = "..", in.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		in.t.Fatalf("docs/install.md, line %d: %v\n%s\n%s", line, err, typed, out)
	}
	if found := verifier.FindAllStringSubmatch(string(out), -1); len(found) == 2 {
		council(in.t, fmt.Sprintf(`{"dir":%q,"ev":%q}`, found[0][2], found[1][2]), genesis)
	}
}

// systemctl does what systemd would, for one unit.
func (in *installation) systemctl(verb, unit string) {
	in.t.Helper()
	service := strings.TrimSuffix(strings.TrimSuffix(unit, ".timer"), ".service") + ".service"
	if verb == "stop" || verb == "disable --now" {
		if d := in.daemons[service]; d != nil {
			if err := d.end(); err != nil {
				in.t.Errorf("%s ends with %v", service, err)
			}
			delete(in.daemons, service)
		}
		return
	}
	env, words := in.unit(service)
	text := read(in.t, in.path("etc/systemd/system", service))
	if strings.Contains(text, "User=postgres") {
		env = append(env, in.super...)
	}
	if strings.Contains(text, "Type=oneshot") {
		until(in.t, service, func() error { // doctor waits for the first checkpoint
			cmd := exec.Command(words[0], words[1:]...)
			cmd.Env = append(slices.Clone(in.env), env...)
			out, err := cmd.CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w\n%s", err, out)
			}
			return nil
		})
		return
	}
	d := start(in.t, append(slices.Clone(in.env), env...), words[0], words[1:]...)
	d.says(in.t, "serving")
	in.daemons[service] = d
}

// unit reads a unit and its drop-ins as systemd does, as far as commands go.
func (in *installation) unit(service string) (env, words []string) {
	in.t.Helper()
	files := []string{in.path("etc/systemd/system", service)}
	more, _ := filepath.Glob(in.path("etc/systemd/system", service+".d", "*.conf"))
	for _, file := range append(files, more...) {
		for line := range strings.Lines(read(in.t, file)) {
			line = in.rewrite.Replace(strings.TrimSpace(line))
			switch key, value, _ := strings.Cut(line, "="); key {
			case "ExecStart":
				words = strings.Fields(value)
			case "Environment":
				env = append(env, value)
			case "EnvironmentFile":
				env = append(env, strings.Fields(read(in.t, value))...)
			case "LoadCredential":
				name, from, _ := strings.Cut(value, ":")
				write(in.t, in.path("run/credentials", name), read(in.t, from))
			}
		}
	}
	return env, words
}

// The short way: one machine, one file, keys in files.
func TestInstallWithFiles(t *testing.T) {
	in := newInstallation(t, nil)
	in.follow("short")
	if len(in.daemons) != 0 {
		t.Errorf("still running: %v", slices.Collect(maps.Keys(in.daemons)))
	}
	if names, _ := filepath.Glob(in.path("var/lib/odziv/keys/*")); len(names) != 3 {
		t.Errorf("keys: %v", names)
	}
}

// The full way: PostgreSQL and a Vault that the page itself initialises.
func TestInstallWithVault(t *testing.T) {
	c := pgtest.Start(t, pgtest.Options{Settings: settings(t, "odziv.conf")})
	host, port, _ := strings.Cut(c.Address(), ":")
	vaultPort, clusterPort := freePort(t), freePort(t)
	address := fmt.Sprintf("https://127.0.0.1:%d", vaultPort)
	super := []string{"PGHOST=" + host, "PGPORT=" + port, "PGUSER=postgres", "PGPASSWORD=" + pgtest.Password}
	in := newInstallation(t, super, "db.example.rs:5432", c.Address(), "db.example.rs", c.Address(), "https://vault.example.rs:8200", address, "192.0.2.10/32", here)
	in.env = append(in.env, "HOME="+in.root)

	if err := os.Symlink(vaulttest.Binary(t), in.path("usr/local/bin/vault")); err != nil {
		t.Fatal(err)
	}
	certify(t, in.path("etc/odziv/vault-ca.pem"), in.path("etc/odziv/vault-key.pem"))
	config := in.path("etc/vault.hcl")
	write(t, config, strings.NewReplacer("/vault/file", mkdir(t, in.path("var/lib/vault")), "/etc/odziv/tls/vault.pem", in.path("etc/odziv/vault-ca.pem"), "/etc/odziv/tls/vault-key.pem", in.path("etc/odziv/vault-key.pem"),
		"0.0.0.0:8200", fmt.Sprintf("127.0.0.1:%d", vaultPort), "0.0.0.0:8201", fmt.Sprintf("127.0.0.1:%d", clusterPort), "https://vault:8200", address,
		"https://vault:8201", fmt.Sprintf("https://127.0.0.1:%d", clusterPort), `node_id = "a"`, "node_id = \"a\"\n  performance_multiplier = 1").Replace(read(t, "compose/vault.hcl")))
	start(t, []string{"HOME=" + in.root}, vaulttest.Binary(t), "server", "-config="+config).says(t, "Vault server started")

	in.follow("full")
	if names, _ := filepath.Glob(in.path("var/lib/odziv/keys/*")); len(names) != 0 {
		t.Errorf("keys in files: %v", names)
	}
	if text := read(t, in.path("etc/odziv/pgpass")); strings.Contains(text, "odziv_install") || !strings.Contains(text, "odzivd") {
		t.Error("the password of the login that makes tables is still there, or the other is not")
	}
}
