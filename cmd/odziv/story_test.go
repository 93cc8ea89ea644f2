package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"net"
)

// transcripts is where docs/enrollment.md and docs/ceremony.md find what people
// see at the terminal.
const transcripts = "../../docs/terminal"

// A story is told by several people, each with a folder and a terminal, at one
// exchange. What they see is written down.
type story struct {
	t       *testing.T
	dir     string // everything happens below it
	bin     string
	address string
	*mask
	pages map[string]*strings.Builder // by name of the transcript
	page  string                      // being written; "" for nothing
	steps map[string]int              // commands by transcript
}

func newStory(t *testing.T) *story {
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return &story{t: t, dir: t.TempDir(), bin: bin, address: address, mask: newMask(), pages: map[string]*strings.Builder{}, steps: map[string]int{}}
}

// write begins a transcript, or ends writing with "".
func (s *story) write(page string) {
	s.page = page
	if page != "" && s.pages[page] == nil {
		s.pages[page] = &strings.Builder{}
	}
}

// command is a run of a program by the owner of a folder. The passphrase, once
// known, lies in a file beside the folder, so that no screen shows it.
func (s *story) command(home, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "ODZIV_HOME="+home, "TERM=dumb", "ODZIV_PASSPHRASE_FILE=")
	if words := filepath.Join(s.dir, home+".words"); home != "" && isFile(words) {
		cmd.Env = append(cmd.Env, "ODZIV_PASSPHRASE_FILE="+words)
	}
	return cmd
}

// sees is what the owner of a folder sees who gives a command and answers.
func (s *story) sees(home string, answers []string, args ...string) string {
	s.t.Helper()
	screen, code := s.tries(home, answers, args...)
	if code != 0 {
		s.t.Fatalf("%s: odziv %s: exit code %d\n%s", home, strings.Join(args, " "), code, screen)
	}
	return screen
}

func (s *story) tries(home string, answers []string, args ...string) (string, int) {
	s.t.Helper()
	screen, code := atTerminal(s.t, s.command(home, "odziv", append([]string{"--demo"}, args...)...)).answer(answers...)
	if s.page != "" {
		s.steps[s.page]++
		page := s.pages[s.page]
		fmt.Fprintf(page, "%s $ odziv --demo %s\n%s", home, s.apply(shellWords(args)), s.apply(strings.ReplaceAll(screen, s.dir+"/", "")))
		if !strings.HasSuffix(page.String(), "\n\n") {
			page.WriteString("\n")
		}
	}
	return screen, code
}

// shellWords writes arguments as one types them.
func shellWords(args []string) string {
	words := slices.Clone(args)
	for i, w := range words {
		if strings.ContainsAny(w, " \"") {
			words[i] = "'" + w + "'"
		}
	}
	return strings.Join(words, " ")
}

// enrolls makes keys in a folder and writes down the passphrase that was shown.
func (s *story) enrolls(home string, args ...string) {
	s.t.Helper()
	screen := s.sees(home, nil, append([]string{"enroll"}, args...)...)
	words := maskWords.FindString(screen)
	if words == "" {
		s.t.Fatalf("no passphrase was shown:\n%s", screen)
	}
	if err := os.WriteFile(filepath.Join(s.dir, home+".words"), []byte(strings.TrimSpace(words)+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// runs is a command without a terminal, in the background of the story.
func (s *story) runs(home, program string, args ...string) string {
	s.t.Helper()
	out, err := s.command(home, program, args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %s %s: %v\n%s", home, program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// waitingFor is the digest of the one statement that waits for somebody.
func (s *story) waitingFor(home string) string {
	s.t.Helper()
	found := regexp.MustCompile(`(?m)^[0-9a-f]{64}`).FindAllString(s.runs(home, "odziv", "--demo", "pending"), -1)
	if len(found) != 1 {
		s.t.Fatalf("%s: %d statements wait", home, len(found))
	}
	return found[0]
}

// signs looks at what waits and signs it, after as many comparisons as it asks
// for.
func (s *story) signs(home string, compares int) {
	s.t.Helper()
	digest := s.waitingFor(home)
	s.sees(home, nil, "pending")
	s.sees(home, yes(compares+1), "pending", "sign", digest[:8])
}

// yes is as many answers.
func yes(n int) []string { return slices.Repeat([]string{"yes"}, n) }

// found is the first group that a pattern finds.
func (s *story) found(text, pattern string) string {
	s.t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		s.t.Fatalf("no %s in:\n%s", pattern, text)
	}
	return m[1]
}

// serve runs the exchange until the test ends.
func (s *story) serve() {
	cmd := s.command("", "odzivd", "serve", "--dir", "server", "--listen", s.address, "--bookkeep", "0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.Create(filepath.Join(s.dir, "server.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait(); log.Close() })
	for range 1000 {
		if c, err := net.Dial("tcp", s.address); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatal("the exchange does not answer")
}

// owned are the commands whose words belong to these transcripts: of what others
// print, only that it was run is compared.
var owned = regexp.MustCompile(`^[a-z0-9-]+ \$ odziv --demo (ceremony|institution|officer|pending) `)

// stable is what of a transcript must not change unnoticed.
func stable(page string) string {
	var b strings.Builder
	keep := false
	for line := range strings.Lines(page) {
		if strings.Contains(line, " $ odziv --demo ") {
			keep = owned.MatchString(line)
			b.WriteString(line)
		} else if keep {
			b.WriteString(line)
		}
	}
	return b.String()
}

// compare holds the transcripts against docs/terminal. With ODZIV_UPDATE=1 it
// writes them instead.
func (s *story) compare() {
	s.t.Helper()
	for _, name := range slices.Sorted(maps.Keys(s.pages)) {
		file, text := filepath.Join(transcripts, name+".txt"), strings.TrimRight(s.pages[name].String(), "\n")+"\n"
		if os.Getenv("ODZIV_UPDATE") != "" {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				s.t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			s.t.Fatalf("%v (ODZIV_UPDATE=1 go test ./cmd/odziv -run TestStory writes it)", err)
		}
		if a, b := stable(text), stable(string(want)); a != b {
			s.t.Errorf("%s shows what the program no longer prints; ODZIV_UPDATE=1 go test ./cmd/odziv -run TestStory writes it anew\n%s", file, firstDifference(b, a))
		}
	}
}

func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\n  there: %s\n  now:   %s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines there, %d now", len(a), len(b))
}

// TestStory tells it all with real programs at real terminals: three council
// members found an exchange, an institution joins, and its first officer sends a
// sealed message. The steps are counted, and docs/enrollment.md names the counts.
func TestStory(t *testing.T) {
	s := newStory(t)
	s.ceremony()
	s.firstInstitution()
	s.enrollment()
	s.turnover()
	s.compare()
	s.countedIn("../../docs/enrollment.md")
}

// ceremony founds the exchange.
func (s *story) ceremony() {
	s.write("ceremony-1-keys")
	for _, who := range []string{"council-1", "council-2", "council-3"} {
		s.enrolls(who, "--as", "council")
	}
	s.write("")
	s.enrolls("delegate-1", "--as", "delegate")
	s.enrolls("delegate-2", "--as", "delegate")
	logs := s.runs("", "odzivd", "init", "--dir", "server", "--host", "exchange.example", "--authority", s.address, "--json")
	if err := os.WriteFile(filepath.Join(s.dir, "logs.json"), []byte(logs), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.write("ceremony-2-genesis")
	s.sees("clerk", []string{"Protection exchange (rehearsal)", "3", "2", "council-1/key.json", "yes", "council-2/key.json", "yes",
		"council-3/key.json", "yes", "logs.json", "", "yes", "2", "delegate-1/key.json", "yes", "delegate-2/key.json", "yes", "yes"}, "ceremony", "genesis")
	s.write("ceremony-3-sign")
	for _, who := range []string{"council-1", "council-2", "council-3"} {
		s.sees(who, yes(2), "ceremony", "sign", "ceremony/genesis.json")
	}
	s.sees("clerk", nil, "ceremony", "annex", "ceremony/genesis.json", "--out", "annex.html")
	s.write("")
	s.runs("", "odzivd", "init", "--dir", "server", "--genesis", "ceremony/genesis.json")
	s.serve()
	genesis := strings.ReplaceAll(s.found(s.runs("", "odziv", "ceremony", "annex", "ceremony/genesis.json"), `Genesis hash\n\n((?:\s+[0-9a-f]{4}){16})\n`), " ", "")
	genesis = strings.ReplaceAll(genesis, "\n", "")
	for _, who := range []string{"delegate-1", "delegate-2", "council-1"} {
		s.runs(who, "odziv", "--demo", "connect", "--url", "http://"+s.address, "--genesis", genesis)
	}
	s.write("ceremony-4-pack")
	s.sees("delegate-1", yes(1), "ceremony", "pack", "rs-a@1")
	s.signs("delegate-2", 0)
	s.write("")
}
