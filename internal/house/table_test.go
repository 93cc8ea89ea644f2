package house

// A room is one package of ours.
type room struct {
	// may lists the rooms it may import, separated by spaces; "*" is any.
	may string
	// never lists packages, ours or others', that it must not reach by any
	// path of imports. Everything below a listed package is meant too.
	never string
	// pure says that the room reads no clock: now is an argument.
	pure bool
}

// Sets of packages that many rows name.
const (
	sql  = "database/sql modernc.org/sqlite github.com/lib/pq "
	http = "net/http github.com/labstack/echo "
	keys = "keys/keystore keys/vault "
	// seal is everything that can make or open a sealed body.
	seal = "filippo.io/age messaging/envelope "
	// play is what exists only for tests and the demonstration.
	play = "internal/scenario internal/proving internal/audit/audittest internal/audit/second internal/api/apitest internal/exchange/storetest internal/pgtest internal/vaulttest ledger/storagetest testing "
	// facts is what the pure rooms below the exchange are made of.
	facts = "internal/evidence internal/statement keys/directory ledger messaging messaging/obligation consent internal/rules "
)

// rooms is the table of the house: docs/architecture.md in rows. Whoever finds a
// better house changes this table, and says why in the commit.
var rooms = map[string]room{
	// Formats: bytes and their meaning. Nothing of ours but what is below them.
	"ledger":             {never: sql + http + seal + play, pure: true},
	"internal/filelock":  {never: sql + http + seal + play, pure: true},
	"internal/script":    {never: sql + http + seal + play, pure: true},
	"internal/statement": {never: sql + http + seal + play, pure: true},
	"internal/evidence":  {may: "internal/statement", never: sql + http + seal + play, pure: true},
	"internal/rules":     {may: "internal/script internal/statement", never: sql + http + seal + play, pure: true},
	"messaging":          {may: "internal/statement", never: sql + http + seal + play + "ledger", pure: true},

	// Decisions: pure functions of statements, pack and now.
	"consent":              {may: "internal/rules internal/statement messaging", never: sql + http + seal + play + "ledger", pure: true},
	"messaging/obligation": {may: "internal/rules internal/statement messaging", never: sql + http + seal + play + "ledger", pure: true},
	"keys/directory":       {may: "internal/statement", never: sql + http + seal + play + "ledger", pure: true},
	"keys/transparency":    {may: "internal/statement keys/directory", never: sql + http + seal + keys + play + "ledger", pure: true},
	"internal/audit":       {may: facts, never: sql + http + seal + keys + play, pure: true},

	// Keys and sealing: only on the officer's side.
	"messaging/envelope":  {may: "internal/statement messaging", never: sql + http + keys + play + "ledger", pure: true},
	"keys/keystore":       {may: "internal/filelock internal/statement", never: sql + http + play + "messaging ledger", pure: true},
	"keys/vault":          {never: sql + "github.com/labstack/echo filippo.io/age messaging ledger keys/keystore " + play},
	"keys/vault/officer":  {may: "keys/vault keys/keystore internal/statement", never: sql + "github.com/labstack/echo messaging ledger internal/exchange " + play, pure: true},
	"keys/vault/operator": {may: "keys/vault ledger internal/shred", never: sql + "github.com/labstack/echo messaging keys/keystore internal/exchange " + play, pure: true},
	"keys/escrow":         {may: "internal/statement", never: sql + http + keys + play + "messaging ledger", pure: true},

	// The server.
	"internal/shred":       {never: sql + http + keys + play + "messaging/envelope", pure: true},
	"internal/exchange":    {may: facts + "internal/shred", never: sql + http + keys + play + "messaging/envelope", pure: true},
	"internal/sqlstore":    {may: facts + "internal/exchange", never: http + keys + play + "messaging/envelope internal/api", pure: true},
	"internal/api/wire":    {may: "internal/evidence internal/statement messaging messaging/obligation", never: sql + http + seal + keys + play, pure: true},
	"internal/api/request": {may: "internal/statement", never: sql + "github.com/labstack/echo " + seal + keys + play, pure: true},
	"internal/api":         {may: facts + "internal/api/request internal/api/wire internal/exchange", never: sql + keys + play + "messaging/envelope internal/sqlstore"},
	"internal/server":      {may: facts + "internal/api internal/exchange internal/filelock internal/shred internal/sqlstore internal/witness keys/vault keys/vault/operator", never: "keys/keystore " + play + "messaging/envelope internal/office"},

	// Watching: an institution cosigns, mirrors and checks.
	"internal/witness": {may: "internal/filelock internal/statement ledger", never: sql + "github.com/labstack/echo " + seal + keys + play + "internal/exchange", pure: true},

	"internal/observe": {may: facts + "keys/transparency internal/witness internal/api/client internal/api/wire", never: sql + "github.com/labstack/echo " + seal + keys + play + "internal/exchange internal/office"},

	// The officer.
	"internal/api/client": {may: "internal/api/request internal/api/wire internal/evidence internal/statement ledger", never: sql + seal + keys + play + "github.com/labstack/echo internal/exchange"},
	"internal/office":     {may: facts + "keys/transparency internal/filelock internal/api/client internal/api/wire internal/audit keys/escrow messaging/envelope", never: sql + keys + play + "github.com/labstack/echo internal/exchange"},

	// Programs: flags, configuration, wiring.
	"internal/ceremony": {may: "internal/script internal/statement keys/directory ledger", never: sql + http + seal + keys + play, pure: true},
	"internal/cli":      {never: sql + http + seal + keys + play},
	"cmd/odziv":         {may: facts + "keys/transparency internal/api/client internal/api/wire internal/ceremony internal/cli internal/observe internal/office internal/script internal/audit internal/witness keys/keystore keys/escrow keys/vault keys/vault/officer messaging/envelope", never: sql + play + "github.com/labstack/echo internal/exchange internal/shred"},
	"cmd/odzivd":        {may: facts + "internal/api internal/audit internal/cli internal/exchange internal/server internal/shred internal/sqlstore keys/vault", never: "keys/keystore " + play + "messaging/envelope internal/office"},
	"cmd/odziv-verify":  {may: facts + "internal/audit internal/cli internal/script", never: sql + http + seal + keys + play + "internal/office internal/exchange internal/shred"},
	"cmd/odziv-demo":    {may: "*"},

	// The demonstration and what tests share. No program reaches them but
	// cmd/odziv-demo, which is what play in the rows above says.
	"internal/scenario":           {may: "*"},
	"internal/scenario/demo":      {may: "*"},
	"internal/api/apitest":        {may: "*"},
	"internal/audit/audittest":    {may: "*"},
	"internal/audit/second":       {may: "internal/audit"},
	"internal/exchange/storetest": {may: "*"},
	"internal/pgtest":             {},
	"internal/vaulttest":          {},
	"ledger/storagetest":          {may: "ledger"},

	// Tests of the whole: no code.
	"internal/house":   {},
	"internal/proving": {},
	"deploy":           {},
}

// importers says which rooms alone may import a package of others. Packages
// that only tests import need no row.
var importers = map[string]string{
	"database/sql":                                 "internal/pgtest internal/sqlstore",
	"modernc.org/sqlite":                           "internal/sqlstore",
	"github.com/lib/pq":                            "internal/pgtest internal/sqlstore",
	"github.com/labstack/echo/v4":                  "internal/api",
	"net/http":                                     "keys/vault internal/api internal/api/apitest internal/api/client internal/api/request internal/server internal/vaulttest internal/witness internal/observe internal/scenario internal/scenario/demo cmd/odziv-demo cmd/odzivd",
	"filippo.io/age":                               "internal/office internal/shred keys/escrow keys/keystore messaging/envelope internal/api/apitest internal/scenario internal/scenario/demo",
	"github.com/gowebpki/jcs":                      "internal/statement",
	"github.com/hashicorp/vault/api":               "keys/vault",
	"github.com/tink-crypto/tink-go/v2/kwp/subtle": "keys/vault",
	"github.com/dunglas/httpsfv":                   "internal/api/request",
	"github.com/pelletier/go-toml/v2":              "internal/rules internal/scenario",
	"github.com/spf13/cobra":                       "internal/cli cmd/odziv cmd/odzivd cmd/odziv-verify cmd/odziv-demo",
	"golang.org/x/mod/sumdb/tlog":                  "ledger ledger/storagetest internal/api internal/api/client internal/audit internal/audit/audittest internal/exchange internal/office internal/sqlstore internal/witness internal/observe internal/scenario internal/scenario/demo",
	"golang.org/x/mod/sumdb/note":                  "ledger keys/vault/operator internal/server internal/witness internal/observe internal/audit internal/audit/audittest internal/exchange internal/office internal/scenario internal/scenario/demo",
	"golang.org/x/term":                            "cmd/odziv",
	"testing":                                      "internal/api/apitest internal/audit/audittest internal/audit/second internal/exchange/storetest internal/pgtest internal/vaulttest ledger/storagetest",
}

// clockFiles are the files of pure rooms that may read the machine's clock.
var clockFiles = map[string]bool{"internal/exchange/clock.go": true, "keys/keystore/hold.go": true}

// opensAge are the server's rooms that may call age's decryption: the wrap that
// the server itself put around a blob, which no identity of a desk opens.
var opensAge = map[string]bool{"internal/shred": true}

// Budgets of the house style.
const (
	maxFileLines = 500
	maxFuncLines = 120
)
