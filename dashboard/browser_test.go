package dashboard

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"sobolev/internal/browsertest"
	"sobolev/rundir"
)

// soon is what a page may take to show what has happened; tests of it run beside
// others, so it is no measurement.
const soon = 20 * time.Second

const ready = `document.documentElement?.classList.contains("ready")`

// liveSays is true when the progress of the page contains the text.
func liveSays(text string) string {
	return fmt.Sprintf(`document.getElementById("live")?.textContent.includes(%q)`, text)
}

// firstMark is where the first mark of the first chart is on the screen.
const firstMark = `(() => {
  const svg = document.querySelector("svg.chart"), box = svg.getBoundingClientRect();
  const [x, y] = svg.querySelector("path.edged, path.hollow").getAttribute("d").match(/[\d.]+/g).map(Number);
  return [box.left + (x + 2) * box.width / 360, box.top + y * box.height / 264];
})()`

func scrollTo(selector string) chromedp.Action {
	return chromedp.Evaluate(fmt.Sprintf(`document.querySelector(%q).scrollIntoView({block: "center"})`, selector), nil)
}

// The way of a reader: index, run, hover, filter, logarithmic axis, click, point
// page; nothing on it is an error or a violation.
func TestBrowserReader(t *testing.T) {
	b := browsertest.Start(t)
	folder := t.TempDir()
	c := experiment(t, "grid", `<script>alert("x")</script>.npz`)
	makeRun(t, filepath.Join(folder, "<b>grid</b>"), c, 12)
	makeRun(t, filepath.Join(folder, "second"), experiment(t, "second", "fashion-mnist-mini"), 16)
	_, h := start(t, Options{}, folder)
	p := b.NewPage(t)
	p.Open(h.URL + "/")
	p.Wait(soon, liveSays("2 runs, 1 at work; 29 of 32 points have ended"))
	screenshots(p, "index")
	p.Do(chromedp.Click(`#runs tbody a`, chromedp.ByQuery))
	p.Wait(soon, ready+" && "+liveSays("13 of 16 points have ended"))
	p.Wait(soon, `document.querySelectorAll("#live a[download]").length > 0`)

	p.Do(scrollTo("figure[data-charts]"))
	p.Wait(soon, `document.querySelector("svg.chart path.edged")`)
	at := browsertest.Eval[[]float64](p, firstMark)
	p.Do(input.DispatchMouseEvent(input.MouseMoved, at[0], at[1]))
	p.Wait(soon, `!document.querySelector(".tip").hidden && document.querySelector(".tip").textContent.includes("repetition")`)
	p.Wait(soon, `document.querySelector("svg.chart .ring")`)

	p.Do(chromedp.SendKeys(`input[type=search]`, "learning_rate>=0.2 finished", chromedp.ByQuery))
	p.Wait(soon, `document.querySelector(".count").textContent.startsWith("4 of 16")`)
	p.Do(chromedp.Evaluate(`document.querySelector(".filter button").click()`, nil))

	ticks := `[...document.querySelectorAll("svg.chart")[0].querySelectorAll(".tick")].map(e => e.textContent).join()`
	before := browsertest.Eval[string](p, ticks)
	p.Do(chromedp.Evaluate(`(() => {
	  const details = document.querySelector("details.tools");
	  details.open = true;
	  const select = [...details.querySelectorAll("label")].find(l => l.textContent.startsWith("y axis")).querySelector("select");
	  select.value = "log";
	  select.dispatchEvent(new Event("change"));
	})()`, nil))
	if after := browsertest.Eval[string](p, ticks); after == before {
		t.Errorf("the logarithmic axis has the ticks of the linear one: %s", after)
	}

	p.Do(scrollTo("svg.chart"))
	at = browsertest.Eval[[]float64](p, firstMark)
	p.Do(chromedp.MouseClickXY(at[0], at[1]))
	p.Wait(soon, `location.pathname.includes("/point/") && document.getElementById("live")?.textContent.includes("finished")`)
	p.Do(chromedp.Click(`a[href^="/run/"]`, chromedp.ByQuery))
	p.Wait(soon, ready+` && !location.pathname.includes("/point/")`)

	// A script in a name is text, on every page.
	if n := browsertest.Eval[int](p, `[...document.scripts].filter(s => s.textContent.includes("alert")).length`); n > 0 {
		t.Error("the name of the data set is a script")
	}
	for _, point := range []rundir.Point{c.Points()[12], c.Points()[13], c.Points()[15]} {
		p.Do(chromedp.Evaluate(fmt.Sprintf(`location.href = "point/" + encodeURIComponent(%q)`, point.Name()), nil))
		p.Wait(soon, `location.pathname.includes("/point/") && /failed|running|pending/.test(document.getElementById("live")?.textContent)`)
		p.Do(chromedp.Evaluate(`history.back()`, nil)) // from the cache: no load to wait for
		p.Wait(soon, ready+` && !location.pathname.includes("/point/")`)
	}
}

// screenshots are for looking at: light, dark and narrow.
func screenshots(p *browsertest.Page, name string) {
	for _, scheme := range []string{"dark", "light"} {
		p.Media(scheme)
		p.Screenshot(name+"-"+scheme, 1200)
	}
	p.Screenshot(name+"-narrow", 420)
	p.Do(chromedp.EmulateViewport(1200, 900))
}

// A point that ends is seen without a new page: in the progress, in the table, and
// in the statistics; with its page open, there; and in the index.
func TestBrowserLive(t *testing.T) {
	b := browsertest.Start(t)
	g := serveGrid(t, 9)
	points := g.c.Points()
	overview, page, index := b.NewPage(t), b.NewPage(t), b.NewPage(t)
	overview.Open(g.home)
	overview.Wait(soon, ready+" && "+liveSays("10 of 16 points have ended"))
	rows := `[...document.querySelectorAll("table.points tbody tr")].filter(tr => tr.textContent.includes("finished")).length`
	overview.Wait(soon, `document.querySelector("table.points")`)
	if n := browsertest.Eval[int](overview, rows); n != 9 {
		t.Errorf("%d finished points in the table", n)
	}
	overview.Do(chromedp.Evaluate(`window.mark = 1`, nil)) // gone with a reload
	page.Open(g.home + "point/" + points[10].Name())
	page.Wait(soon, liveSays("running: step 500 of at most 1000"))
	index.Open(g.URL + "/")
	index.Wait(soon, liveSays("1 at work; 10 of 16"))

	write(t, g.d, points[10], rundir.Done, "")
	began := time.Now()
	overview.Wait(soon, liveSays("11 of 16 points have ended"))
	seen := time.Since(began)
	overview.Wait(soon, rows+" === 10")
	t.Logf("in the progress after %v, in the table and charts after %v", seen.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	overview.Wait(soon, `document.querySelector("p.lead").textContent.includes("10 in the correlations")`)
	overview.Wait(soon, `document.querySelector("figure .about").textContent.includes("N = 10")`)
	if !browsertest.Eval[bool](overview, `window.mark === 1`) {
		t.Error("the page was loaded again, with the reader's place and choices")
	}
	page.Wait(soon, liveSays("finished")+` && document.querySelector("h2")`)
	index.Wait(soon, liveSays("0 at work; 11 of 16"))

	// The server ends and another begins at its address. What a page was asking for at that
	// moment fails, in one of many ways, and is asked for again.
	pages := []*browsertest.Page{overview, page, index}
	for _, p := range pages {
		for _, problem := range p.Problems() {
			t.Errorf("before the server's end: %s", problem)
		}
	}
	g.stop()
	overview.Wait(soon, `document.documentElement.classList.contains("lost")`)
	write(t, g.d, points[11], rundir.Done, "")
	s2, _ := startAt(t, g.addr, Options{}, g.d.Path)
	only(t, s2)
	overview.Wait(soon, liveSays("12 of 16 points have ended")+` && !document.documentElement.classList.contains("lost")`)
	overview.Wait(soon, rows+" === 11")
	if !browsertest.Eval[bool](overview, `window.mark === 1`) {
		t.Error("the page was loaded again after the restart")
	}
	page.Wait(soon, `!document.documentElement.classList.contains("lost") && `+liveSays("finished"))
	for _, p := range pages {
		for _, problem := range p.Problems() {
			if !strings.Contains(problem, "net::ERR_") { // without an answer; an answer has a status
				t.Error(problem)
			}
		}
		p.Close() // before the second server
	}
}

// A point that ends is in the charts and in the table of points before there is a new
// report, however long that takes: here none can be made until the reader has seen it.
func TestBrowserLiveBeforeTheReport(t *testing.T) {
	b := browsertest.Start(t)
	g := serveGrid(t, 9)
	p := b.NewPage(t)
	p.Open(g.home)
	p.Wait(soon, ready+" && "+liveSays("10 of 16 points have ended"))
	p.Do(chromedp.Evaluate(`document.getElementById("figures").scrollIntoView()`, nil))
	marks := `document.querySelector("svg.chart path.edged") && [...document.querySelectorAll("svg.chart")[0].querySelectorAll("path.edged")].map(e => e.getAttribute("d").split("z").length - 1).reduce((a, b) => a + b, 0)`
	p.Wait(soon, marks+" === 9")

	g.s.slots <- struct{}{} // as a report does that is being made
	goOn := sync.OnceFunc(func() { <-g.s.slots })
	t.Cleanup(goOn) // the server ends after its reports
	began := time.Now()
	write(t, g.d, g.c.Points()[10], rundir.Done, "")
	p.Wait(soon, marks+" === 10")
	t.Logf("in the charts after %v", time.Since(began).Round(time.Millisecond))
	p.Wait(soon, `[...document.querySelectorAll("table.points tbody tr")].filter(tr => tr.textContent.includes("finished")).length === 10`)

	// Rows of every kind: a point that is to be trained again, one that begins, one that
	// fails with other words, and one with a column that no other has.
	points := g.c.Points()
	if err := os.Remove(g.d.Point(points[0]).File("result.json")); err != nil {
		t.Fatal(err)
	}
	write(t, g.d, points[0], rundir.Pending, "")
	write(t, g.d, points[13], rundir.Running, "")
	write(t, g.d, points[9], rundir.Failed, "no space left")
	more := trained(points[12])
	more.Curvature = &rundir.Curvature{Trace: 123.25}
	write(t, g.d, points[12], rundir.Running, "")
	if err := g.d.Point(points[12]).WriteResult(more); err != nil {
		t.Fatal(err)
	}
	const heads, cells = `[...document.querySelectorAll("table.points thead th")].map(e => e.textContent)`, `[...document.querySelectorAll("table.points tbody tr")].map(tr => [...tr.children].map(e => e.textContent))`
	p.Wait(soon, `[[0, "not trained yet"], [9, "no space left"], [12, "123.3"], [13, "in training"]].every(([i, what]) => `+cells+`[i].join().includes(what))`)

	// The reader keeps some points: the next data must not let go of them.
	p.Do(chromedp.Evaluate(`(() => {
		const query = document.querySelector("input[type=search]");
		query.value = "batch_size=5";
		query.dispatchEvent(new Event("input"));
	})()`, nil))
	const kept = `document.querySelector("p.count").textContent`
	p.Wait(soon, kept+` === "8 of 16 points"`)
	p.Do(chromedp.Evaluate(`document.querySelector("input[type=search]").value = ""`, nil)) // now as if by a rectangle
	const steps = `[...document.querySelectorAll("table.points thead button")].find(b => b.textContent === "steps")`
	p.Do(chromedp.Evaluate(steps+`.click(); document.querySelector("table.points tbody a").focus(); window.mark = document.activeElement.href`, nil))

	lead := `document.querySelector("p.lead").textContent`
	if text := browsertest.Eval[string](p, lead); !strings.Contains(text, "9 in the correlations") {
		t.Errorf("the report is new, too: the test shows nothing: %s", text)
	}
	goOn()
	p.Wait(soon, "!"+lead+`.includes("9 in the correlations")`)
	write(t, g.d, points[14], rundir.Running, "")
	p.Wait(soon, heads+`.length > 0 && `+cells+`.filter(row => row.join().includes("in training")).length === 1`) // the other has B = 20
	if text := browsertest.Eval[string](p, kept); text != "8 of 16 points" {
		t.Errorf("after new data the table shows %s", text)
	}
	if !browsertest.Eval[bool](p, `document.activeElement.href === window.mark && `+steps+`.parentNode.ariaSort === "ascending"`) {
		t.Error("the new data took the focus or the sort arrow")
	}
	p.Do(chromedp.Evaluate(`[...document.querySelectorAll("table.points thead button")][0].click()`, nil))
	p.Do(chromedp.Evaluate(`document.querySelector(".filter button").click()`, nil))
	p.Wait(soon, cells+`.filter(row => row.join().includes("in training")).length === 2`)
	rows := browsertest.Eval[[][]string](p, cells)
	names := browsertest.Eval[[]string](p, heads)

	// Another server has no rows, but the data of all points as they are now.
	s2, h2 := start(t, Options{}, g.d.Path)
	p.Open(h2.URL + only(t, s2).home())
	p.Wait(soon, ready+` && `+cells+`.length === 16`)
	whole := browsertest.Eval[[]string](p, heads)
	if !slices.Equal(whole, names) {
		t.Errorf("columns of the rows are %q, with all data %q", names, whole)
	}
	all := browsertest.Eval[[][]string](p, cells)
	p.Close() // before the second server
	for i, row := range all {
		for j, name := range whole {
			if was := slices.Index(names, name); was < 0 || rows[i][was] != row[j] {
				t.Fatalf("rows have no column %q or not the value %q for the point %s: %q", name, row[j], row[0], rows[i])
			}
		}
	}
}

// The last point ends: the section of the points left out is gone, and the reader's page
// is the same. While the server's data are out of reach, the page asks again.
func TestBrowserLastPoint(t *testing.T) {
	b := browsertest.Start(t)
	g := serveGrid(t, 15)
	points := g.c.Points()
	p := b.NewPage(t)
	p.Open(g.home)
	p.Wait(soon, ready+" && "+liveSays("15 of 16 points have ended")+` && document.getElementById("left-out")`)
	p.Do(chromedp.Evaluate(`
		window.mark = 1;
		const real = fetch;
		window.fetch = address => address.endsWith(".json") ? Promise.reject(new Error("away")) : real(address);
		window.mend = () => { window.fetch = real; };`, nil))
	write(t, g.d, points[15], rundir.Done, "")
	p.Wait(soon, `!document.getElementById("left-out") && window.mark === 1`)
	headings := `[...document.querySelectorAll("main h2")].map(h => h.id).join()`
	now := browsertest.Eval[string](p, headings)
	p.Do(chromedp.Evaluate(`mend()`, nil))
	p.Wait(soon, `[...document.querySelectorAll("table.points tbody tr")].filter(tr => tr.textContent.includes("finished")).length === 16 && window.mark === 1`)
	p.Open(g.home)
	p.Wait(soon, ready)
	if whole := browsertest.Eval[string](p, headings); whole != now {
		t.Errorf("sections %s, of a new page %s", now, whole)
	}
}

// The grid stops and goes on: the page follows.
func TestBrowserGridRestarts(t *testing.T) {
	b := browsertest.Start(t)
	g := serveGrid(t, 5)
	p := b.NewPage(t)
	p.Open(g.home)
	p.Wait(soon, liveSays("1 running"))
	g.d.Close()
	p.Wait(soon, liveSays("1 interrupted"))
	again, err := rundir.Create(g.d.Path, g.c)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	p.Wait(soon, liveSays("1 running"))
	// A damaged result: what is below stays, and the progress says what is wrong.
	p.Wait(soon, ready+` && !location.pathname.includes("/point/")`)
	damaged := again.Point(g.c.Points()[0])
	if err := os.WriteFile(damaged.File("result.json.new"), []byte(`{"format"`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(damaged.File("result.json.new"), damaged.File("result.json")); err != nil {
		t.Fatal(err)
	}
	p.Wait(soon, liveSays("The report cannot be made")+" && "+liveSays("delete the file to have the point measured again"))
	p.Wait(soon, `document.querySelector('#live details[data-key="failed"] summary').textContent === "1 failed, 1 damaged"`)
	screenshots(p, "damaged")
	if err := damaged.WriteResult(trained(g.c.Points()[0])); err != nil {
		t.Fatal(err)
	}
	p.Wait(soon, "!("+liveSays("The report cannot be made")+")")
}

// What the job of a failed point wrote stands on the page of the run and on that of
// the point: as text, with a link to all of it that works from either.
func TestBrowserLogs(t *testing.T) {
	b := browsertest.Start(t)
	folder := t.TempDir()
	c := experiment(t, "grid", "fashion-mnist-mini")
	d := makeRun(t, folder, c, 4)
	failed := c.Points()[4].Name()
	writeText(t, filepath.Join(d.Path, "slurm", "1", "logs", "3.log"), "1\n2\n\n\tat work\nwaiting\nslurmstepd: error: <b>out of memory</b>\nsrun: error: node17\n")
	s, h := start(t, Options{Logs: func(string) map[string]string { return map[string]string{failed: "slurm/1/logs/3.log"} }}, folder)
	home := h.URL + only(t, s).home()
	p := b.NewPage(t)
	for _, address := range []string{home, home + "point/" + failed} {
		p.Open(address)
		p.Wait(soon, ready+` && document.querySelector("#live .log pre")`)
		if text := browsertest.Eval[string](p, `document.querySelector(".log pre").textContent`); text != "\tat work\nwaiting\nslurmstepd: error: <b>out of memory</b>\nsrun: error: node17" {
			t.Errorf("%s shows %q", address, text)
		}
		if link := browsertest.Eval[string](p, `document.querySelector(".log a").href`); link != home+"files/slurm/1/logs/3.log" {
			t.Errorf("%s links to %s", address, link)
		}
		if n := browsertest.Eval[int](p, `[...document.querySelectorAll("dd, li, .wrong-note")].filter(e => e.textContent.includes("out of memory <script>")).length`); n != 1 {
			t.Errorf("%s says %d times what went wrong", address, n)
		}
		screenshots(p, "log")
	}
	p.Open(home)
	p.Wait(soon, liveSays("1 running")+` && [...document.querySelectorAll("#live summary")].map(e => e.textContent).join() === "1 at work,1 failed"`)
	d.Close()
	p.Wait(soon, `[...document.querySelectorAll("#live summary")].map(e => e.textContent).join() === "1 interrupted,1 failed"`)
}

// With a token: the printed address leads in, and leaves no token in the address.
func TestBrowserToken(t *testing.T) {
	b := browsertest.Start(t)
	_, h := start(t, Options{Token: "correct-horse"}, t.TempDir())
	p := b.NewPage(t)
	p.Open(h.URL + "/?token=correct-horse")
	p.Wait(soon, `location.search === "" && document.getElementById("live")?.textContent.includes("0 runs")`)
	if cookie := browsertest.Eval[string](p, "document.cookie"); cookie != "" {
		t.Errorf("scripts can read the cookie %q", cookie)
	}
	p.Do(chromedp.Reload())
	p.Wait(soon, liveSays("0 runs"))
}

// A reader without JavaScript has the page: its words, its pictures, its tables; and
// while a report is being made, a page that asks again by itself.
func TestBrowserWithoutScript(t *testing.T) {
	b := browsertest.Start(t)
	g := serveGrid(t, 16)
	p := b.NewPage(t)
	p.Do(emulation.SetScriptExecutionDisabled(true))
	p.Open(g.home)
	p.Wait(soon, `document.querySelectorAll("figure img").length > 4`)
	p.Do(chromedp.Evaluate(`document.querySelectorAll("figure img").forEach(i => { i.loading = "eager"; })`, nil))
	p.Wait(soon, `[...document.querySelectorAll("figure img")].every(i => i.complete && i.naturalWidth > 100)`)
	if rows := browsertest.Eval[int](p, `document.querySelectorAll("main table tbody tr, table tbody tr").length`); rows < 16 {
		t.Errorf("%d rows in the tables, want those of 16 points", rows)
	}
	if ran := browsertest.Eval[bool](p, ready); ran {
		t.Error("the script has run: the test shows nothing")
	}
	screenshots(p, "without-script")
	if links := browsertest.Eval[string](p, `[...document.querySelectorAll("#live nav a")].map(a => a.getAttribute("href")).join()`); links != "/,files/experiment.yaml" {
		t.Errorf("the page of the run links to %s", links)
	}
	p.Open(g.URL + "/")
	const cells = `[...document.querySelectorAll("#runs tbody tr")].map(tr => [...tr.children].slice(3).map(td => td.textContent).join("|")).join()`
	if row := browsertest.Eval[string](p, cells); row != "16|16|16 finished|" {
		t.Errorf("the run in the index: %s", row)
	}
	write(t, g.d, g.c.Points()[15], rundir.Running, "")
	if err := os.Remove(g.d.Point(g.c.Points()[15]).File("result.json")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the point at work", func() bool { return only(t, g.s).state().Counts["running"] == 1 })
	p.Open(g.URL + "/")
	if row := browsertest.Eval[string](p, cells); row != "16|15|1 running, 15 finished|about 1 s left" {
		t.Errorf("the run in the index: %s", row)
	}
}
