package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// firstInstitution is one that is there already: whom the new one writes to.
func (s *story) firstInstitution() {
	s.write("")
	o := newcomer{s, "hppo", "ppo-higher", "registry"}
	o.join()
	o.registrars()
	o.desk()
}

// enrollment is the story of docs/enrollment.md: from the invite to the first
// sealed message.
func (s *story) enrollment() {
	o := newcomer{s, "vranje", "swc", "legal"}
	o.join()
	o.registrars()
	o.desk()
	s.write("enrollment-6-message")
	s.learns("hppo.registry", "vranje-officer-1", "hppo-officer-1")
	s.sees("vranje-officer-1", nil, "send", "--kind", "complaint", "--to", "hppo.registry", "--basis", "legal-obligation", "--purpose", "procedure",
		"--subj", "p_pmoivqjmz4xmo6ayvrm5mhewte", "--cat", "identity", "--field", "facts-of-case=rehearsal", "--field", "indicators=none", "--field", "age=adult", "--field", "role=authority")
	s.write("")
	if inbox := s.runs("hppo-officer-1", "odziv", "--demo", "inbox"); !strings.Contains(inbox, "complaint") {
		s.t.Errorf("the first message did not arrive:\n%s", inbox)
	}
}

// turnover is an officer who leaves.
func (s *story) turnover() {
	s.write("officer-leaves")
	s.sees("vranje-registrar-1", yes(2), "officer", "leave", "legal officer 2")
	s.sees("vranje-registrar-1", nil, "officer", "list", "--all")
	s.write("")
	if screen, code := s.tries("vranje-officer-2", nil, "status"); code == 0 {
		s.t.Errorf("whoever left is still let in:\n%s", screen)
	}
}

// learns gives one officer's program the name of another's desk.
func (s *story) learns(desk, home, member string) {
	status := s.runs(member, "odziv", "--demo", "status", "--json")
	id := s.found(status, `"desks": \[\s+"(d_[a-z2-7]+)"`)
	if err := os.WriteFile(s.dir+"/"+home+"/names.json", fmt.Appendf(nil, "{%q: %q}\n", desk, id), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// newcomer is an institution of one desk on its way in.
type newcomer struct {
	*story
	name, typ, fn string
}

func (o newcomer) home(role string) string { return o.name + "-" + role }

// told begins a page for the institution that the documents tell of.
func (o newcomer) told(page string) {
	if o.name == "vranje" {
		o.write(page)
	}
}

// join is invite, request, admission and profile.
func (o newcomer) join() {
	invite, request := o.name+"/invite.json", o.name+"/join-request.json"
	if err := os.MkdirAll(o.dir+"/"+o.name, 0o700); err != nil {
		o.t.Fatal(err)
	}
	o.told("enrollment-1-invite")
	o.sees("delegate-1", nil, "institution", "invite", "--name", o.name, "--out", invite)
	o.told("enrollment-2-join")
	roots := []string{o.home("root-1"), o.home("root-2"), o.home("root-3")}
	join := []string{"institution", "join", "--invite", invite, "--out", request}
	for _, r := range roots {
		o.enrolls(r, "--as", "root", "--invite", invite)
		join = append(join, "--key", r+"/key.json")
	}
	o.sees(roots[0], yes(4), join...)
	o.sees(roots[1], yes(3), "directory", "sign", request, "--out", o.name+"/join-request.2.json")
	o.told("enrollment-3-admit")
	o.sees("delegate-1", yes(4), "institution", "admit", o.name+"/join-request.2.json")
	o.signs("delegate-2", 3)
	o.sees("delegate-1", yes(1), "institution", "profile", o.name, "--type", o.typ, "--territory", "70432", "--emergency")
	o.signs("delegate-2", 0)
	o.write("")
}

// registrars are named by the root, three of them.
func (o newcomer) registrars() {
	o.told("enrollment-4-registrars")
	name := []string{"institution", "registrars"}
	for _, r := range []string{"registrar-1", "registrar-2", "registrar-3"} {
		o.enrolls(o.home(r), "--as", "registrar", "--invite", o.name+"/invite.json")
		name = append(name, "--add", o.home(r)+"/key.json")
	}
	o.sees(o.home("root-1"), yes(4), name...)
	o.signs(o.home("root-2"), 3)
	o.write("")
}

// desk enrols two officers, opens a desk for them and gives it a key.
func (o newcomer) desk() {
	o.told("enrollment-5-officers")
	first, second := o.home("officer-1"), o.home("officer-2")
	for i, who := range []string{first, second} {
		o.enrolls(who, "--invite", o.name+"/invite.json", "--role", "member,head")
		o.sees(o.home("registrar-1"), yes(2), "officer", "enrol", who+"/enrol-request.json", "--label", fmt.Sprintf("%s officer %d", o.fn, i+1))
		o.signs(o.home("registrar-2"), 1)
	}
	o.sees(o.home("registrar-1"), yes(1), "officer", "desk", "open", "--fn", o.fn, "--name", o.name+"."+o.fn)
	o.sees(o.home("registrar-1"), yes(1), "officer", "desk", "put", o.name+"."+o.fn, o.fn+" officer 1", o.fn+" officer 2")
	o.signs(o.home("registrar-2"), 0)
	o.sees(first, nil, "directory", "rotate", "--why", "first")
	o.sees(second, nil, "directory", "acknowledge")
	o.write("")
}

// countedIn holds the numbers of steps that a document names against the story.
func (s *story) countedIn(file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	total := 0
	for page, n := range s.steps {
		if !strings.HasPrefix(page, "enrollment-") {
			continue
		}
		total += n
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\|[^\n]*terminal/%s\.txt[^\n]*\| %d \|`, page, n))
		if !row.Match(text) {
			s.t.Errorf("%s: no row says that %s takes %d commands", file, page, n)
		}
	}
	if !strings.Contains(string(text), fmt.Sprintf("**%d commands**", total)) {
		s.t.Errorf("%s does not say that the whole takes **%d commands**", file, total)
	}
}
