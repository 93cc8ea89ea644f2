package main

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// A mask puts fixed values in the place of what is another in every run: keys,
// ids, times, passphrases. The first of each kind is always the same, so that a
// transcript of today equals that of tomorrow, and a value keeps its mask through
// the whole story.
type mask struct {
	began time.Time
	seen  map[string]string
	count map[string]int
}

func newMask() *mask {
	zone, err := time.LoadLocation("Europe/Belgrade") // the programs show times in it
	if err != nil {
		panic(err)
	}
	return &mask{began: time.Now().In(zone), seen: map[string]string{}, count: map[string]int{}}
}

// standIn is the fixed value of the next new key of a kind.
func (m *mask) standIn(kind, key string, make func(sum []byte) string) string {
	full := kind + "/" + key
	if _, ok := m.seen[full]; !ok {
		m.count[kind]++
		sum := sha256.Sum256(fmt.Appendf(nil, "transcript %s %d", kind, m.count[kind]))
		m.seen[full] = make(sum[:])
	}
	return m.seen[full]
}

var (
	maskWords  = regexp.MustCompile(`(?m)^    [a-z]+( [a-z]+){5}$`)
	maskTyped  = regexp.MustCompile(`(?m)^word \d: [a-z]+$`)
	maskVKey   = regexp.MustCompile(`\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}`)
	maskBase64 = regexp.MustCompile(`[A-Za-z0-9+/]{43}=`)
	maskHex    = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	maskHalf   = regexp.MustCompile(`\b[0-9a-f]{4}( [0-9a-f]{4}){7}\b`)
	maskShort  = regexp.MustCompile(`\b[0-9a-f]{4} [0-9a-f]{4} …`)
	maskDigest = regexp.MustCompile(`(pending sign )([0-9a-f]{8})\b`)
	maskID     = regexp.MustCompile(`\b([a-z])_([a-z2-7]{26})\b`)
	maskTime   = regexp.MustCompile(`\b(\d{4})-(\d\d)-(\d\d)\b( \d\d:\d\d(:\d\d)?( [A-Z]{3,4}\b)?)?`)
	maskPort   = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

func (m *mask) apply(text string) string {
	text = maskWords.ReplaceAllString(text, "    harbor velvet canyon modest ribbon falcon")
	typed := 0
	text = maskTyped.ReplaceAllStringFunc(text, func(string) string {
		typed++
		return []string{"word 2: velvet", "word 5: ribbon"}[(typed+1)%2]
	})
	text = maskVKey.ReplaceAllStringFunc(text, func(s string) string {
		return m.standIn("vkey", s, func(sum []byte) string {
			return "+" + hex.EncodeToString(sum[:4]) + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, sum...))
		})
	})
	text = maskBase64.ReplaceAllStringFunc(text, func(s string) string {
		return m.standIn("base64", s, base64.StdEncoding.EncodeToString)
	})
	text = maskHex.ReplaceAllStringFunc(text, func(s string) string { return m.half(s[:32]) + m.half(s[32:]) })
	text = maskHalf.ReplaceAllStringFunc(text, func(s string) string { return grouped(m.half(strings.ReplaceAll(s, " ", ""))) })
	text = maskShort.ReplaceAllStringFunc(text, func(s string) string { return grouped(m.half(strings.ReplaceAll(s[:9], " ", "")))[:9] + " …" })
	text = maskDigest.ReplaceAllStringFunc(text, func(s string) string { return s[:len(s)-8] + m.half(s[len(s)-8:])[:8] })
	text = maskID.ReplaceAllStringFunc(text, func(s string) string {
		return m.standIn("id", s, func(sum []byte) string {
			return s[:2] + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:16]))[:26]
		})
	})
	text = maskTime.ReplaceAllStringFunc(text, func(s string) string {
		clock := ""
		if strings.Contains(s, ":") {
			clock = " 10:00"
		}
		if strings.Count(s, ":") > 1 {
			clock += ":00"
		}
		if strings.HasSuffix(s, "T") {
			clock += " CET"
		}
		return m.day(s[:10]) + clock
	})
	return maskPort.ReplaceAllString(text, "127.0.0.1:8443")
}

// half masks 32 hexadecimal digits by their first eight, which the short form of
// a fingerprint shows too.
func (m *mask) half(s string) string {
	return m.standIn("half", s[:8], func(sum []byte) string { return hex.EncodeToString(sum[:16]) })
}

// day masks a day: the day of the run becomes 2 March 2026, the same day of
// another year the same of another year, and others keep their distance.
func (m *mask) day(s string) string {
	at, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return s
	}
	base := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	today := time.Date(m.began.Year(), m.began.Month(), m.began.Day(), 0, 0, 0, 0, time.UTC)
	for years := range 10 {
		if d := at.Sub(today.AddDate(years, 0, 0)); d > -25*time.Hour && d < 49*time.Hour {
			return base.AddDate(years, 0, 0).Format(time.DateOnly)
		}
	}
	days := int(at.Sub(today).Hours() / 24)
	if days == 8 {
		days = 7 // the story ran over midnight
	}
	return base.AddDate(0, 0, days).Format(time.DateOnly)
}
