package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
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
		if found := regexp.MustCompile(`(?i)(src|srcset|poster|action)\s*=|<(script|link|iframe|object|embed|img|base)\b|url\(|@import`).Find(data); found != nil {
			t.Errorf("%s: the page loads something: %s", name, found)
		}
		for _, href := range regexp.MustCompile(`href="([^"]*)"`).FindAllSubmatch(data, -1) {
			if !strings.HasPrefix(string(href[1]), "https://arxiv.org/") {
				t.Errorf("%s: link to %s", name, href[1])
			}
		}
		if strings.Contains(string(data), "NaN") {
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
	if bytes.Contains(data, []byte("<script")) {
		t.Error("a text of the run became an element")
	}
	if err := wellFormed(data); err != nil {
		t.Error(err)
	}
	if n := bytes.Count(data, []byte("&lt;script&gt;")); n < 6 {
		t.Errorf("the text is shown %d times", n)
	}
}
