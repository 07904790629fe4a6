package search

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// number is a number as a user wrote it.
type number struct {
	text  string
	float float64  // the nearest
	rat   *big.Rat // exactly it
}

// maxDigits is how many characters a number may have. 17 digits tell any two floats apart.
const maxDigits = 40

// parseNumber reads what JSON and YAML call a number, also without a digit before or after the point. It
// refuses what no float64 can hold.
func parseNumber(text string) (number, bool) {
	if len(text) > maxDigits || !isNumber(text) {
		return number{}, false
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return number{}, false
	}
	if f == 0 && strings.Trim(strings.FieldsFunc(text, isExponent)[0], "+-.0") != "" {
		return number{}, false // too small
	}
	if f == 0 {
		return number{text: text, rat: new(big.Rat)}, true // also of 0e999999999, which Rat would expand
	}
	r, ok := new(big.Rat).SetString(text)
	return number{text, f, r}, ok
}

func isExponent(r rune) bool { return r == 'e' || r == 'E' }

// isNumber matches [+-](digits[.digits]|.digits)[e[+-]digits].
func isNumber(s string) bool {
	digits := func() int {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n
	}
	sign := func() {
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
	}
	sign()
	n := digits()
	if s != "" && s[0] == '.' {
		s = s[1:]
		n += digits()
	}
	if n == 0 {
		return false
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		sign()
		if digits() == 0 {
			return false
		}
	}
	return s == ""
}

// formatFloat writes a float as JSON, always so that it can be told from an integer.
func formatFloat(f float64) string {
	if f == 0 {
		return "0.0" // not -0
	}
	if a := math.Abs(f); a < 1e-6 || a >= 1e21 {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// lattice are the numbers (start + k·step) / 10^scale. They are written from integers, so no error adds up
// and none is seen: 0.3, not 0.30000000000000004.
type lattice struct {
	start, step int64
	scale       int
}

// maxScale is how many digits behind the point a lattice can have.
const maxScale = 18

// newLattice is the lattice of two decimal numbers, if they have at most 18 digits on one scale.
func newLattice(start, step *big.Rat) (lattice, bool) {
	pow := big.NewInt(1)
	for scale := 0; scale <= maxScale; scale++ {
		a, b := scaled(start, pow), scaled(step, pow)
		if a != nil && b != nil {
			return lattice{a.Int64(), b.Int64(), scale}, abs(a).Cmp(limit) <= 0 && abs(b).Cmp(limit) <= 0
		}
		pow = new(big.Int).Mul(pow, ten)
	}
	return lattice{}, false
}

// limit keeps sums and differences of two of them within int64.
var (
	limit = big.NewInt(math.MaxInt64 / 4)
	ten   = big.NewInt(10)
)

func abs(n *big.Int) *big.Int { return new(big.Int).Abs(n) }

// scaled is r·pow if that is an integer.
func scaled(r *big.Rat, pow *big.Int) *big.Int {
	quotient, rest := new(big.Int).QuoRem(new(big.Int).Mul(r.Num(), pow), r.Denom(), new(big.Int))
	if rest.Sign() != 0 {
		return nil
	}
	return quotient
}

// text is the k-th number. Whole numbers are integers if all of the lattice are.
func (l lattice) text(k int64) string {
	n := l.start + k*l.step
	if l.scale == 0 {
		return strconv.FormatInt(n, 10)
	}
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	digits := strconv.FormatInt(n, 10)
	if missing := l.scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - l.scale
	fraction := strings.TrimRight(digits[point:], "0")
	if fraction == "" {
		fraction = "0"
	}
	return sign + digits[:point] + "." + fraction
}
