package obligation

import "time"

// OrthodoxEaster is Easter Sunday of the Julian computus (Meeus, Astronomical
// Algorithms, ch. 8) as a Gregorian date, right for 1900 to 2099.
func OrthodoxEaster(year int) Date {
	d := (19*(year%19) + 15) % 30
	e := (2*(year%4) + 4*(year%7) - d + 34) % 7
	month, day := (d+e+114)/31, (d+e+114)%31+1
	return civil(year, time.Month(month), day) + 13
}

// WesternEaster is Easter Sunday of the Gregorian computus (anonymous algorithm
// of 1876, as in Meeus), right for every Gregorian year.
func WesternEaster(year int) Date {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	g := (b - (b+8)/25 + 1) / 3
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return civil(year, time.Month(n/31), n%31+1)
}
