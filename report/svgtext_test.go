package report

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Labels have the length that they are placed with, whatever font a reader has.
func TestFitted(t *testing.T) {
	const style = `x="1" style="font-family:'Liberation Sans';font-size:10px;fill:#222222"`
	got := string(fitted([]byte("<text " + style + ">a    b &lt;</text><path/><text " + style + ">5</text>")))
	if !strings.HasSuffix(got, "a\u00a0\u00a0\u00a0\u00a0b\u00a0&lt;</text><path/><text "+style+">5</text>") || strings.Count(got, "lengthAdjust") != 1 {
		t.Errorf("%s", got)
	}
	length := regexp.MustCompile(`textLength="([^"]*)"`).FindStringSubmatch(got)
	face := fonts().Lookup(sans(10), 10)
	if v, err := strconv.ParseFloat(length[1], 64); err != nil || !near(v, float64(face.Width("a    b <")), 0.005) {
		t.Errorf("length %v of %v", length[1], face.Width("a    b <"))
	}
}
