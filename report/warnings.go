package report

import (
	"cmp"
	"html/template"
	"regexp"
	"slices"
	"strings"
)

// Warning is a warning that Points results share; Text is the first one's, and
// Similar says that the others differ from it in their numbers.
type Warning struct {
	Text    string
	Points  int
	Similar bool
}

// keys are what results.json calls things that warnings begin with.
var keys = map[string]string{
	"eta_var": "η*_var", "eta_all_orders": "η of all orders", "eta_proposition_1": "η of Proposition 1",
	"spectral_radius_2": "spectral radius of order 2", "lyapunov": "Lyapunov exponent", "robustness": "attacks",
}

// fields are names of results.json in the middle of a warning.
var fields = strings.NewReplacer("residual_share", "residual share", "relative_loss", "relative loss", "max_residual", "largest residual",
	"bs_ratio_mean", "mean batch sharpness", "bs_ratio_of_means", "batch sharpness of the means")

var (
	negative   = regexp.MustCompile(`(^|[\s(\[=])-([0-9])`)
	powerOfTen = regexp.MustCompile(`([0-9])e([-+][0-9]+)`)
	raised     = regexp.MustCompile(`\^\(([^()]*)\)`)
)

// message escapes a warning and sets it as the rest of the page: names in the place of
// keys, numbers and powers as they are printed.
func message(text string) template.HTML {
	if key, rest, ok := strings.Cut(text, ": "); ok && keys[key] != "" {
		text = keys[key] + ": " + rest
	}
	for _, s := range statements {
		if strings.HasPrefix(text, s.name) {
			text = statementName(text)
		}
	}
	text = fields.Replace(text)
	text = negative.ReplaceAllString(text, "$1−$2")
	text = powerOfTen.ReplaceAllStringFunc(text, func(s string) string { return s[:1] + "·10" + superscript(s[2:]) })
	return template.HTML(raised.ReplaceAllString(string(symbols(text)), "<sup>$1</sup>"))
}

var number = regexp.MustCompile(`[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?`)

// groupWarnings puts warnings together that are equal up to their numbers, the
// most frequent first.
func groupWarnings(all []solution) []Warning {
	var groups []Warning
	at := map[string]int{}
	patterns := map[string]string{} // most texts are those of many points
	for _, s := range all {
		if s.Result == nil {
			continue
		}
		own := map[string]bool{}
		for _, text := range s.Result.Warnings {
			key, ok := patterns[text]
			if !ok {
				key = number.ReplaceAllString(text, "#")
				patterns[text] = key
			}
			if own[key] {
				continue
			}
			own[key] = true
			i, ok := at[key]
			if !ok {
				i = len(groups)
				at[key] = i
				groups = append(groups, Warning{Text: text})
			}
			groups[i].Points++
			groups[i].Similar = groups[i].Similar || text != groups[i].Text
		}
	}
	slices.SortStableFunc(groups, func(a, b Warning) int { return cmp.Compare(b.Points, a.Points) })
	return groups
}
