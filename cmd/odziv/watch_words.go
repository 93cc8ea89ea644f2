package main

import (
	"fmt"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/keys/transparency"
)

// inWords says what a change means to somebody who is not technical.
func (s *session) inWords(c transparency.Change) readerChange {
	r := readerChange{Change: c, Says: []string{}}
	for _, a := range c.Adds {
		r.Says = append(r.Says, s.gain(c, a))
	}
	if len(c.Adds) == 0 {
		r.Says = append(r.Says, s.harmless(c))
	}
	for _, read := range c.Reads {
		r.Says = append(r.Says, s.couldRead(read))
	}
	if len(c.Reads) == 0 && len(c.Adds) > 0 && c.Adds[0].What == transparency.AddsReader && c.Verdict == transparency.Unexpected {
		r.Says = append(r.Says, "No key of the desk was made for her yet: so far she can read nothing.")
	}
	return r
}

func (s *session) gain(c transparency.Change, a transparency.Addition) string {
	desk := s.called(a.Desk)
	switch a.What {
	case transparency.AddsReader:
		return fmt.Sprintf("Officer %s (key %s) joined desk %s: every key of the desk made from then on is hers too.%s", a.Officer, shortKey(a.Key), desk, s.enrolledBy(a))
	case transparency.AddsKey:
		return fmt.Sprintf("Officer %s of desk %s got another key, %s.", a.Officer, desk, shortKey(a.Key))
	case transparency.AddsTerm:
		return fmt.Sprintf("The term of officer %s of desk %s, which was over, goes on.", a.Officer, desk)
	case transparency.AddsRole:
		return fmt.Sprintf("Officer %s may now give past keys of desk %s to its new members.", a.Officer, desk)
	case transparency.AddsPackage:
		return fmt.Sprintf("Key %d of desk %s was made for officer %s too.", c.Epoch, desk, a.Officer)
	case transparency.AddsMaker:
		return fmt.Sprintf("Key %d of desk %s was made by officer %s.", c.Epoch, desk, a.Officer)
	case transparency.AddsEscrow:
		return fmt.Sprintf("Key %d of desk %s can be recovered with the help of custodian %s.", c.Epoch, desk, shortKey(a.Key))
	case transparency.AddsChecker:
		return fmt.Sprintf("Key %d of desk %s was acknowledged: senders may use it.", c.Epoch, desk)
	case transparency.AddsFormer:
		return fmt.Sprintf("Key %d of desk %s was disputed: an older key is in use again, which officer %s holds.", c.Epoch, desk, a.Officer)
	case transparency.AddsRegistrar:
		return fmt.Sprintf("%s is a registrar's key now: any two registrars enrol anybody and add her to any desk.", shortKey(a.Key))
	case transparency.AddsRoot:
		return fmt.Sprintf("%s is a key of your institution's root now: the root names registrars and custodians.", shortKey(a.Key))
	case transparency.AddsCustodian, transparency.AddsCustodianKey:
		return fmt.Sprintf("%s is a custodian's key now: custodians together recover the keys of desks that are made from then on.", shortKey(a.Key))
	case transparency.AddsThreshold:
		return "Fewer of them are enough than before."
	case transparency.AddsFunction:
		return fmt.Sprintf("Desk %s now stands before yours for your institution: what the rules address to the function of %s goes there.", s.called(a.By), desk)
	case transparency.AddsObserver:
		return fmt.Sprintf("%s watches for your institution now, in place of the observer before.", shortKey(a.Key))
	}
	return a.What
}

func (s *session) enrolledBy(a transparency.Addition) string {
	if a.Enrolled == nil {
		return ""
	}
	return fmt.Sprintf(" Enrolled in entry %d, %s, by %s", a.Enrolled.Idx, s.when(a.Enrolled.At), s.signedBy(a.Enrolled.By))
}

// harmless says what happened where nobody was added.
func (s *session) harmless(c transparency.Change) string {
	change := office.Change{What: c.What, About: c.About, Epoch: c.Epoch}
	return s.changed(&change) + ": adds nobody"
}

func (s *session) couldRead(r transparency.Reading) string {
	if len(r.Used) == 0 {
		return fmt.Sprintf("Officer %s was given key %d of desk %s, which senders never used.", r.Officer, r.Epoch, s.called(r.Desk))
	}
	from := r.Used[0]
	until := ", in use since " + s.when(from.FromAt)
	if last := r.Used[len(r.Used)-1]; last.Until > 0 {
		until = fmt.Sprintf(", in use from %s to %s", s.when(from.FromAt), s.when(last.UntilAt))
	}
	return fmt.Sprintf("Officer %s can read what was sealed with key %d of desk %s%s.", r.Officer, r.Epoch, s.called(r.Desk), until)
}
