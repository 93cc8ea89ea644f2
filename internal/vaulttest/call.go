package vaulttest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 8 << 20

// Call asks as root and wants a 2xx. path goes without /v1/, body is made JSON
// unless nil. The answer is empty where the server sends none.
func (s *Server) Call(t testing.TB, method, path string, body any) map[string]any {
	t.Helper()
	status, answer := s.CallAs(t, s.RootToken, method, path, body)
	if status/100 != 2 {
		t.Fatalf("vault: %s %s: %d %v", method, path, status, answer)
	}
	return answer
}

// CallAs asks with another token, "" for none. LIST is a method, as Vault has it.
func (s *Server) CallAs(t testing.TB, token, method, path string, body any) (status int, answer map[string]any) {
	t.Helper()
	status, answer, err := s.ask(token, method, path, body)
	if err != nil {
		t.Fatalf("vault: %s %s: %v", method, path, err)
	}
	return status, answer
}

// try asks where no answer may be the answer: then the status is 0.
func (s *Server) try(method, path string) (int, map[string]any) {
	status, answer, err := s.ask("", method, path, nil)
	if err != nil {
		return 0, nil
	}
	return status, answer
}

func (s *Server) ask(token, method, path string, body any) (int, map[string]any, error) {
	var sent io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		sent = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, s.Address+"/v1/"+path, sent)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("X-Vault-Request", "true")
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, nil, err
	}
	answer := map[string]any{}
	if len(bytes.TrimSpace(data)) > 0 {
		err = json.Unmarshal(data, &answer)
	}
	return resp.StatusCode, answer, err
}

func (s *Server) transport() *http.Transport {
	t := &http.Transport{DisableKeepAlives: true} // a killed server leaves no connection to stumble over
	if s.CACert == "" {
		return t
	}
	text, err := os.ReadFile(s.CACert)
	s.must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
	return t
}

// certify makes a certificate for 127.0.0.1 that signs itself, and its key.
func (s *Server) certify() (certFile, keyFile string) {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "vault of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	s.must(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	s.must(err)
	certFile, keyFile = filepath.Join(s.dir, "cert.pem"), filepath.Join(s.dir, "key.pem")
	s.must(os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600))
	s.must(os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return certFile, keyFile
}
