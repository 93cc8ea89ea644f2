package scenario

// tellKeys says what a step did about officers and keys.
func (c *cast) tellKeys(e *Entry, s *Step) {
	did := func(key, actor string, more ...any) {
		e.add("did", say(key, append([]any{c.actorText(actor)}, more...)...))
	}
	switch {
	case s.Join != nil:
		did("join", s.Join.Who)
	case s.Leave != nil:
		did("leave", s.Leave.Who)
	case s.Lost != nil:
		did("lost", s.Lost.Who)
	case s.Rotate != nil:
		did("rotate", s.Rotate.Who)
	case s.Acknowledge != nil:
		did("acknowledge", s.Acknowledge.Who)
	case s.Share != nil:
		did("share", s.Share.Who)
	case s.Accept != nil:
		did("accept", s.Accept.Who)
	case s.Custodians != nil:
		did("custodians", s.Custodians.Of, s.Custodians.K, s.Custodians.N)
	case s.Ask != nil:
		did("ask-"+s.Ask.Purpose, s.Ask.For, s.Ask.Custodian)
	case s.Decline != nil:
		did("decline", s.Decline.For, s.Decline.Custodian)
	case s.Recover != nil:
		did(s.Recover.Purpose, s.Recover.For)
	case s.Cheat != nil && s.Cheat.What == cheatNothing:
		e.add("did", phrases["honest"])
	case s.Cheat != nil:
		e.add("did", phrases["cheat"])
	case s.Steal != nil:
		did("steal", s.Steal.From)
	}
}
