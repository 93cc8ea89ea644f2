package shred

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"filippo.io/age"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type vectors struct {
	Blob struct {
		Key       hexBytes
		Msg       string
		Part      int
		AAD       hexBytes
		FileKey   hexBytes `json:"file_key"`
		Stanza    string
		Plaintext string
		File      []byte
	}
	SealedKey struct {
		Period    string
		PeriodKey hexBytes `json:"period_key"`
		Msg       string
		Key       hexBytes
		AAD       hexBytes
		Sealed    hexBytes
	} `json:"sealed_key"`
	Period struct {
		KeyFile   hexBytes `json:"key_file"`
		Period    string
		PeriodKey hexBytes `json:"period_key"`
		AAD       hexBytes
		Wrapped   hexBytes
	}
}

func readVectors(t testing.TB) (v vectors) {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func key(t testing.TB, secret []byte) Key {
	t.Helper()
	k, err := ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestBlobVector(t *testing.T) {
	v := readVectors(t).Blob
	got, err := unwrap(v.File, key(t, v.Key), v.Msg, v.Part)
	if err != nil || string(got) != v.Plaintext {
		t.Errorf("%q, %v", got, err)
	}
	b, err := newBlob(key(t, v.Key), v.Msg, v.Part)
	if err != nil || !bytes.Equal(b.aad, v.AAD) {
		t.Errorf("associated data %x, %v", b.aad, err)
	}
	if fileKey, err := age.DecryptHeader(v.File, b); err != nil || !bytes.Equal(fileKey, v.FileKey) {
		t.Errorf("file key %x, %v", fileKey, err)
	}
	if !bytes.HasPrefix(v.File, []byte("age-encryption.org/v1\n"+v.Stanza+"\n--- ")) {
		t.Error("the stanza is not that of the file")
	}
}

func TestKeyVectors(t *testing.T) {
	v := readVectors(t)
	s := v.SealedKey
	got, err := OpenKey(Period{s.Period, key(t, s.PeriodKey)}, s.Msg, s.Sealed)
	if err != nil || !bytes.Equal(got.Secret(), s.Key) {
		t.Errorf("sealed key: %v", err)
	}
	if aad := bind(keyLabel, s.Period, s.Msg); !bytes.Equal(aad, s.AAD) {
		t.Errorf("sealed key: associated data %x", aad)
	}
	p := v.Period
	period, err := (&KeyFile{key(t, p.KeyFile)}).UnwrapPeriod(context.Background(), p.Period, p.Wrapped)
	if err != nil || !bytes.Equal(period.Key.Secret(), p.PeriodKey) {
		t.Errorf("period: %v", err)
	}
	if aad := bind(periodLabel, p.Period); !bytes.Equal(aad, p.AAD) {
		t.Errorf("period: associated data %x", aad)
	}
}

// TestFormatExample keeps the worked example of FORMAT.md equal to the vectors.
func TestFormatExample(t *testing.T) {
	page, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	v := readVectors(t)
	for _, want := range []string{
		v.Blob.Stanza, hex.EncodeToString(v.Blob.AAD), hex.EncodeToString(v.Blob.Key), hex.EncodeToString(v.Blob.FileKey), v.Blob.Msg,
		hex.EncodeToString(v.SealedKey.PeriodKey), hex.EncodeToString(v.SealedKey.AAD), hex.EncodeToString(v.SealedKey.Sealed),
		hex.EncodeToString(v.Period.KeyFile), hex.EncodeToString(v.Period.AAD), hex.EncodeToString(v.Period.Wrapped),
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("FORMAT.md lacks %s", want)
		}
	}
}
