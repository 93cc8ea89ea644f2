package deploy

import (
	"bytes"
	"context"
	"crypto/tls"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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

// composeFile is what is looked at in compose.yaml.
type composeFile struct {
	Services map[string]service         `json:"services"`
	Networks map[string]map[string]bool `json:"networks"`
	Secrets  map[string]map[string]any  `json:"secrets"`
	Volumes  map[string]any             `json:"volumes"`
}

type service struct {
	Image       string                     `json:"image"`
	Command     []string                   `json:"command"`
	Entrypoint  []string                   `json:"entrypoint"`
	Environment map[string]string          `json:"environment"`
	Networks    []string                   `json:"networks"`
	Volumes     []string                   `json:"volumes"`
	Ports       []string                   `json:"ports"`
	ReadOnly    bool                       `json:"read_only"`
	CapDrop     []string                   `json:"cap_drop"`
	CapAdd      []string                   `json:"cap_add"`
	SecurityOpt []string                   `json:"security_opt"`
	Ulimits     map[string]int             `json:"ulimits"`
	Healthcheck struct{ Test []string }    `json:"healthcheck"`
	Privileged  bool                       `json:"privileged"`
	NetworkMode string                     `json:"network_mode"`
	User        string                     `json:"user"`
	DependsOn   any                        `json:"depends_on"`
	Rest        map[string]json.RawMessage `json:"-"`
}

// compose reads compose.yaml, which Python's YAML makes JSON.
func compose(t *testing.T) *composeFile {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", "-c", "import json,sys,yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)")
	cmd.Stdin = strings.NewReader(read(t, "compose/compose.yaml"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v; hint: install python3-yaml, or let ./test.sh do it", err)
	}
	f := &composeFile{}
	if err := json.Unmarshal(out, f); err != nil {
		t.Fatal(err)
	}
	return f
}

// Who reaches whom, what each container lacks, and that no secret is in the file.
func TestCompose(t *testing.T) {
	f := compose(t)
	reach := map[string]string{"proxy": "edge front", "odzivd-a": "front database keys witnesses", "odzivd-b": "front database keys witnesses", "db": "database", "vault": "keys"}
	capabilities := map[string]string{"db": "CHOWN DAC_OVERRIDE FOWNER SETGID SETUID"}
	if len(f.Services) != len(reach) {
		t.Errorf("%d services, want %d", len(f.Services), len(reach))
	}
	for name, s := range f.Services {
		if got := strings.Join(s.Networks, " "); got != reach[name] {
			t.Errorf("%s is in the networks %s, want %s", name, got, reach[name])
		}
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) || s.Privileged || s.NetworkMode != "" {
			t.Errorf("%s is not hardened: %+v", name, s)
		}
		if core, ok := s.Ulimits["core"]; !ok || core != 0 {
			t.Errorf("%s writes core dumps", name)
		}
		if got := strings.Join(s.CapAdd, " "); got != capabilities[name] {
			t.Errorf("%s has %s", name, got)
		}
		if len(s.Healthcheck.Test) < 2 {
			t.Errorf("%s has no health check", name)
		}
		if s.User == "" && name != "db" {
			t.Errorf("%s is root", name)
		}
		if (len(s.Ports) != 0) != (name == "proxy") {
			t.Errorf("%s is open to the machine: %v", name, s.Ports)
		}
		if !strings.Contains(s.Image, ":") && s.Image != "odziv/odzivd" {
			t.Errorf("%s: %s says no version", name, s.Image)
		}
		for _, v := range s.Volumes {
			from, rest, _ := strings.Cut(v, ":")
			switch file := strings.HasPrefix(from, "."); {
			case strings.Contains(v, "docker.sock") || strings.HasPrefix(from, "/"):
				t.Errorf("%s sees %s of the machine", name, v)
			case file && !strings.HasSuffix(rest, ":ro"):
				t.Errorf("%s may change %s", name, v)
			case file && filepath.Base(from) != "tls":
				if _, err := os.Stat(filepath.Join("compose", from)); err != nil {
					t.Error(err)
				}
			case !file:
				if _, ok := f.Volumes[from]; !ok {
					t.Errorf("%s: there is no volume %s", name, from)
				}
			}
		}
		for key, value := range s.Environment {
			if regexp.MustCompile(`(?i)password|token|secret|key`).MatchString(key) && !strings.HasPrefix(value, "/run/secrets/") {
				t.Errorf("%s: %s is not the name of a secret's file", name, key)
			}
		}
	}
	for _, name := range []string{"front", "database", "keys"} {
		if !f.Networks[name]["internal"] {
			t.Errorf("network %s leads outside", name)
		}
	}
	for name, s := range f.Secrets {
		if file, _ := s["file"].(string); len(s) != 1 || !strings.HasPrefix(file, "./secrets/") {
			t.Errorf("secret %s: %v", name, s)
		}
	}
	ignored, _ := try(nil, "git", "check-ignore", "-v", "compose/secrets/pgpass", "compose/tls/key.pem")
	if strings.Count(ignored, "\n") != 2 {
		t.Errorf("secrets could be committed: %s", ignored)
	}
}

// The Dockerfile's build gives the same bytes twice, from two places, and what the
// image needs is in it.
func TestBuildIsReproducible(t *testing.T) {
	text := read(t, "compose/Dockerfile")
	m := regexp.MustCompile(`RUN (go build .*) -o /out/ (.*)`).FindStringSubmatch(text)
	if m == nil || !strings.Contains(text, "ENV CGO_ENABLED=0") || !strings.Contains(text, "FROM scratch") || !strings.Contains(text, "USER 65532:65532") {
		t.Fatal("the Dockerfile is another than this test knows")
	}
	version := regexp.MustCompile(`(?m)^go ([0-9]+\.[0-9]+)`).FindStringSubmatch(read(t, "../go.mod"))
	if !strings.Contains(text, "FROM golang:"+version[1]+"-") {
		t.Errorf("the image builds with another Go than %s", version[1])
	}
	source, elsewhere := abs(t, ".."), filepath.Join(t.TempDir(), "elsewhere")
	for _, name := range []string{"go.mod", "go.sum", "cmd", "consent", "internal", "keys", "ledger", "messaging"} {
		run(t, nil, "cp", "-a", filepath.Join(source, name), mkdir(t, elsewhere))
	}
	var built [][]byte
	for _, from := range []string{source, elsewhere} {
		out := t.TempDir()
		run(t, []string{"CGO_ENABLED=0", "GOFLAGS=-mod=readonly"}, "bash", "-c", "cd "+from+" && "+m[1]+" -o "+out+"/ ./cmd/odzivd")
		data := []byte(read(t, filepath.Join(out, "odzivd")))
		if bytes.Contains(data, []byte(from)) {
			t.Errorf("it names the folder it was built in, %s", from)
		}
		built = append(built, data)
	}
	if !bytes.Equal(built[0], built[1]) {
		t.Error("two builds differ")
	}
	// The image has no loader and no libraries.
	file, err := elf.NewFile(bytes.NewReader(built[0]))
	if err != nil {
		t.Fatal(err)
	}
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) != 0 || file.Section(".interp") != nil {
		t.Errorf("it needs what the image lacks: %v %v", libraries, err)
	}
}

func mkdir(t *testing.T, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What compose.yaml puts together runs: two servers on one database, keys in one
// Vault, a proxy that passes on what it cannot read, and goes on with one server.
func TestComposeRuns(t *testing.T) {
	f := compose(t)
	c := pgtest.Start(t, pgtest.Options{Settings: settings(t, "odziv.conf")})
	if out, err := psql(t, c, "postgres/roles.sql"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for _, login := range []string{"odzivd", "odziv_install"} {
		c.Exec("postgres", "ALTER ROLE "+login+" PASSWORD '"+pgtest.Password+"'")
	}
	s := vaulttest.Start(t, vaulttest.Options{Raft: true, TLS: true})
	script(t, s, true, "apply.sh", "operator", "--cidr", here)

	root := t.TempDir()
	mkdir(t, filepath.Join(root, "tls"))
	certify(t, filepath.Join(root, "tls/chain.pem"), filepath.Join(root, "tls/key.pem"))
	ports := map[string]int{"odzivd-a": freePort(t), "odzivd-b": freePort(t), "proxy": freePort(t)}
	servers, genesis := map[string]*daemon{}, ""
	authority := fmt.Sprintf("localhost:%d", ports["proxy"])
	odzivd := filepath.Join(tools(t), "odzivd")
	for _, name := range []string{"odzivd-a", "odzivd-b"} {
		dir := filepath.Join(root, name)
		mkdir(t, filepath.Join(dir, "vault"))
		deliver(t, s, filepath.Join(dir, "vault"))
		roleID := s.Call(t, "GET", "auth/approle/role/odziv/role-id", nil)["data"].(map[string]any)["role_id"].(string)
		write(t, filepath.Join(dir, "vault/role-id"), roleID)
		if name == "odzivd-a" {
			genesis = beginAs(t, dir, as(c, "odziv_install"), "--authority", authority, "--db", as(c, "odzivd"), "--vault", s.Address, "--vault-ca", s.CACert, "--vault-role", "odziv",
				"--vault-role-id", filepath.Join(dir, "vault/role-id"), "--vault-secret-id", filepath.Join(dir, "vault/secret-id"))
			deliver(t, s, filepath.Join(dir, "vault"))
		} else {
			first := filepath.Join(root, "odzivd-a")
			write(t, filepath.Join(dir, "server.json"), strings.ReplaceAll(read(t, filepath.Join(first, "server.json")), first, dir))
			mkdir(t, filepath.Join(dir, "anchor"))
			if out, err := try(nil, odzivd, "adopt", "--dir", dir, "--compared", "1,0"); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			deliver(t, s, filepath.Join(dir, "vault"))
		}
		var words []string
		for _, w := range f.Services[name].Command {
			words = append(words, strings.NewReplacer("/var/lib/odziv", dir, "/etc/odziv/tls", filepath.Join(root, "tls"), "0.0.0.0:8443", fmt.Sprintf("127.0.0.1:%d", ports[name])).Replace(w))
		}
		servers[name] = start(t, nil, odzivd, words...)
		servers[name].says(t, "odzivd: serving")
		test := f.Services[name].Healthcheck.Test
		until(t, "health", func() error {
			out, err := try(nil, odzivd, strings.Fields(strings.ReplaceAll(strings.Join(test[2:], " "), "/var/lib/odziv", dir))...)
			if err != nil {
				return fmt.Errorf("%w %s", err, out)
			}
			return nil
		})
	}

	config := strings.NewReplacer("odzivd-a:8443", fmt.Sprintf("127.0.0.1:%d", ports["odzivd-a"]), "odzivd-b:8443", fmt.Sprintf("127.0.0.1:%d", ports["odzivd-b"]),
		"bind :8443", fmt.Sprintf("bind 127.0.0.1:%d", ports["proxy"])).Replace(read(t, "compose/haproxy.cfg"))
	file := filepath.Join(root, "haproxy.cfg")
	write(t, file, config)
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		t.Fatal("hint: install haproxy, or let ./test.sh do it")
	}
	if out := run(t, nil, haproxy, "-c", "-f", file); strings.Contains(out, "WARNING") {
		t.Errorf("%s", out)
	}
	var words []string
	for _, w := range f.Services["proxy"].Command[1:] {
		words = append(words, strings.ReplaceAll(w, "/etc/odziv/haproxy.cfg", file))
	}
	start(t, nil, haproxy, words...)
	proxy := fmt.Sprintf("127.0.0.1:%d", ports["proxy"])
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}}}}
	get := func(path string) (int, string) {
		t.Helper()
		var code int
		var body []byte
		until(t, path, func() error {
			resp, err := client.Get("https://" + proxy + path)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			code = resp.StatusCode
			body, err = io.ReadAll(resp.Body)
			return err
		})
		return code, string(body)
	}
	if code, status := get("/v1/status"); code != http.StatusOK || !strings.Contains(status, "exchange.example.rs") {
		t.Errorf("%d %s", code, status)
	}
	for name, bad := range map[string]*tls.Config{"TLS 1.2": {MaxVersion: tls.VersionTLS12}, "no post-quantum exchange": {CurvePreferences: []tls.CurveID{tls.X25519}}} {
		bad.InsecureSkipVerify = true
		if conn, err := tls.Dial("tcp", proxy, bad); err == nil {
			conn.Close()
			t.Errorf("%s is spoken", name)
		}
	}
	if conn, err := tls.Dial("tcp", proxy, &tls.Config{InsecureSkipVerify: true}); err != nil || conn.ConnectionState().CurveID != tls.X25519MLKEM768 {
		t.Errorf("%v", err)
	} else {
		conn.Close()
	}
	// The program of an officer nobody enrolled yet: what she signed for the name that
	// she called arrives as she signed it, or it would not be her key that is missed.
	home, env := filepath.Join(root, "officer"), []string{"SSL_CERT_FILE=" + filepath.Join(root, "tls/chain.pem")}
	run(t, env, filepath.Join(tools(t), "odziv"), "--demo", "--home", home, "enroll", "--inst", "i_aaaaaaaaaaaaaaaaaaaaaaaaaa", "--url", "https://"+authority, "--genesis", genesis,
		"--new-passphrase-file", filepath.Join(root, "words"))
	if out, err := try(env, filepath.Join(tools(t), "odziv"), "--demo", "--home", home, "--passphrase-file", filepath.Join(root, "words"), "status"); err == nil || !strings.Contains(out, "the key is not in the directory") {
		t.Errorf("%v %s", err, out)
	}
	// A body without end is refused by the server, and not collected on the way.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, "https://"+proxy+"/v1/messages/m_aaaaaaaaaaaaaaaaaaaaaaaaaa", io.LimitReader(zeros{}, 64<<20))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := client.Do(r); err == nil {
		resp.Body.Close()
		if resp.StatusCode/100 == 2 {
			t.Errorf("64 MiB are taken: %s", resp.Status)
		}
	}
	if err := servers["odzivd-a"].end(); err != nil {
		t.Error(err)
	}
	if code, _ := get("/v1/status"); code != http.StatusOK {
		t.Errorf("with one server: %d", code)
	}
	if strings.Contains(read(t, filepath.Join(root, "odzivd-a/server.json")), "seed") {
		t.Error("a key is in a file")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// deliver runs deliver.sh for a folder.
func deliver(t *testing.T, s *vaulttest.Server, to string) {
	t.Helper()
	// Not [token]: this Vault may speak TLS.
	answer := s.Call(t, "POST", "auth/token/create", map[string]any{"policies": []string{"odziv-deliver"}, "no_default_policy": true, "no_parent": true})
	cmd := exec.Command("bash", "vault/deliver.sh", "--to", to)
	cmd.Env = append(s.Env(), "VAULT_TOKEN="+answer["auth"].(map[string]any)["client_token"].(string))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// The files that containers read are understood by what reads them.
func TestComposeFiles(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"vault", "db"} {
		certify(t, filepath.Join(root, name+".pem"), filepath.Join(root, name+"-key.pem"))
	}
	data := mkdir(t, filepath.Join(root, "data"))
	port, cluster := freePort(t), freePort(t)
	address := fmt.Sprintf("https://127.0.0.1:%d", port)
	config := filepath.Join(root, "vault.hcl")
	write(t, config, strings.NewReplacer("/vault/file", data, "/etc/odziv/tls", root, "0.0.0.0:8200", fmt.Sprintf("127.0.0.1:%d", port), "0.0.0.0:8201", fmt.Sprintf("127.0.0.1:%d", cluster),
		"https://vault:8200", address, "https://vault:8201", fmt.Sprintf("https://127.0.0.1:%d", cluster)).Replace(read(t, "compose/vault.hcl")))
	vault := vaulttest.Binary(t)
	start(t, []string{"HOME=" + root}, vault, "server", "-config="+config)
	env := []string{"HOME=" + root, "VAULT_ADDR=" + address, "VAULT_CACERT=" + filepath.Join(root, "vault.pem")}
	until(t, "vault", func() error {
		out, err := try(env, vault, "status")
		if !strings.Contains(out, "Sealed") {
			return fmt.Errorf("%w %s", err, out)
		}
		return nil
	})

	c := pgtest.Start(t, pgtest.Options{})
	conf := filepath.Join(c.Dir(), "odziv")
	mkdir(t, conf)
	write(t, filepath.Join(conf, "postgresql.conf"), read(t, "compose/postgresql.conf"))
	write(t, filepath.Join(conf, "odziv.conf"), read(t, "postgres/odziv.conf"))
	run(t, nil, "chown", "-R", "postgres", conf)
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	for name, want := range map[string]string{"log_error_verbosity": "terse", "log_min_error_statement": "panic", "ssl": "on", "ssl_min_protocol_version": "TLSv1.3", "listen_addresses": "*"} {
		// From the root folder: the server's user may not be let into this one.
		out := run(t, nil, "env", "-C", "/", "runuser", "-u", "postgres", "--", bins[len(bins)-1], "-D", filepath.Join(c.Dir(), "data"), "-c", "config_file="+filepath.Join(conf, "postgresql.conf"), "-C", name)
		if strings.TrimSpace(out) != want {
			t.Errorf("%s is %s, want %s", name, out, want)
		}
	}
}
