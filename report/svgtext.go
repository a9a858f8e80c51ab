package report

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"strconv"
	"unicode/utf8"

	"gonum.org/v1/plot/vg"
)

var svgText = regexp.MustCompile(`(?s)<text ([^>]*font-size:([0-9.]+)px[^>]*)>([^<]*)</text>`)

// fitted gives every text of a drawing the length that its place was computed with. A
// reader whose machine has none of the fonts named gets a wider one, in which labels
// would run into each other and subscripts into their letters. Spaces in a row, which
// SVG takes for one, become ones that it keeps.
func fitted(svg []byte) []byte {
	return svgText.ReplaceAllFunc(svg, func(element []byte) []byte {
		parts := svgText.FindSubmatch(element)
		size, err := strconv.ParseFloat(string(parts[2]), 64)
		text := html.UnescapeString(string(parts[3]))
		if err != nil || utf8.RuneCountInString(text) < 2 {
			return element
		}
		face := fonts().Lookup(sans(vg.Length(size)), vg.Length(size))
		kept := parts[3]
		if bytes.Contains(kept, []byte("  ")) {
			kept = bytes.ReplaceAll(kept, []byte(" "), []byte("\u00a0"))
		}
		return fmt.Appendf(nil, `<text textLength="%.2f" lengthAdjust="spacingAndGlyphs" %s>%s</text>`, float64(face.Width(text)), parts[1], kept)
	})
}
