package request

import (
	"fmt"
	"net/http"
	"strings"
)

// A line is one covered component and its value.
type line struct{ name, value string }

// base returns the signature base of RFC 9421 §2.5: one line per component,
// then the signature parameters, without a final newline. A value that could
// start a line of its own is refused.
func base(lines []line, params string) ([]byte, error) {
	var b strings.Builder
	for _, l := range lines {
		if !printable(l.value) {
			return nil, fmt.Errorf("%s has a character outside printable ASCII", l.name)
		}
		fmt.Fprintf(&b, "%q: %s\n", l.name, l.value)
	}
	fmt.Fprintf(&b, "\"@signature-params\": %s", params)
	return []byte(b.String()), nil
}

// profileBase is the signature base of the profile's five components.
func profileBase(req *http.Request, authority, digest, params string) ([]byte, error) {
	path, query, err := target(req)
	if err != nil {
		return nil, err
	}
	method := req.Method
	if method == "" {
		method = http.MethodGet // as net/http sends it
	}
	values := [len(components)]string{method, authority, path, query, digest}
	lines := make([]line, len(components))
	for i, name := range components {
		lines[i] = line{name, values[i]}
	}
	return base(lines, params)
}

// target returns @path and @query (RFC 9421 §2.2.6, §2.2.7) as they go over the
// wire. On a received request the parsed URL, by which handlers route, must say
// the same as the request line: otherwise one thing is signed and another done.
func target(req *http.Request) (path, query string, err error) {
	path, query = req.URL.EscapedPath(), req.URL.RawQuery
	if path == "" {
		path = "/" // as net/http sends it
	}
	if len(path)+len(query) > maxTarget {
		return "", "", fmt.Errorf("path and query above %d bytes", maxTarget)
	}
	if sent := req.RequestURI; sent != "" {
		sentPath, sentQuery, _ := strings.Cut(sent, "?")
		if sentPath != path || sentQuery != query {
			return "", "", fmt.Errorf("request line is not in origin form or was rewritten")
		}
	}
	if req.URL.Opaque != "" {
		return "", "", fmt.Errorf("opaque URL")
	}
	return path, "?" + query, checkPath(path)
}

// checkPath admits paths with a single spelling. No path of the API needs an
// escape, and what is decoded between signature and handler (%2F, %2E) is a
// way to sign one path and reach another.
func checkPath(path string) error {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return fmt.Errorf("path does not start with a slash")
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		last := i == len(segments)-1
		if s == "." || s == ".." || (s == "" && !last) {
			return fmt.Errorf("path has an empty or dot segment")
		}
		if strings.ContainsFunc(s, func(r rune) bool { return !pathRune(r) }) {
			return fmt.Errorf("path has an escape or a character that needs one")
		}
	}
	return nil
}

func pathRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
		strings.ContainsRune("-._~:@,;=+", r)
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e })
}

// normalAuthority is @authority (RFC 9421 §2.2.3): lower case, without the
// default port of the scheme.
func normalAuthority(host, scheme string) string {
	host = strings.ToLower(host)
	switch scheme {
	case "https":
		return strings.TrimSuffix(host, ":443")
	case "http":
		return strings.TrimSuffix(host, ":80")
	}
	return host
}

// sameAuthority compares the host of a received request, whose scheme a proxy
// may hide, with the configured authority, which alone enters the base.
func sameAuthority(host, configured string) bool {
	host = strings.ToLower(host)
	return configured != "" &&
		(host == configured || host == configured+":443" || host == configured+":80")
}
