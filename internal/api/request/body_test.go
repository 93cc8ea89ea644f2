package request

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// verified returns the guarded body of a request for want that carries got.
func verified(t testing.TB, want []byte, got io.Reader) io.ReadCloser {
	t.Helper()
	out, _ := http.NewRequest(http.MethodPut, "https://"+testHost+testPath, nil)
	if err := Sign(context.Background(), out, want, testKey(1), testNow, testNonce); err != nil {
		t.Fatal(err)
	}
	in := httptest.NewRequest(http.MethodPut, testPath, got)
	in.Host, in.Header = testHost, out.Header
	if _, err := Verify(in, testHost, testNow, only(testKey(1))); err != nil {
		t.Fatal(err)
	}
	return in.Body
}

func TestBody(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	changed := bytes.Clone(body)
	changed[len(changed)-1] ^= 1
	tests := []struct {
		name string
		got  io.Reader
		want error
	}{
		{"whole", bytes.NewReader(body), nil},
		{"byte by byte", iotest.OneByteReader(bytes.NewReader(body)), nil},
		{"io.EOF with the last bytes", iotest.DataErrReader(bytes.NewReader(body)), nil},
		{"cut", bytes.NewReader(body[:len(body)-1]), ErrDigest},
		{"cut, io.EOF with the last bytes", iotest.DataErrReader(bytes.NewReader(body[:16])), ErrDigest},
		{"empty", strings.NewReader(""), ErrDigest},
		{"longer", io.MultiReader(bytes.NewReader(body), strings.NewReader("x")), ErrDigest},
		{"changed", bytes.NewReader(changed), ErrDigest},
		{"broken off", iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(body))), iotest.ErrTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			guarded := verified(t, body, tt.got)
			got, err := io.ReadAll(guarded)
			if !errors.Is(err, tt.want) {
				t.Fatalf("%v, want %v", err, tt.want)
			}
			if err == nil && !bytes.Equal(got, body) {
				t.Error("other bytes came out")
			}
			again := tt.want
			if again == nil {
				again = io.EOF
			}
			if n, err := guarded.Read(make([]byte, 1)); n != 0 || !errors.Is(err, again) {
				t.Errorf("read again: %d, %v, want %v for ever", n, err, again)
			}
			if err := guarded.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A body known to be empty is judged by Verify itself: a handler of a GET never
// reads it.
func TestEmptyBody(t *testing.T) {
	for _, body := range []io.ReadCloser{nil, http.NoBody} {
		for want, signed := range map[error][]byte{nil: nil, ErrDigest: testBody} {
			req, _ := http.NewRequest(http.MethodGet, "https://"+testHost+testPath, nil)
			if err := Sign(context.Background(), req, signed, testKey(1), testNow, testNonce); err != nil {
				t.Fatal(err)
			}
			req.Body = body
			if err := verify(req); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
			if want == nil {
				if n, err := req.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("read %d, %v", n, err)
				}
			}
		}
	}
}

// TestBodyProperty: io.EOF comes if and only if the bytes are the signed ones.
func TestBodyProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(rt, "signed")
		got := rapid.OneOf(rapid.Just(want), rapid.SliceOfN(rapid.Byte(), 1, 200)).Draw(rt, "sent")
		_, err := io.ReadAll(verified(t, want, bytes.NewReader(got)))
		if same := bytes.Equal(want, got); same != (err == nil) {
			rt.Errorf("same %v, error %v", same, err)
		}
	})
}

// TestOverHTTP sends through the standard client and server, HTTP/1.1 and 2, as
// a stream whose length the server does not know.
func TestOverHTTP(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		server := httptest.NewUnstartedServer(nil)
		authority := server.Listener.Addr().String()
		server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := Verify(r, authority, testNow, only(testKey(1))); err != nil {
				http.Error(w, err.Error(), http.StatusUnauthorized)
				return
			}
			if _, err := io.Copy(w, r.Body); err != nil {
				t.Errorf("body: %v", err)
			}
		})
		server.EnableHTTP2 = http2
		server.StartTLS()
		defer server.Close()
		for _, target := range []string{testPath, testPath + "?", "/?a=b%2Fc&d", "/"} {
			req, _ := http.NewRequest(http.MethodPut, server.URL+target, io.MultiReader(bytes.NewReader(testBody)))
			if err := Sign(context.Background(), req, testBody, testKey(1), testNow, NewNonce()); err != nil {
				t.Fatal(err)
			}
			answer, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK || !bytes.Equal(got, testBody) || (answer.ProtoMajor == 2) != http2 {
				t.Errorf("http2 %v %s: %s %s", http2, target, answer.Status, got)
			}
		}
	}
}
