package report

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sobolev/internal/browsertest"
	"sobolev/rundir"
)

const soon = 10 * time.Second

// reportFile is a report on disk, of a run whose texts want to be scripts, with the
// name of its first point.
func reportFile(t *testing.T) (address, first string) {
	t.Helper()
	cfg := gridConfig([]float64{0.1, 0.2, 0.4, 0.8}, []int{10, 20}, 2)
	rs := boundedRecords(cfg)
	for i := range rs {
		rs[i].Result.Moments = rs[i].Result.Moments[:1] // fewer figures: they take the time here
	}
	diverge(&rs[3])
	rs[0].Result.Stability.Lyapunov[1].Estimate = rundir.Estimate{Value: 1e-4, CI95: [2]rundir.Number{-1e-5, 2e-4}} // an axis with 0 and both signs
	const evil = `</script><script>console.error("run")</script><img src=x onerror="console.error('run')">'"`
	rs[0].Result.Warnings = []string{evil}
	rs[5].Result, rs[5].Status = nil, rundir.Status{State: rundir.Failed, Error: evil + strings.Repeat("x", 300)}
	dir := onDisk(t, cfg, rs)
	dir.Config.Name = evil
	r, err := Build(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "report.html")
	if _, err := r.Write(path, "", nil); err != nil {
		t.Fatal(err)
	}
	return (&url.URL{Scheme: "file", Path: path}).String(), rs[0].Name
}

// firstMark is the place of the first filled mark of the first chart, on the screen.
const firstMark = `(() => {
	const chart = document.querySelector(".chart"), box = chart.getBoundingClientRect();
	const [, x, y] = chart.querySelector("path.edged").getAttribute("d").match(/M([\d.]+),([\d.]+)/);
	return [box.left + (Number(x) + 3) * box.width / 360, box.top + Number(y) * box.height / 264];
})()`

const ticks = `[...document.querySelectorAll(".chart")[0].querySelectorAll(".tick")].map(t => t.textContent).join(" ")`

func TestReportFileInABrowser(t *testing.T) {
	browser := browsertest.Start(t)
	address, first := reportFile(t)
	t.Run("mouse", func(t *testing.T) { testMouse(t, browser, address) })
	t.Run("table and keyboard", func(t *testing.T) { testTableAndKeyboard(t, browser, address) })
	t.Run("zoom and choices", func(t *testing.T) { testZoomAndChoices(t, browser, address) })
	t.Run("filter", func(t *testing.T) { testFilter(t, browser, address) })
	t.Run("data that come late", func(t *testing.T) { testLateData(t, browser) })
	t.Run("curves", func(t *testing.T) { testCurves(t, browser, address, first) })
	t.Run("bounds", func(t *testing.T) { testRatios(t, browser, address) })
	t.Run("appearances", func(t *testing.T) { testAppearances(t, browser, address, first) })
	t.Run("thousands of points", func(t *testing.T) { testManyPoints(t, browser) })
}

// The rows of a long table are elements only where they are visible, and a point
// without a page in the file has its row.
func testManyPoints(t *testing.T, browser *browsertest.Browser) {
	var batches []int
	for i := range 50 {
		batches = append(batches, i+1)
	}
	cfg := gridConfig([]float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8}, batches, 5)
	rs := boundedRecords(cfg)
	for i := range rs {
		rs[i].Result.Moments = rs[i].Result.Moments[:1]
	}
	path := filepath.Join(t.TempDir(), "report.html")
	if _, err := fromRecords(cfg, rs, false, fewDraws).Write(path, "", nil); err != nil {
		t.Fatal(err)
	}
	p := browser.NewPage(t)
	p.Do(chromedp.EmulateViewport(1200, 900), page.BringToFront())
	p.Open((&url.URL{Scheme: "file", Path: path}).String())
	p.Wait(soon, `document.querySelectorAll("tr[data-i]").length > 10`)
	p.Do(chromedp.Evaluate(`document.querySelector(".rows").scrollTop = 1e9`, nil))
	p.Wait(soon, `document.querySelector(".points tbody tr:last-child").dataset.i === "1999"`)
	if n := browsertest.Eval[int](p, `document.querySelectorAll("tr[data-i]").length`); n > 60 {
		t.Errorf("%d rows are elements", n)
	}
	last := rs[len(rs)-1].Name
	p.Do(chromedp.Evaluate(fmt.Sprintf("location.hash = %q", last), nil))
	p.Wait(soon, `document.querySelector("#other-point h1").textContent === "η = 0.8, B = 50, repetition 5"`)
	if text := browsertest.Eval[string](p, `document.querySelector("#other-point").textContent`); !strings.Contains(text, "points/"+last+"/result.json") {
		t.Errorf("the page of a point that is not in the file: %.300s", text)
	}
	p.Do(chromedp.Click("#other-point a"))
	p.Wait(soon, `!document.querySelector("#other-point") && getComputedStyle(document.querySelector("main")).display === "block"`)
}

// opened is the file with its charts, wide enough for three beside each other.
func opened(t *testing.T, browser *browsertest.Browser, address string) *browsertest.Page {
	t.Helper()
	p := browser.NewPage(t)
	p.Do(chromedp.EmulateViewport(1200, 900), page.BringToFront()) // a hidden tab draws nothing
	p.Open(address)
	p.Wait(soon, `document.documentElement.classList.contains("ready")`)
	p.Do(chromedp.Evaluate(`document.getElementById("figures").scrollIntoView()`, nil))
	p.Wait(soon, `document.querySelector(".chart path.edged")`)
	return p
}

// drag presses the left button at one place and lets it go at another.
func drag(p *browsertest.Page, x, y, toX, toY float64, modifiers ...input.Modifier) {
	with := chromedp.ButtonModifiers(modifiers...)
	p.Do(chromedp.MouseEvent(input.MousePressed, x, y, chromedp.ButtonLeft, chromedp.ClickCount(1), with),
		chromedp.MouseEvent(input.MouseMoved, toX, toY, chromedp.ButtonLeft, with),
		chromedp.MouseEvent(input.MouseReleased, toX, toY, chromedp.ButtonLeft, chromedp.ClickCount(1), with))
}

func testMouse(t *testing.T, browser *browsertest.Browser, address string) {
	p := opened(t, browser, address)
	at := browsertest.Eval[[]float64](p, firstMark)
	p.Do(chromedp.MouseEvent(input.MouseMoved, at[0], at[1]))
	p.Wait(soon, `document.querySelector(".tip:not([hidden])")`)
	if tip := browsertest.Eval[string](p, `document.querySelector(".tip").textContent`); !strings.Contains(tip, "η = ") || !strings.Contains(tip, "gW") {
		t.Errorf("hover shows %q", tip)
	}
	if n := browsertest.Eval[int](p, `document.querySelectorAll(".ring").length`); n < 2 {
		t.Errorf("%d charts highlight the point", n)
	}

	before := browsertest.Eval[string](p, ticks)
	drag(p, at[0]-10, at[1]-10, at[0]+15, at[1]+12)
	p.Wait(soon, fmt.Sprintf("%s !== %q", ticks, before))
	p.Do(chromedp.Evaluate(`document.querySelector(".chart").dispatchEvent(new MouseEvent("dblclick"))`, nil))
	p.Wait(soon, fmt.Sprintf("%s === %q", ticks, before))

	const marks = `document.querySelector(".chart path.edged").getAttribute("d")`
	linear := browsertest.Eval[string](p, marks)
	p.Do(chromedp.Evaluate(`(() => {
		const tools = document.querySelector(".tools"), select = tools.querySelectorAll("select")[1];
		tools.open = true;
		select.value = "log";
		select.dispatchEvent(new Event("change"));
	})()`, nil))
	p.Wait(soon, fmt.Sprintf("%s !== %q", marks, linear))

	at = browsertest.Eval[[]float64](p, firstMark)
	drag(p, at[0]-8, at[1]-8, at[0]+8, at[1]+8, input.ModifierShift)
	p.Wait(soon, `document.querySelectorAll("tr[data-i]").length < 8 && document.querySelectorAll(".chart .faded").length > 1`)

	p.Do(chromedp.MouseClickXY(at[0], at[1]))
	p.Wait(soon, `location.hash.startsWith("#lr")`)
}

// A zoom changes what is in view and nothing else; what is said about a figure is taken
// back while it shows something else.
func testZoomAndChoices(t *testing.T, browser *browsertest.Browser, address string) {
	p := opened(t, browser, address)
	// A press that began elsewhere opens nothing.
	at := browsertest.Eval[[]float64](p, firstMark)
	drag(p, 5, 5, at[0], at[1])
	if hash := browsertest.Eval[string](p, `location.hash`); hash != "" {
		t.Errorf("a press beside the charts opened %s", hash)
	}

	const chart, lines = `document.querySelector("#learning-rate-k1 .chart")`, `[...document.querySelectorAll("#learning-rate-k1 .panel:nth-of-type(2) .median")].map(l => l.getAttribute("d").split("L").length).join()`
	p.Do(chromedp.Evaluate(`document.getElementById("learning-rate-k1").scrollIntoView({block: "center"})`, nil))
	p.Wait(soon, chart)
	p.Do(chromedp.MouseEvent(input.MouseMoved, 2, 2))
	before := browsertest.Eval[string](p, lines)
	if !strings.HasPrefix(before, "4") {
		t.Errorf("the median lines have %s vertices", before)
	}
	// From the middle to beyond the corner of the axes: they end at the corner.
	box := browsertest.Eval[[]float64](p, `(() => { const b = `+chart+`.getBoundingClientRect(); return [b.x, b.y, b.width / 360]; })()`)
	x, y := func(v float64) float64 { return box[0] + v*box[2] }, func(v float64) float64 { return box[1] + v*box[2] }
	p.Do(chromedp.MouseEvent(input.MousePressed, x(150), y(100), chromedp.ButtonLeft, chromedp.ClickCount(1)), chromedp.MouseEvent(input.MouseMoved, x(20), y(255), chromedp.ButtonLeft))
	if drawn := browsertest.Eval[string](p, `["x", "y", "width", "height"].map(a => Math.round(`+chart+`.querySelector(".drag").getAttribute(a))).join()`); drawn != "60,100,90,122" {
		t.Errorf("the rectangle of a drag beyond the axes is %s", drawn)
	}
	p.Do(chromedp.MouseEvent(input.MouseReleased, x(20), y(255), chromedp.ButtonLeft, chromedp.ClickCount(1)))
	p.Wait(soon, `!document.querySelector("#learning-rate-k1 .tools button").disabled`)
	if after := browsertest.Eval[string](p, lines); after != before {
		t.Errorf("the median lines have %s vertices after a zoom, %s before", after, before)
	}
	// A zoomed line stays visible on white: exact contrast, as in WCAG.
	if faint := browsertest.Eval[[]string](p, `[...document.querySelectorAll(".chart :is(.median, .hollow)")].map(e => e.getAttribute("stroke")).filter(s => {
		const [r, g, b] = s.match(/\d+/g).map(v => v / 255).map(v => v > 0.04045 ? ((v + 0.055) / 1.055) ** 2.4 : v / 12.92);
		return 1.05 / (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05) < 3;
	})`); len(faint) > 0 {
		t.Errorf("lines of the colours %q cannot be seen", faint)
	}

	choose := func(label, value string) {
		t.Helper()
		p.Do(chromedp.Evaluate(fmt.Sprintf(`(() => {
			const select = [...document.querySelectorAll("figure:first-of-type .tools label")].find(l => l.firstChild.textContent === %q).querySelector("select");
			select.value = %q;
			select.dispatchEvent(new Event("change", {bubbles: true}));
		})()`, label, value), nil))
	}
	const said = `[getComputedStyle(document.querySelector(".about")).display, getComputedStyle(document.querySelector("figcaption"), "::before").content].join()`
	asDrawn := browsertest.Eval[string](p, said)
	for _, other := range [][3]string{{"x", "learning_rate", "g_W_1"}, {"colour", "batch_size", "learning_rate"}, {"repetitions", "means", "points"}} {
		choose(other[0], other[1])
		if now := browsertest.Eval[string](p, said); now != `none,"As first drawn: "` {
			t.Errorf("%s of the axes' %s: what is said of the figure is %s", other[1], other[0], now)
		}
		if names := browsertest.Eval[string](p, `[...document.querySelector(".chart").querySelectorAll(".name")].map(e => e.textContent).join()`); strings.Contains(names, "mean ± 95% interval") != (other[1] == "means") {
			t.Errorf("%s: axes are called %s", other[1], names)
		}
		choose(other[0], other[2])
		if now := browsertest.Eval[string](p, said); now != asDrawn || strings.HasPrefix(now, "none") {
			t.Errorf("back to the first %s: %s, at first %s", other[0], now, asDrawn)
		}
	}

	// Words have room: nothing leaves the drawing or ends in the middle without dots.
	choose("x", "left_out")
	choose("y", "left_out")
	choose("colour", "left_out")
	if outside := browsertest.Eval[[]string](p, `[...document.querySelector(".chart").querySelectorAll("text")].filter(t => {
		const b = t.getBoundingClientRect(), whole = t.closest("svg").getBoundingClientRect();
		return b.left < whole.left || b.right > whole.right || b.top < whole.top || b.bottom > whole.bottom;
	}).map(t => t.textContent)`); len(outside) > 0 {
		t.Errorf("outside the drawing: %q", outside)
	}
	if text := browsertest.Eval[string](p, `document.querySelector(".chart").textContent`); strings.Count(text, "diverged") != 3 || !strings.Contains(text, "…") {
		t.Errorf("a chart of words has %q", text)
	}
	p.Screenshot("report-words", 1200)
}

// setQuery types a filter and returns what the table says.
func setQuery(p *browsertest.Page, query string) string {
	return browsertest.Eval[string](p, fmt.Sprintf(`(() => {
		const box = document.querySelector("#all-points input");
		box.value = %q;
		box.dispatchEvent(new Event("input"));
		return document.querySelector(".count").textContent;
	})()`, query))
}

func testFilter(t *testing.T, browser *browsertest.Browser, address string) {
	p := opened(t, browser, address)
	shown := browsertest.Eval[string](p, `document.querySelector("tr[data-i]").children[[...document.querySelectorAll(".points th")].findIndex(th => th.firstChild.title === "in a filter: g_x_1")].textContent`)
	for query, want := range map[string]string{
		"learning_rate >= 0.2 batch_size=20":          "6 of 16 points",
		`left_out = "diverged"`:                       "1 of 16 points",
		"left_out != diverged":                        "15 of 16 points",
		"g_x_1 != 0":                                  "16 of 16 points",
		`"learning rate η" < 0.2 "batch size B" = 10`: "2 of 16 points",
		`"corollary 4, k=1" > 0 lr=0.1,batch=10`:      "2 of 16 points",
		"g_x_1=" + shown:                              "1 of 16 points",
		"g_x_1 <= " + shown + " g_x_1 >= " + shown:    "1 of 16 points",
		"learning_rate =":                             "learning_rate =: there is no value after =.",
		">= 3":                                        "There is no column before >=.",
		`left_out="no end`:                            "A quote has no end.",
		"learning_rate > many":                        "learning_rate > many: the column has numbers.",
	} {
		if got := setQuery(p, query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if align := browsertest.Eval[string](p, `getComputedStyle([...document.querySelectorAll(".points th")].find(th => th.textContent.startsWith("left out"))).textAlign`); align != "left" {
		t.Errorf("the heading of words is aligned %s", align)
	}

	// Escape closes what is read out, then lets go of the filter, which stays gone.
	setQuery(p, "batch_size = 20")
	p.Do(chromedp.Focus(".chart"), chromedp.KeyEvent(kb.ArrowRight))
	p.Wait(soon, `!document.querySelector(".tip").hidden`)
	p.Do(chromedp.KeyEvent(kb.Escape))
	const state = `[document.querySelector(".tip").hidden, document.querySelector(".count").textContent, document.querySelector("#all-points input").value].join("; ")`
	if now := browsertest.Eval[string](p, state); now != "true; 8 of 16 points; batch_size = 20" {
		t.Errorf("after Escape: %s", now)
	}
	p.Do(chromedp.KeyEvent(kb.Escape))
	const free = "true; 16 of 16 points; "
	if now := browsertest.Eval[string](p, state); now != free {
		t.Errorf("after another Escape: %s", now)
	}
	p.Do(chromedp.Evaluate(`document.dispatchEvent(new Event("sobolev:refresh"))`, nil), chromedp.KeyEvent(kb.ArrowRight))
	p.Wait(soon, `!document.querySelector(".tip").hidden`)
	p.Do(chromedp.Evaluate(`scrollBy(0, 40)`, nil))
	p.Wait(soon, state+fmt.Sprintf(` === %q`, free))

	// On paper there is no place for what follows the pointer and the keyboard.
	p.Do(chromedp.KeyEvent(kb.ArrowRight))
	p.Wait(soon, `!document.querySelector(".tip").hidden && document.querySelector(".ring")`)
	p.Media("print")
	if seen := browsertest.Eval[string](p, `[".tip", ".chart .ring"].map(s => getComputedStyle(document.querySelector(s)).display).join() + getComputedStyle(document.activeElement).outlineStyle`); seen != "none,nonenone" {
		t.Errorf("on paper there are %s", seen)
	}
}

// A page whose data cannot be had at first keeps its still drawings, asks again, and is
// then as any other.
func testLateData(t *testing.T, browser *browsertest.Browser) {
	cfg := gridConfig([]float64{0.1, 0.2}, []int{10}, 2)
	r := fromRecords(cfg, records(cfg), false, fewDraws)
	overview, err := r.Overview(Links{Style: "style.css", Script: "script.js", Data: "data.json", Curves: "curves.json", Rows: "rows.json", Points: "point/"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := r.Data()
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	var there atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch name := strings.TrimPrefix(req.URL.Path, "/"); name {
		case "data.json", "curves.json", "rows.json":
			asked.Add(1)
			if !there.Load() {
				http.Error(w, "busy", http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Write(map[string][]byte{"data.json": data, "curves.json": []byte("{}"), "rows.json": []byte("null")}[name])
		case "style.css":
			w.Header().Set("Content-Type", "text/css")
			w.Write(Style())
		case "script.js":
			w.Header().Set("Content-Type", "text/javascript")
			w.Write(Script())
		default:
			w.Write(overview)
		}
	}))
	defer server.Close()
	p := browser.NewPage(t)
	p.Do(chromedp.EmulateViewport(1200, 900), page.BringToFront())
	p.Open(server.URL)
	for began := time.Now(); asked.Load() < 6 && time.Since(began) < soon; {
		time.Sleep(20 * time.Millisecond)
	}
	p.Do(chromedp.Evaluate(`document.getElementById("figures").scrollIntoView()`, nil))
	if n := browsertest.Eval[int](p, `document.querySelectorAll(".still[hidden], .chart").length`); n != 0 {
		t.Error("without data the still drawings do not stay")
	}
	if n := browsertest.Eval[int](p, `document.querySelectorAll("#all-points a").length`); n != 4 {
		t.Errorf("without data %d points are listed", n)
	}
	for _, problem := range p.Problems() {
		if !strings.Contains(problem, "503") && !strings.Contains(problem, "favicon") {
			t.Error(problem)
		}
	}
	there.Store(true)
	p.Wait(soon, `document.querySelector(".chart path.edged") && document.querySelectorAll("tr[data-i]").length === 4`)
	for _, problem := range p.Problems() {
		if !strings.Contains(problem, "503") {
			t.Error(problem)
		}
	}
}

// Curves of several points belong to these, as marks do: hover says which one it is and
// rings it elsewhere, a click opens its page; and there its curves are read out too.
func testCurves(t *testing.T, browser *browsertest.Browser, address, first string) {
	p := opened(t, browser, address)
	// hover points at the last vertex of the figure's first line until it is read out: the
	// page may still be moving, where other charts take the place of their stills.
	hover := func(figure string) (at []float64) {
		t.Helper()
		for range 100 {
			p.Do(chromedp.Evaluate(fmt.Sprintf(`document.getElementById(%q).scrollIntoView({block: "center"})`, figure), nil))
			p.Wait(soon, fmt.Sprintf(`document.querySelector("#%s .chart path.line")`, figure))
			at = browsertest.Eval[[]float64](p, fmt.Sprintf(`(() => {
				const chart = document.querySelector("#%s .chart"), box = chart.getBoundingClientRect();
				const [, x, y] = chart.querySelector("path.line").getAttribute("d").match(/L([\d.]+),([\d.]+)$/);
				return [box.left + x * box.width / 360, box.top + y * box.height / 264];
			})()`, figure))
			p.Do(chromedp.MouseEvent(input.MouseMoved, at[0], at[1]))
			if browsertest.Eval[bool](p, fmt.Sprintf(`Boolean(document.querySelector(".tip:not([hidden])") && document.querySelector("#%s .pointed"))`, figure)) {
				return at
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("nothing is read out in %s", figure)
		return nil
	}
	for figure, want := range map[string]string{"frontier": "η*var", "training": "batch loss, averaged"} {
		hover(figure)
		if tip := browsertest.Eval[string](p, `document.querySelector(".tip").textContent`); !strings.Contains(tip, "η = ") || !strings.Contains(tip, want) {
			t.Errorf("hover in %s shows %q", figure, tip)
		}
		p.Wait(soon, fmt.Sprintf(`document.querySelector("#%s .ring") && document.querySelectorAll(".chart .ring").length > 1`, figure))
	}
	at := hover("training")
	p.Do(chromedp.MouseClickXY(at[0], at[1]))
	p.Wait(soon, `location.hash.startsWith("#lr")`)

	p.Do(chromedp.Evaluate(fmt.Sprintf("location.hash = %q", first), nil))
	p.Do(chromedp.EmulateViewport(1200, 3000)) // all charts are near
	p.Wait(soon, `document.querySelectorAll(".point:target .chart.mini").length === document.querySelectorAll(".point:target figure[data-charts]").length`)
	// Every axis of every chart as a logarithm: also where 0 is an edge and values are negative.
	p.Do(chromedp.Evaluate(`document.querySelectorAll(".point:target .tools select").forEach(s => { s.value = "log"; s.dispatchEvent(new Event("change")); })`, nil))
	if text := browsertest.Eval[string](p, `[...document.querySelectorAll(".point:target .chart")].map(c => c.textContent).join("; ")`); !strings.Contains(text, "1 at or below 0 is not drawn") {
		t.Errorf("a logarithm leaves values out in silence: %s", text)
	}
	p.Do(chromedp.Focus(".point:target .chart.mini"), chromedp.KeyEvent(kb.Home))
	if said := browsertest.Eval[string](p, `document.querySelector(".voice").textContent`); !strings.HasPrefix(said, "step 500; batch loss 0.") {
		t.Errorf("the first value is read as %q", said)
	}
}

// Every mark of the figure of bounds is read out, by the keyboard and the mouse.
func testRatios(t *testing.T, browser *browsertest.Browser, address string) {
	p := opened(t, browser, address)
	p.Do(chromedp.Evaluate(`document.getElementById("bounds").scrollIntoView({block: "center"})`, nil))
	p.Wait(soon, `document.querySelector("#bounds .chart .edged")`)
	const said = `document.querySelector(".voice").textContent`
	var charts []struct{ Ratios []ratioRow }
	if err := json.Unmarshal([]byte(browsertest.Eval[string](p, `document.getElementById("bounds").dataset.charts`)), &charts); err != nil || len(charts) != 1 {
		t.Fatalf("%v: %d charts", err, len(charts))
	}
	p.Do(chromedp.Focus("#bounds .chart"))
	marks := 0
	for _, row := range charts[0].Ratios {
		for _, v := range row.Values[1:] {
			if v == 0 { // null
				continue
			}
			marks++
			p.Do(chromedp.KeyEvent(kb.ArrowRight))
			text, want := browsertest.Eval[string](p, said), fmt.Sprintf("%s, k = %d; measured %.4g; ", row.Statement, row.K, row.Values[0])
			if !strings.HasPrefix(text, want) || !strings.Contains(text, "times as large") || strings.Contains(text, "constants are right") != row.Assumed {
				t.Errorf("mark %d is read as %q, want %q", marks, text, want)
			}
		}
	}
	if drawn := browsertest.Eval[int](p, `document.querySelectorAll("#bounds .chart :is(.edged, .hollow)").length`); drawn != marks || marks == 0 {
		t.Errorf("%d marks, drawn %d", marks, drawn)
	}
	const first = `(() => { const b = document.querySelector("#bounds .chart .edged").getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()`
	p.Do(chromedp.Evaluate(`document.activeElement.blur()`, nil))
	p.Wait(soon, `document.querySelector(".tip").hidden`)
	at := browsertest.Eval[[]float64](p, first)
	p.Do(chromedp.MouseEvent(input.MouseMoved, at[0], at[1]))
	p.Wait(soon, `!document.querySelector(".tip").hidden && document.querySelector(".tip").textContent.includes("times as large")`)

	// A drag keeps the marks between its ends.
	drag(p, at[0]-10, at[1], at[0]+10, at[1]+5)
	p.Wait(soon, `!document.querySelector("#bounds .tools button").disabled`)
	p.Do(chromedp.Focus("#bounds .chart"), chromedp.KeyEvent("0"))
	p.Wait(soon, `document.querySelector("#bounds .tools button").disabled`)
}

func testTableAndKeyboard(t *testing.T, browser *browsertest.Browser, address string) {
	p := opened(t, browser, address)
	p.Do(chromedp.SendKeys("#all-points input", "batch_size=20 learning_rate>=0.2"))
	p.Wait(soon, `document.querySelector(".count").textContent === "6 of 16 points"`)
	p.Wait(soon, `document.querySelectorAll(".chart .faded").length > 1 && document.querySelectorAll("tr[data-i]").length === 6`)
	p.Do(chromedp.SendKeys("#all-points input", " nonsense>3"))
	p.Wait(soon, `document.querySelector(".count.wrong").textContent.startsWith("There is no column nonsense.")`)
	p.Do(chromedp.Click("#all-points .filter button"))
	p.Wait(soon, `document.querySelectorAll("tr[data-i]").length === 16`)
	for range 2 {
		p.Do(chromedp.Evaluate(`[...document.querySelectorAll(".points th button")].find(b => b.textContent.startsWith("learning rate")).click()`, nil))
	}
	if row := browsertest.Eval[string](p, `document.querySelector("tr[data-i]").textContent`); !strings.HasPrefix(row, "η = 0.8") {
		t.Errorf("the largest learning rate first: %s", row)
	}

	p.Do(chromedp.Focus(".chart"), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight))
	if said := browsertest.Eval[string](p, `document.querySelector(".voice").textContent`); !strings.Contains(said, "g_W") {
		t.Errorf("the second point is read as %q", said)
	}
	p.Do(chromedp.KeyEvent(kb.Enter))
	p.Wait(soon, `location.hash.startsWith("#lr") && getComputedStyle(document.querySelector("main")).display === "none" && document.querySelector(".point:target h1").textContent.startsWith("η = ")`)
	p.Screenshot("report-point", 1200)
	p.Do(chromedp.Click(".point:target a"))
	p.Wait(soon, `getComputedStyle(document.querySelector("main")).display === "block"`)
}

func testAppearances(t *testing.T, browser *browsertest.Browser, address, first string) {
	p := opened(t, browser, address)
	p.Screenshot("report-light", 1200)
	for _, media := range []string{"dark", "print"} {
		p.Media(media)
		p.Wait(soon, `document.querySelector(".chart path.edged")`)
		p.Screenshot("report-"+media, 1200)
	}
	p.Do(chromedp.Evaluate(`location.hash = [...document.querySelectorAll(".point .lead")].find(e => e.textContent.includes("xxx")).closest("section").id`, nil))
	if over := browsertest.Eval[int](p, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
		t.Errorf("a long word makes the page %d pixels too wide", over)
	}
	p.Do(emulation.SetScriptExecutionDisabled(true))
	p.Open(address + "#" + first)
	p.Do(chromedp.Reload())
	if shown := browsertest.Eval[string](p, `getComputedStyle(document.getElementById(`+fmt.Sprintf("%q", first)+`)).display`); shown != "block" {
		t.Errorf("without script the page of a point is %q", shown)
	}
	p.Open("about:blank")
	p.Open(address)
	if n := browsertest.Eval[int](p, `document.querySelectorAll(".still > svg").length`); n < 5 || browsertest.Eval[int](p, `document.querySelectorAll(".chart").length`) != 0 {
		t.Errorf("without script there are %d figures", n)
	}
	p.Screenshot("report-no-script", 1200)
}
