package report

import (
	"math"
	"strconv"
	"strings"
)

// minus replaces the hyphen of a formatted number by the sign U+2212.
func minus(s string) string { return strings.ReplaceAll(s, "-", "−") }

// decimal2 is v with two decimals; a correlation that is not ±1, up to the rounding
// of its sums, is not rounded to it.
func decimal2(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	s := strconv.FormatFloat(v, 'f', 2, 64)
	if a := math.Abs(v); a < 1-1e-12 && (s == "1.00" || s == "-1.00") {
		s = strconv.FormatFloat(math.Copysign(math.Floor(a*1e3)/1e3, v), 'f', 3, 64)
	}
	if s == "-0.00" {
		s = "0.00"
	}
	return minus(s)
}

// significant is v with three significant digits; "–" when it is not a number.
func significant(v float64) string {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return "–"
	case math.IsInf(v, 0):
		return minus(strings.TrimPrefix(strconv.FormatFloat(v, 'g', -1, 64), "+"))
	case a != 0 && (a < 1e-3 || a >= 1e5):
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', 2, 64), "e")
		return minus(mantissa) + "·10" + superscript(exponent)
	case a == 0:
		return "0"
	}
	decimals := max(0, 2-int(math.Floor(math.Log10(a))))
	return minus(strconv.FormatFloat(v, 'f', decimals, 64))
}

// shortest is the fewest decimals that are exactly v, as a configuration has it.
func shortest(v float64) string { return minus(strconv.FormatFloat(v, 'g', -1, 64)) }

// percent is a fraction as a percentage.
func percent(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return strconv.FormatFloat(100*v, 'f', 2, 64) + "%"
}

// superscript writes an exponent such as "-05" as ⁻⁵.
func superscript(exponent string) string {
	n, err := strconv.Atoi(exponent)
	if err != nil {
		return exponent
	}
	return strings.NewReplacer("-", "⁻", "0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴",
		"5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹").Replace(strconv.Itoa(n))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// list is "1, 2, 3" in each value's shortest form.
func list[T int | float64](values []T) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = shortest(float64(v))
	}
	return strings.Join(parts, ", ")
}
