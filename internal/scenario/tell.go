package scenario

import "context"

// tell says what a step did.
func (c *cast) tell(e *Entry, s *Step) {
	did := func(key string, args ...any) { e.add("did", say(key, args...)) }
	switch {
	case s.Send != nil:
		c.tellSend(e, s.Send)
	case len(s.Set) > 0:
		did("set", len(s.Set))
		for _, m := range s.Set {
			c.tellSend(e, m)
		}
	case s.Read != nil:
		did("read", c.actorText(s.Read.By), c.thingText(s.Read.Message))
	case s.Retrieve != nil:
		did("retrieve", c.actorText(s.Retrieve.By), c.thingText(s.Retrieve.Message))
	case s.Attest != nil:
		c.tellAttest(e, s.Attest)
	case s.Link != nil:
		did("link", c.actorText(s.Link.By), len(s.Link.Cases))
	case s.Consent != nil:
		c.tellConsent(e, s.Consent)
	case s.Grant != nil:
		until := untilText(s.Grant.Until.MS, c.f.Location())
		did("grant", c.actorText(s.Grant.By), until, c.scopeText(s.Grant.Scope))
		did("cosign", c.actorText(s.Grant.Cosign))
	case s.EndGrant != nil:
		did("end-grant", c.actorText(s.EndGrant.By), s.EndGrant.Reason)
	case s.Exclude != nil:
		did("exclude", c.actorText(s.Exclude.By))
	case s.Silence != nil:
		did("silence", c.actorText(s.Silence.By), c.ruleText(s.Silence.Rule))
	case s.Issue != nil:
		did("issue", c.actorText(s.Issue.By), s.Issue.Kind)
	case s.Look != nil:
		c.tellLook(e, s.Look)
	default:
		c.tellKeys(e, s)
	}
}

func (c *cast) tellSend(e *Entry, m *Send) {
	var to []Text
	for _, name := range m.To {
		to = append(to, c.actorText(name))
	}
	e.add("did", say("send", c.actorText(m.From), list(to), c.kindText(m.Kind), c.basisText(m.Basis.Code, m.Basis.Ref)))
	size := int64(0)
	for _, f := range m.Files {
		size += f.Size
	}
	if len(m.Files) > 0 {
		e.add("did", say("files", len(m.Files), size))
	}
}

// thingText is a message by its kind.
func (c *cast) thingText(name string) Text {
	if t := c.things[name]; t != nil && t.core != nil {
		return c.kindText(t.core.Kind)
	}
	return phrases["letter"]
}

func (c *cast) tellAttest(e *Entry, a *Attest) {
	channel := Text{EN: a.Channel, SR: a.Channel}
	if l, ok := c.f.pack.Letter(a.Channel); ok {
		channel = textOf(l.Name)
	}
	other := a.To
	if other == "" {
		other = a.From
	}
	e.add("did", say("attest", c.actorText(a.By), c.kindText(a.Kind), channel, c.actorText(other), outcomes[a.Outcome]))
}

var outcomes = map[string]Text{
	"served":    {"served, with proof of service", "уручено, са доказом о уручењу"},
	"consigned": {"handed to the carrier, no proof of service yet", "предато на доставу, доказа о уручењу још нема"},
	"attempted": {"attempted in vain", "покушано, није уручено"},
}

var scopes = map[string]Text{
	"consent": {"consents", "сагласности"}, "disclosures": {"disclosures", "достављања"}, "duties": {"obligations", "обавезе"},
}

func (c *cast) scopeText(scope []string) Text {
	var all []Text
	for _, s := range scope {
		all = append(all, scopes[s])
	}
	return list(all)
}

var consentActs = map[string]Text{
	"requested": {"asked for", "затражена"}, "given": {"given", "дата"}, "refused": {"refused", "одбијена"},
	"deferred": {"deferred", "одложена"}, "narrowed": {"narrowed", "сужена"}, "renewed": {"renewed", "обновљена"},
	"withdrawn": {"withdrawn", "опозвана"}, "revoked": {"revoked", "укинута"}, "invalidated": {"invalidated", "ништава"},
}

func (c *cast) tellConsent(e *Entry, k *ConsentAct) {
	name := k.As
	if name == "" {
		name = k.Of
	}
	st := c.things[name].consent
	var to []Text
	for _, id := range st.To {
		to = append(to, c.instText(id))
	}
	receivers := list(to)
	if len(to) == 0 || st.Act().Ends() {
		receivers = phrases["nobody"]
	}
	e.add("did", say("consent", c.actorText(k.By), consentActs[k.Act], st.Ver, receivers))
	if k.Cosign != "" {
		e.add("did", say("cosign", c.actorText(k.Cosign)))
	}
}

// tellLook counts what somebody found.
func (c *cast) tellLook(e *Entry, l *Look) {
	e.add("did", say("look", c.actorText(l.By), c.looked.consents, len(c.looked.disclosures), c.looked.withheld))
}

// MissingReply is a line of the table of missing replies.
type MissingReply struct {
	Scenario   string `json:"scenario"`
	Rule       string `json:"rule"`
	Name       Text   `json:"name"`
	By         string `json:"by"` // desk, as swc-nis.legal
	To         string `json:"to"`
	Due        int64  `json:"due"`
	LateDays   int    `json:"late_days"`
	SilentDays int    `json:"silent_days"`
	Level      int    `json:"level"` // of escalation on record, -1 for none
}

// result gathers what is missing at the end and counts what there is.
func (p *player) result(ctx context.Context) (*Result, error) {
	r := &Result{Now: p.w.Clock.Now(), Institutions: len(p.w.Members), Missing: []MissingReply{}, loc: p.casts[0].f.Location()}
	for _, m := range p.w.Members {
		r.Desks += len(m.Desks)
	}
	for _, c := range p.casts {
		r.Stories = append(r.Stories, c.story)
		c.seen = newLook()
		missing, err := c.missingReplies(ctx)
		if err != nil {
			return nil, err
		}
		r.Missing = append(r.Missing, missing...)
	}
	if err := p.w.Published(ctx); err != nil {
		return nil, err
	}
	var err error
	r.Directory, r.Evidence, err = p.w.Sizes(ctx)
	return r, err
}

// missingReplies lists what the actors of a scenario owe and have not answered.
func (c *cast) missingReplies(ctx context.Context) ([]MissingReply, error) {
	var rows []MissingReply
	for _, actor := range c.atWork() {
		duties, err := c.dutiesOf(ctx, actor, true)
		if err != nil {
			return nil, err
		}
		for _, d := range duties {
			if !d.View.Missing || c.names[d.TriggerObj] == "" {
				continue
			}
			rows = append(rows, MissingReply{Scenario: c.f.ID, Rule: d.Rule, Name: c.ruleText(d.Rule), By: c.deskName(d.Obligor),
				To: c.deskName(d.Obligee), Due: d.Due, LateDays: d.View.LateDays, SilentDays: d.View.SilentDays, Level: d.Reached})
		}
	}
	return rows, nil
}

// deskName is a desk by its name in the directory, or "person".
func (c *cast) deskName(id string) string {
	if d, ok := c.w.DeskByID(id); ok {
		return d.Name()
	}
	return "person"
}
