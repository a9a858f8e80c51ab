package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
)

// Links say where a page finds what it does not contain. The zero value is a page
// that contains everything, for a file that is mailed: style, script and data are
// inside, points open inside, and files are named but not linked.
//
// With addresses a page holds neither style nor script nor data, and no inline
// handler and no style attribute: it works under the content-security policy
// "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';
// img-src 'self' data:". The drawings for readers without JavaScript are pictures of
// their own then, and its tables are shorter: a browser paints sooner.
type Links struct {
	// Style and Script are the addresses of what Style and Script return; Data, Curves
	// and Rows those of the functions of these names. Rows may be null.
	Style, Script, Data, Curves, Rows string
	// Overview is the address of the run's page, Points what stands before the name
	// of a point in the address of its page, and Files what stands before the path
	// of a file in the run directory; each of the last two ends in a slash.
	Overview, Points, Files string
	// Figures is what stands before the name in the address of a drawing of Stills.
	Figures string
	// MoreStyles and MoreScripts are addresses of what the server adds, and Live is
	// its element above the results.
	MoreStyles, MoreScripts []string
	Live                    template.HTML
}

//go:embed page.css *.js
var web embed.FS

var (
	style  = part("page.css")
	script = "(() => {\n\"use strict\";\n" + part("data.js", "draw.js", "panel.js", "chart.js", "curves.js", "ratios.js", "table.js", "view.js") + "})();\n"
)

// part is the text of embedded files, one after another.
func part(names ...string) string {
	var text strings.Builder
	for _, name := range names {
		data, err := web.ReadFile(name)
		if err != nil {
			panic("report: " + err.Error())
		}
		text.Write(data)
	}
	return text.String()
}

// Style is the pages' style sheet.
func Style() []byte { return []byte(style) }

// Script is the pages' behaviour: hover, selection, zoom, the table of points. It
// reads the page's data from the element with the id "data" or from the addresses
// there, and again whenever the document gets the event "sobolev:refresh".
func Script() []byte { return []byte(script) }

// document is the frame of a page.
type document struct {
	Links
	Title string
	// What the page contains where it does not link.
	InlineStyle  template.CSS
	InlineScript template.JS
	InlineData   template.JS
	Policy       string // of a page that contains everything
}

// The comments make the inner text opaque to readers of XML.
const (
	inlineStyle  = "/*<![CDATA[*/\n%s/*]]>*/"
	inlineScript = "/*<![CDATA[*/\n%s/*]]>*/"
)

func (l Links) document(title string, data func() ([]byte, error)) (document, error) {
	d := document{Links: l, Title: title}
	if l.Style == "" {
		d.InlineStyle = template.CSS(fmt.Sprintf(inlineStyle, style))
	}
	if l.Script == "" {
		d.InlineScript = template.JS(fmt.Sprintf(inlineScript, script))
		d.Policy = fmt.Sprintf("default-src 'none'; img-src data:; style-src '%s'; script-src '%s'", hashSource(string(d.InlineStyle)), hashSource(string(d.InlineScript)))
	}
	if l.Data == "" && data != nil {
		js, err := data()
		if err != nil {
			return d, err
		}
		d.InlineData = template.JS(js)
	}
	return d, nil
}

// hashSource is how a content-security policy names an inline text.
func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
