package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A terminal is a program that runs at a pseudo-terminal of its own, with
// somebody who answers what it asks.
type terminal struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	screen strings.Builder
}

// atTerminal starts a program at a terminal.
func atTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatalf("no pseudo-terminal: %v (mount /dev/pts)", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Ctrl-C would also throw away what the program is just printing, now and then
	// the very words about the interruption.
	mode, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	mode.Lflag |= unix.NOFLSH
	if err := unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, mode); err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	return &terminal{t: t, master: master, cmd: cmd}
}

// asks matches a question that waits for its answer: every question of the
// program ends so, and no whole line does.
var asks = regexp.MustCompile(`[:?] $`)

// asksWord matches the question for one word of the passphrase that stands on the
// screen: the owner reads it from her paper.
var asksWord = regexp.MustCompile(`word (\d): $`)

func wordAsked(screen string) string {
	asked, shown := asksWord.FindStringSubmatch(screen), maskWords.FindString(strings.ReplaceAll(screen, "\r", ""))
	if asked == nil || shown == "" {
		return ""
	}
	n, _ := strconv.Atoi(asked[1])
	return strings.Fields(shown)[n-1]
}

// interrupt is Ctrl-C as an answer.
const interrupt = "\x03"

// answer types one line for each question, and waits for the end. It returns
// what the screen showed, answers included, and the exit code.
func (c *terminal) answer(answers ...string) (string, int) {
	c.t.Helper()
	defer c.master.Close()
	watchdog := time.AfterFunc(time.Minute, func() { c.cmd.Process.Kill() })
	defer watchdog.Stop()
	chunk := make([]byte, 64<<10)
	for {
		n, err := c.master.Read(chunk)
		c.screen.Write(chunk[:n])
		if err != nil { // EIO: the program closed its side
			break
		}
		if !asks.MatchString(c.screen.String()) {
			continue
		}
		if word := wordAsked(c.screen.String()); word != "" {
			answers = append([]string{word}, answers...)
		}
		if len(answers) == 0 {
			c.cmd.Process.Kill()
			c.cmd.Wait()
			c.t.Fatalf("nobody has an answer to the last question:\n%s", c.screen.String())
		}
		text := answers[0]
		if text != interrupt {
			text += "\n"
		}
		answers = answers[1:]
		if _, err := io.WriteString(c.master, text); err != nil {
			c.t.Fatal(err)
		}
		c.screen.WriteString("\x00") // the question is answered: do not answer it again
	}
	c.cmd.Wait()
	if len(answers) > 0 {
		c.t.Fatalf("nobody asked for %q:\n%s", answers, c.screen.String())
	}
	return strings.ReplaceAll(strings.ReplaceAll(c.screen.String(), "\x00", ""), "\r\n", "\n"), c.cmd.ProcessState.ExitCode()
}

// programs builds odziv and odzivd once for the tests that run them themselves.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "odziv-programs-")
	if err != nil {
		return "", err
	}
	programsIn = dir
	out, err := exec.Command("go", "build", "-o", dir+"/", "github.com/odziv/odziv/cmd/odziv", "github.com/odziv/odziv/cmd/odzivd").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("build: %w\n%s", err, out)
	}
	return dir, err
})

var programsIn string

// tidied removes at the end what all tests share.
type tidied struct{ *testing.M }

func (t tidied) Run() int {
	code := t.M.Run()
	if programsIn != "" {
		os.RemoveAll(programsIn)
	}
	return code
}
