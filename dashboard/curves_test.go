package dashboard

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sobolev/internal/browsertest"
	"sobolev/rundir"
)

// lossAt and sharpnessAt are values that tell a step from its neighbours, and between
// which every mean would have more digits.
func lossAt(step int64) float64      { return 1 + float64(step*7919%1000)/1000 }
func sharpnessAt(step int64) float64 { return 1 + float64(step)/1000 }

// longHistory has a row for every step, and a probe at every thousandth.
func longHistory(n int64) []rundir.HistoryRow {
	rows := make([]rundir.HistoryRow, n)
	for i := range rows {
		step := int64(i + 1)
		rows[i] = rundir.HistoryRow{Step: step, BatchLoss: lossAt(step), Probe: rundir.NoProbe()}
		if step%1000 == 0 {
			p := &rows[i].Probe
			p.ProbeSamples, p.LambdaMax, p.TrainAccuracy, p.TestAccuracy = 100, sharpnessAt(step), float64(step)/1e5, float64(step)/2e5
		}
	}
	return rows
}

// inChart is an expression about the chart of that heading, c, and where it is, box.
func inChart(heading, expression string) string {
	return fmt.Sprintf(`(() => {
	  const figure = [...document.querySelectorAll("figure")].find(f => f.querySelector("h3").textContent === %q);
	  const c = figure.querySelector(".chart"), box = c.getBoundingClientRect();
	  return %s;
	})()`, heading, expression)
}

// readOut is what the tooltip says, with the step and the first value as numbers.
func readOut(t *testing.T, p *browsertest.Page) (step int64, value float64, text string) {
	t.Helper()
	p.Wait(soon, `document.querySelector(".tip:not([hidden])")`)
	title := browsertest.Eval[string](p, `document.querySelector(".tip strong").textContent`)
	text = browsertest.Eval[string](p, `[...document.querySelectorAll(".tip dt, .tip dd")].map(e => e.textContent).join(" | ")`)
	digits, ok := strings.CutPrefix(title, "step ")
	step, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil {
		t.Fatalf("the tooltip is about %q", title)
	}
	if value, err = strconv.ParseFloat(browsertest.Eval[string](p, `document.querySelector(".tip dd").textContent`), 64); err != nil {
		t.Fatalf("the tooltip says %q", text)
	}
	return step, value, text
}

// The curves of a training of thirty thousand recorded values: whatever a reader does,
// what is read out was recorded, and the drawing stays small.
func TestBrowserCurves(t *testing.T) {
	const rows = 30_000
	b := browsertest.Start(t)
	folder := t.TempDir()
	c := experiment(t, "grid", "fashion-mnist-mini")
	d := makeRun(t, folder, c, 16)
	point := c.Points()[3]
	if err := d.Point(point).WriteHistory(longHistory(rows)); err != nil {
		t.Fatal(err)
	}
	s, h := start(t, Options{}, folder)
	p := b.NewPage(t)
	p.Do(chromedp.EmulateViewport(1200, 1400), page.BringToFront())
	p.Open(h.URL + only(t, s).home() + "point/" + point.Name())
	p.Wait(soon, ready+` && document.querySelectorAll("figure .chart").length >= 3`)

	if label := browsertest.Eval[string](p, inChart("Training loss", `c.getAttribute("aria-label")`)); !strings.Contains(label, "batch loss against step, 30000 recorded values") {
		t.Errorf("the chart is called %q", label)
	}
	// Every column of pixels keeps four values at most; the columns are half units wide.
	if n := browsertest.Eval[int](p, inChart("Training loss", `c.querySelector("path.line.faint").getAttribute("d").split("L").length`)); n < 100 || n > 4*2*230 {
		t.Errorf("the line of %d values is drawn with %d", rows, n)
	}
	if n := browsertest.Eval[int](p, `document.querySelectorAll(".chart *").length`); n > 1000 {
		t.Errorf("the charts are %d elements", n)
	}

	hover := func(heading string, across, down float64) {
		t.Helper()
		at := browsertest.Eval[[]float64](p, inChart(heading, fmt.Sprintf("[box.left + %v * box.width, box.top + %v * box.height]", across, down)))
		p.Do(chromedp.MouseEvent(input.MouseMoved, at[0], at[1]))
	}
	recorded := func(from, to int64) {
		t.Helper()
		step, value, text := readOut(t, p)
		if step < from || step > to || !(math.Abs(value-lossAt(step)) < 1e-9) {
			t.Errorf("between steps %d and %d: at step %d it says %q, recorded is %v", from, to, step, text, lossAt(step))
		}
		p.Wait(soon, inChart("Training loss", `c.querySelector(".cursor") && c.querySelectorAll(".ring").length === 1`))
	}
	hover("Training loss", 0.5, 0.4)
	recorded(2, rows-1)

	// Zoomed in by a drag, twice, so that single values are apart, and out again.
	ticks := inChart("Training loss", `[...c.querySelectorAll(".tick")].map(e => e.textContent).join()`)
	before := browsertest.Eval[string](p, ticks)
	for range 2 {
		box := browsertest.Eval[[]float64](p, inChart("Training loss", "[box.left, box.top, box.width, box.height]"))
		from, to := []float64{box[0] + 0.5*box[2], box[1] + 0.08*box[3]}, []float64{box[0] + 0.6*box[2], box[1] + 0.72*box[3]}
		p.Do(chromedp.MouseEvent(input.MousePressed, from[0], from[1], chromedp.ButtonLeft, chromedp.ClickCount(1)),
			chromedp.MouseEvent(input.MouseMoved, to[0], to[1], chromedp.ButtonLeft),
			chromedp.MouseEvent(input.MouseReleased, to[0], to[1], chromedp.ButtonLeft, chromedp.ClickCount(1)))
		last := browsertest.Eval[string](p, ticks)
		if last == before {
			t.Errorf("after the drag the axes are as before: %s", last)
		}
	}
	hover("Training loss", 0.55, 0.4)
	recorded(2, rows-1)
	p.Do(chromedp.Evaluate(inChart("Training loss", `c.dispatchEvent(new MouseEvent("dblclick"))`), nil))
	p.Wait(soon, fmt.Sprintf("%s === %q", ticks, before))

	// A linear axis of steps: the middle of the chart is the middle of the training.
	p.Do(chromedp.Evaluate(inChart("Training loss", `(() => {
	  const select = figure.querySelector(".tools select");
	  select.value = "linear";
	  select.dispatchEvent(new Event("change"));
	})()`), nil))
	hover("Training loss", (46+264)/2./272, 0.4)
	recorded(rows/2-200, rows/2+200)

	// The keyboard goes through the values, and says them.
	said := func(key, want string) {
		t.Helper()
		p.Do(chromedp.KeyEvent(key))
		if text := browsertest.Eval[string](p, `document.querySelector(".voice[aria-live]").textContent`); text != want {
			t.Errorf("said is %q, want %q", text, want)
		}
	}
	p.Do(chromedp.Evaluate(inChart("Training loss", "c.focus()"), nil))
	said(kb.Home, fmt.Sprintf("step 1; batch loss %v", lossAt(1)))
	said(kb.ArrowRight, fmt.Sprintf("step 2; batch loss %v", lossAt(2)))
	said(kb.End, fmt.Sprintf("step %d; batch loss %v", rows, lossAt(rows)))
	said(kb.ArrowLeft, fmt.Sprintf("step %d; batch loss %v", rows-1, lossAt(rows-1)))

	// Curves of one point are read together, with what they are compared with.
	hover("Sharpness λmax in training", 0.5, 0.5)
	step, value, text := readOut(t, p)
	if step%1000 != 0 || !(math.Abs(value-sharpnessAt(step)) < 1e-9) || !regexp.MustCompile(fmt.Sprintf(`2 / η \| %v$`, 2/point.LearningRate)).MatchString(text) {
		t.Errorf("sharpness at step %d: %q", step, text)
	}
	hover("Accuracy in training (%)", 0.7, 0.5)
	step, _, text = readOut(t, p)
	if want := fmt.Sprintf("training samples | %v | test samples | %v", float64(step)/1e3, float64(step)/2e3); step%1000 != 0 || text != want {
		t.Errorf("accuracies at step %d: %q, want %q", step, text, want)
	}
	screenshots(p, "curves")
}
