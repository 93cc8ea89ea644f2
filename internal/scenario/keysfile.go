package scenario

// Join is a new officer: both registrars sign her in and put her at the desk of
// the actor. She holds none of its keys yet.
type Join struct {
	Who   string   `toml:"who" is:"must actor"` // one that joins
	Roles []string `toml:"roles" is:"role"`     // empty: member
}

// Turnover is something that happens to one officer, or that she does.
type Turnover struct {
	Who string `toml:"who" is:"must actor"`
}

// Rotate makes a new key of the desk.
type Rotate struct {
	Who string `toml:"who" is:"must actor"`
	Why string `toml:"why" is:"must code"`
}

// Share wraps earlier keys of the desk for a colleague, on record; she takes
// them at once.
type Share struct {
	Who string `toml:"who" is:"must actor"`
	To  string `toml:"to" is:"must actor"`
}

// Custody names the custodians of an actor's institution, signed by its root.
type Custody struct {
	Of string `toml:"of" is:"must actor"`
	K  int    `toml:"k" is:"must"`
	N  int    `toml:"n" is:"must"`
}

// Escrow is a custodian's word about recovering the keys of an officer's desk:
// that they be opened for her, or that she takes no part.
type Escrow struct {
	Custodian int    `toml:"custodian" is:"must"` // from 1
	For       string `toml:"for" is:"must actor"` // the officer who is to receive the keys
	Purpose   string `toml:"purpose" is:"must escrow"`
}

// Recovery lets custodians take their turns, in this order; who received the keys
// takes them at the end.
type Recovery struct {
	Custodians []int  `toml:"custodians" is:"must"`
	For        string `toml:"for" is:"must actor"`
	Purpose    string `toml:"purpose" is:"must escrow"`
}

// Steal copies an officer's keystore, passphrase and all.
type Steal struct {
	As   string `toml:"as" is:"must name"`
	From string `toml:"from" is:"must actor"`
}

// DeskExpect is about the keys of an actor's desk, as the directory tells
// everybody.
type DeskExpect struct {
	Of string `toml:"of" is:"must actor"`
	By string `toml:"by" is:"actor"` // whose program looks; empty: the desk's own

	Epoch   *int  `toml:"epoch" check:""`   // that senders use; 0: none
	Readers *int  `toml:"readers" check:""` // for how many it was wrapped
	Stale   *bool `toml:"stale" check:""`   // it must be renewed
	Members *int  `toml:"members" check:""`
}

// WatchExpect is about what an actor's program warns of: changes of who can read
// for her desks that she has not accepted yet.
type WatchExpect struct {
	At string `toml:"at" is:"must actor"`

	Unexpected *int     `toml:"unexpected" check:""`     // entries of the directory
	Adds       []string `toml:"adds" check:"" is:"adds"` // what they add, each sort once, sorted
}

// ReadingExpect says what becomes of somebody's attempt to read a message: an
// actor's, or of whoever stole a keystore.
type ReadingExpect struct {
	By string `toml:"by" is:"must actor|thing"`
	Of string `toml:"of" is:"must message"`

	Opens *bool   `toml:"opens" check:""`
	Code  *string `toml:"code" check:"" is:"problem"` // of the exchange's no
}

// DumpExpect says what the keys in a stolen keystore open in the whole content
// of the database, and what they would if the server's own key were stolen too.
type DumpExpect struct {
	By string `toml:"by" is:"must thing"`
	Of string `toml:"of" is:"must message"`

	Opens          *bool `toml:"opens" check:""`
	WithServerKeys *bool `toml:"with-server-keys" check:""`
}
