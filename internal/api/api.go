package api

import (
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/odziv/odziv/internal/exchange"
)

// Options say how to serve. Authority is required: without it every signed
// request is refused. The zero value of each other member is its default.
type Options struct {
	Authority  string        // host, with its port unless 443 or 80, that requests are signed for
	Log        *slog.Logger  // default: nothing is logged
	BodyTime   time.Duration // to receive a body; default 30 s
	ChunkTime  time.Duration // to receive a chunk of a part; default 5 min
	AnswerTime time.Duration // to answer once it is here, and to send on each piece of a part; default 30 s
	MaxChunks  int           // chunks of parts received at once; default 32
	MaxPublic  int           // requests without a signature that read the ledger at once; default 4
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.BodyTime = orDefault(o.BodyTime, 30*time.Second)
	o.ChunkTime = orDefault(o.ChunkTime, 5*time.Minute)
	o.AnswerTime = orDefault(o.AnswerTime, 30*time.Second)
	o.MaxChunks = orDefault(o.MaxChunks, 32)
	o.MaxPublic = orDefault(o.MaxPublic, 4)
	return o
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// server is one handler's state. It is safe for concurrent use.
type server struct {
	x     *exchange.Exchange
	opts  Options
	slots chan struct{} // one for each chunk being received
	gate  gate          // of those who did not sign
}

// New returns the whole API of an exchange. It is safe for concurrent use.
func New(x *exchange.Exchange, opts Options) http.Handler {
	return newServer(x, opts).echo()
}

func newServer(x *exchange.Exchange, opts Options) *server {
	opts = opts.withDefaults()
	return &server{x: x, opts: opts, slots: make(chan struct{}, opts.MaxChunks), gate: newGate(opts.MaxPublic)}
}

func (s *server) echo() *echo.Echo {
	e := echo.New()
	e.Logger.SetOutput(io.Discard) // what there is to log, observe logs
	e.HTTPErrorHandler = func(error, echo.Context) {}
	e.Use(s.observe)
	for _, r := range routes {
		e.Add(r.method, echoPath(r.path), s.handler(r))
	}
	return e
}
