package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sobolev/rundir"
)

func TestPageOfOddRuns(t *testing.T) {
	for name, r := range oddRuns() {
		data, err := r.HTML()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := wellFormed(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		markup := withoutScripts(t, data)
		if found := regexp.MustCompile(`(?i)\s(src|srcset|poster|action|on[a-z]+|style)\s*=|<(script|link|iframe|object|embed|base)\b|url\(|@import`).Find(markup); found != nil {
			t.Errorf("%s: the page loads something, or has an inline handler or style: %s", name, found)
		}
		for _, href := range regexp.MustCompile(`href="([^"]*)"`).FindAllSubmatch(markup, -1) {
			if !strings.HasPrefix(string(href[1]), "https://arxiv.org/") && !strings.HasPrefix(string(href[1]), "#") {
				t.Errorf("%s: link to %s", name, href[1])
			}
		}
		if bytes.Contains(markup, []byte("NaN")) {
			t.Errorf("%s: the page shows a NaN", name)
		}
		if r.Summary() == "" || strings.Contains(r.Summary(), "NaN") {
			t.Errorf("%s: summary %q", name, r.Summary())
		}
		for _, c := range r.Correlations {
			if c.HasInterval() && !(c.Lower >= -1 && c.Lower <= c.Upper && c.Upper <= 1) {
				t.Errorf("%s: %s and %s: %s", name, c.X, c.Y, c)
			}
			if !c.HasInterval() && c.Reason == "" {
				t.Errorf("%s: %s and %s have no interval and no reason", name, c.X, c.Y)
			}
		}
	}
}

// withoutScripts is the page without its script and its data, which are those of
// this package and whole: a script of anybody else stays.
func withoutScripts(t *testing.T, page []byte) []byte {
	t.Helper()
	for _, own := range []string{fmt.Sprintf("<script>"+inlineScript+"</script>", script), fmt.Sprintf("<style>"+inlineStyle+"</style>", style)} {
		if bytes.Count(page, []byte(own)) != 1 {
			t.Errorf("the page has %.20s… %d times", own, bytes.Count(page, []byte(own)))
		}
		page = bytes.Replace(page, []byte(own), nil, 1)
	}
	block := regexp.MustCompile(`<script type="application/json" id="data">([^<>&]*)</script>`)
	found := block.FindSubmatch(page)
	if found == nil || !json.Valid(found[1]) {
		t.Error("the page's data are no JSON, or could end their element")
		return page
	}
	return block.ReplaceAll(page, nil)
}

// wellFormed reads the page as XML, which the template keeps it to: no element
// is left open, no attribute unquoted.
func wellFormed(page []byte) error {
	d := xml.NewDecoder(bytes.NewReader(page))
	d.Entity = xml.HTMLEntity
	ids := map[string]bool{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range start.Attr {
			if a.Name.Local == "id" && ids[a.Value] {
				return fmt.Errorf("id %q appears twice", a.Value)
			} else if a.Name.Local == "id" {
				ids[a.Value] = true
			}
		}
	}
}

// Without a script, a page leads to those of the points that have one.
func TestPagesOfPointsAreListed(t *testing.T) {
	var batches []int
	for i := range 60 {
		batches = append(batches, i+1)
	}
	cfg := gridConfig([]float64{0.1, 0.2}, batches, 2)
	rs := records(cfg)
	diverge(&rs[0])
	r := fromRecords(cfg, rs, false, fewDraws)
	file, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	served, err := r.Overview(Links{Style: "a.css", Script: "a.js", Data: "data.json", Points: "point/"})
	if err != nil {
		t.Fatal(err)
	}
	for name, page := range map[string]string{"#": string(file), "point/": string(served)} {
		_, page, _ = strings.Cut(page, `id="all-points"`)
		list, _, _ := strings.Cut(page, "</div>")
		links := regexp.MustCompile(`href="`+name+`([^"]*)"`).FindAllStringSubmatch(list, -1)
		if len(links) != mostListed || !strings.Contains(list, "200 of 240 points are listed") || !strings.Contains(list, "<small>"+diverged) {
			t.Errorf("%s: %d links in %.400s", name, len(links), list)
		}
		for _, link := range links {
			if point, err := url.PathUnescape(link[1]); err != nil || name == "#" && !strings.Contains(page, fmt.Sprintf(`id="%s"`, point)) || !slices.ContainsFunc(rs, func(r rundir.Record) bool { return r.Name == point }) {
				t.Fatalf("%s: a link to %q (%v)", name, link[1], err)
			}
		}
	}
}

func TestPageEscapes(t *testing.T) {
	const evil = `<script>alert("x")</script>&amp;`
	cfg := gridConfig([]float64{0.1, 0.2, 0.4}, []int{20}, 1)
	rs := records(cfg)
	cfg.Name, cfg.Dataset.Name, cfg.Model.Activation, cfg.Loss = evil, evil, evil, evil
	rs[0].Result.Warnings = []string{evil}
	rs[0].Result.Convention.Preprocessing = evil
	rs[1].Result = nil
	rs[1].Status = rundir.Status{State: rundir.Failed, Error: evil}
	data, err := fromRecords(cfg, rs, false, fewDraws).HTML()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(withoutScripts(t, data), []byte("<script")) {
		t.Error("a text of the run became an element")
	}
	if err := wellFormed(data); err != nil {
		t.Error(err)
	}
	if n := bytes.Count(data, []byte("&lt;script&gt;")); n < 6 {
		t.Errorf("the text is shown %d times", n)
	}
}
