package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// exposure is the level that "systemd-analyze security" may find at most, in tenths
// of its points: 0 is nothing, 100 an ordinary program of root's. The delivery is
// root, to become another account; the rest are accounts without rights, those with
// 1.x because they speak to the network.
var exposure = map[string]int{
	"odzivd.service":           12,
	"odzivd.service+https":     15,
	"odziv-observe.service":    12,
	"odzivd-doctor.service":    12,
	"odziv-backup.service":     5,
	"odziv-basebackup.service": 5,
	"odziv-deliver.service":    22,
	"odziv-alarm@.service":     5,
}

// analyze is systemd-analyze, which needs no running systemd for what is asked here.
func analyze(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal("hint: install the package systemd, or let ./test.sh do it")
	}
	return path
}

// units puts the units into a folder, their programs where they are, with the
// drop-ins of an example if one is named.
func units(t *testing.T, example string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	place := strings.NewReplacer("/usr/local/bin/", tools(t)+"/", "/usr/local/lib/odziv/backup.sh", abs(t, "backup.sh"), "/usr/local/lib/odziv/deliver.sh", abs(t, "vault/deliver.sh"))
	for _, name := range unitFiles(t) {
		write(t, filepath.Join(dir, filepath.Base(name)), place.Replace(read(t, name)))
	}
	if example != "" {
		folder := filepath.Join(dir, "odzivd.service.d")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, "https.conf"), place.Replace(read(t, filepath.Join("systemd/odzivd.service.d", example))))
	}
	return dir
}

func abs(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func unitFiles(t *testing.T) []string {
	t.Helper()
	services, _ := filepath.Glob("systemd/*.service")
	timers, _ := filepath.Glob("systemd/*.timer")
	if len(services) < 7 || len(timers) < 4 {
		t.Fatalf("%d services, %d timers", len(services), len(timers))
	}
	return append(services, timers...)
}

// systemd understands every line of every unit.
func TestUnitsAreUnderstood(t *testing.T) {
	for _, example := range []string{"", "https-certificate.conf.example", "https-acme.conf.example"} {
		dir := units(t, example)
		files, _ := filepath.Glob(filepath.Join(dir, "*.*er*"))
		for _, file := range files {
			if strings.HasSuffix(file, ".d") {
				continue
			}
			name := strings.Replace(filepath.Base(file), "@.", "@x.", 1)
			cmd := exec.Command(analyze(t), "verify", "--man=no", "--recursive-errors=no", filepath.Join(dir, name))
			cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
			out, err := cmd.CombinedOutput()
			if err != nil || len(out) != 0 {
				t.Errorf("%s %s: %v\n%s", name, example, err, out)
			}
		}
	}
}

// No unit is exposed more than it must be.
func TestUnitsAreHardened(t *testing.T) {
	said := regexp.MustCompile(`Overall exposure level for .*: ([0-9]+)\.([0-9])`)
	look := func(dir, file, name string) {
		t.Helper()
		limit, ok := exposure[name]
		if !ok {
			t.Errorf("%s has no limit", name)
			return
		}
		cmd := exec.Command(analyze(t), "security", "--offline=yes", fmt.Sprintf("--threshold=%d", limit), filepath.Join(dir, file))
		cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
		out, err := cmd.CombinedOutput()
		m := said.FindSubmatch(out)
		if err != nil || m == nil {
			t.Errorf("%s: %v\n%s", name, err, out)
			return
		}
		points, _ := strconv.Atoi(string(m[1]))
		tenth, _ := strconv.Atoi(string(m[2]))
		if points*10+tenth > limit {
			t.Errorf("%s: %d.%d, at most %d.%d", name, points, tenth, limit/10, limit%10)
		}
	}
	dir := units(t, "")
	for _, file := range unitFiles(t) {
		if name := filepath.Base(file); strings.HasSuffix(name, ".service") {
			look(dir, name, name)
		}
	}
	for _, example := range []string{"https-certificate.conf.example", "https-acme.conf.example"} {
		look(units(t, example), "odzivd.service", "odzivd.service+https")
	}
}

// What every service must say, whatever the points are.
func TestUnitsSayWhatMatters(t *testing.T) {
	for _, file := range unitFiles(t) {
		if !strings.HasSuffix(file, ".service") {
			continue
		}
		lines := strings.Split(read(t, file), "\n")
		for _, line := range []string{"NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes", "MemoryDenyWriteExecute=yes",
			"LimitCORE=0", "UMask=0077", "SystemCallFilter=@system-service", "RestrictNamespaces=yes", "AmbientCapabilities="} {
			if !slices.Contains(lines, line) {
				t.Errorf("%s lacks %s", file, line)
			}
		}
		for _, line := range lines {
			if strings.HasPrefix(line, "Environment=") && regexp.MustCompile(`(?i)(password|token|secret|key)=`).MatchString(line[12:]) {
				t.Errorf("%s: a secret in the environment: %s", file, line)
			}
		}
	}
}

// A machine is a folder with the tree that units name, so that their commands run
// on this machine beside others.
type machine struct {
	t     *testing.T
	root  string
	place *strings.Replacer
	port  int
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, root: t.TempDir(), port: freePort(t)}
	for _, dir := range []string{"etc/odziv", "var/lib", "var/backups/odziv", "run/credentials"} {
		if err := os.MkdirAll(filepath.Join(m.root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	m.place = strings.NewReplacer(
		"/usr/local/bin/", tools(t)+"/", "/usr/local/lib/odziv/backup.sh", abs(t, "backup.sh"), "/usr/local/lib/odziv/deliver.sh", abs(t, "vault/deliver.sh"),
		"/var/lib/odziv", m.path("var/lib/odziv"), "/etc/odziv", m.path("etc/odziv"), "/var/backups", m.path("var/backups"),
		"127.0.0.1:8443", fmt.Sprintf("127.0.0.1:%d", m.port), "--listen :443", fmt.Sprintf("--listen 127.0.0.1:%d", m.port),
		"127.0.0.1:8444", fmt.Sprintf("127.0.0.1:%d", freePort(t)), "%d/", m.path("run/credentials")+"/", "%i", "odziv-test.service")
	return m
}

func (m *machine) path(parts ...string) string {
	return filepath.Join(append([]string{m.root}, parts...)...)
}

// command is what a unit's last ExecStart says, with its environment.
func (m *machine) command(unit string) (env, words []string) {
	m.t.Helper()
	for _, line := range strings.Split(read(m.t, filepath.Join("systemd", unit)), "\n") {
		if text, ok := strings.CutPrefix(line, "ExecStart="); ok && text != "" {
			words = nil
			for _, w := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(m.place.Replace(text), -1) {
				words = append(words, strings.Trim(w, `"`))
			}
		}
		if text, ok := strings.CutPrefix(line, "Environment="); ok {
			env = append(env, m.place.Replace(text))
		}
		if text, ok := strings.CutPrefix(line, "LoadCredential="); ok {
			name, from, _ := strings.Cut(text, ":")
			write(m.t, m.path("run/credentials", name), read(m.t, m.place.Replace(from)))
		}
	}
	if len(words) == 0 {
		m.t.Fatalf("%s has no ExecStart", unit)
	}
	return append(env, "PATH="+tools(m.t)+":"+os.Getenv("PATH")), words
}

// start starts what a unit's ExecStart says, and more.
func (m *machine) start(unit string, more ...string) *daemon {
	m.t.Helper()
	env, words := m.command(unit)
	return start(m.t, env, words[0], append(words[1:], more...)...)
}

// serve starts a server and waits until it serves.
func (m *machine) serve(unit string) *daemon {
	m.t.Helper()
	d := m.start(unit)
	d.says(m.t, "odzivd: serving")
	return d
}

// The commands of the units run as they stand: a flag that was renamed, a folder
// that another unit makes are found here.
func TestUnitsRun(t *testing.T) {
	m := newMachine(t)
	genesis := begin(t, m.path("var/lib/odziv"))
	server := m.serve("odzivd.service")
	run(t, nil, filepath.Join(tools(t), "odziv"), "--demo", "observe", "init", "--home", m.path("var/lib/odziv-observer"), "--url", fmt.Sprintf("http://127.0.0.1:%d", m.port),
		"--genesis", genesis, "--inst", "i_aaaaaaaaaaaaaaaaaaaaaaaaaa", "--name", "observer.example", "--new-passphrase-file", m.path("etc/odziv/observer.pass"))
	observer := m.start("odziv-observe.service", "--demo") // its genesis is one of a rehearsal
	observer.says(t, "odziv: ")
	if said := observer.output(); !strings.Contains(said, "observing") {
		t.Errorf("the observer says %s", said)
	}
	until(t, "doctor", func() error { // until the first checkpoint is there
		env, words := m.command("odzivd-doctor.service")
		out, err := try(env, words[0], words[1:]...)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		return nil
	})
	env, words := m.command("odziv-backup.service")
	run(t, env, words[0], words[1:]...)
	copies, _ := filepath.Glob(m.path("var/backups/odziv/ledger-*.db"))
	if len(copies) != 1 {
		t.Errorf("copies: %v", copies)
	}
	if err := server.end(); err != nil {
		t.Errorf("the server ends with %v", err)
	}
	env, words = m.command("odziv-alarm@.service")
	if st, err := os.Stat(words[0]); err != nil || st.Mode()&0o111 == 0 {
		t.Errorf("%v %v", words, err)
	}

	if err := os.MkdirAll(m.path("etc/odziv/tls"), 0o700); err != nil {
		t.Fatal(err)
	}
	certify(t, m.path("etc/odziv/tls/chain.pem"), m.path("etc/odziv/tls/key.pem"))
	server = m.serve("odzivd.service.d/https-certificate.conf.example")
	if err := server.end(); err != nil {
		t.Error(err)
	}
	// The authority is not asked before two seconds have passed.
	if err := m.serve("odzivd.service.d/https-acme.conf.example").end(); err != nil {
		t.Error(err)
	}
}

// certify makes a certificate for localhost that signs itself.
func certify(t *testing.T, cert, key string) {
	t.Helper()
	run(t, nil, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", "/CN=exchange.example.rs",
		"-addext", "subjectAltName=DNS:exchange.example.rs,DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert)
}

// Copies older than they may be go, nothing else does, and only after a new one came.
func TestBackupKeeps(t *testing.T) {
	m := newMachine(t)
	begin(t, m.path("var/lib/odziv"))
	env, words := m.command("odziv-backup.service")
	to := m.path("var/backups/odziv")
	for name, age := range map[string]string{"ledger-20200101T000000Z.db": "15 days ago", "ledger-20200102T000000Z.db": "13 days ago", "ledger-notes.db": "15 days ago", "mine.db": "15 days ago", "ledger-20200103T000000Z.db.part": "1 day ago"} {
		write(t, filepath.Join(to, name), "x")
		run(t, nil, "touch", "-d", age, filepath.Join(to, name))
	}
	if _, err := try(append(env, "ODZIVD=/bin/false"), words[0], words[1:]...); err == nil {
		t.Error("a failed copy is a success")
	}
	if _, err := os.Stat(filepath.Join(to, "ledger-20200101T000000Z.db")); err != nil {
		t.Error("the old one went though no new one came")
	}
	run(t, env, words[0], words[1:]...)
	names, _ := filepath.Glob(to + "/*")
	left := strings.Join(names, " ")
	for name, stays := range map[string]bool{"ledger-20200101T000000Z.db": false, "ledger-20200102T000000Z.db": true, "ledger-notes.db": true, "mine.db": true, ".part": false} {
		if strings.Contains(left, name) != stays {
			t.Errorf("%s: stays %v, in %s", name, !stays, left)
		}
	}
	if len(names) != 4 {
		t.Errorf("%d files: %s", len(names), left)
	}
	if out, err := try(env, words[0], "sqlite", "--dir", m.path("var/lib/odziv"), "--to", to, "--keep", "15"); err == nil || !strings.Contains(out, "hint") {
		t.Errorf("kept for longer than what is erased may live: %s", out)
	}
}
