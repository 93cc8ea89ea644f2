package main

import (
	"fmt"
	"time"
)

// termWarning is how long before the end of her term an officer is told, in ms:
// two registrars must find the time to renew it.
const termWarning = 30 * 24 * 3600 * 1000

// termEnds warns before the officer's own term ends, as the directory has it.
func (s *session) termEnds() []warning {
	me, err := s.Me()
	if err != nil {
		return nil
	}
	left := me.NA - s.Now()
	hint := "ask two registrars of your institution: odziv officer renew " + me.U
	switch {
	case me.Revoked():
		return []warning{{"revoked", "your key was revoked: what you sign counts no more", "make new keys and have them enrolled: odziv enroll --again " + me.U}}
	case left <= 0:
		return []warning{{"term-over", "your term ended on " + s.when(me.NA) + ": what you sign counts no more until it is renewed", hint}}
	case left <= termWarning:
		days := left / (24 * time.Hour).Milliseconds()
		return []warning{{"term-ends", fmt.Sprintf("your term ends on %s, in %d days", s.when(me.NA), days), hint}}
	}
	return nil
}
