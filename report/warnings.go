package report

import (
	"cmp"
	"regexp"
	"slices"
)

// Warning is a warning that Points results share; Text is the first one's, and
// Similar says that the others differ from it in their numbers.
type Warning struct {
	Text    string
	Points  int
	Similar bool
}

var number = regexp.MustCompile(`[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?`)

// groupWarnings puts warnings together that are equal up to their numbers, the
// most frequent first.
func groupWarnings(all []solution) []Warning {
	var groups []Warning
	at := map[string]int{}
	keys := map[string]string{} // most texts are those of many points
	for _, s := range all {
		if s.Result == nil {
			continue
		}
		own := map[string]bool{}
		for _, text := range s.Result.Warnings {
			key, ok := keys[text]
			if !ok {
				key = number.ReplaceAllString(text, "#")
				keys[text] = key
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
