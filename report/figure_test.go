package report

import (
	"bytes"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sobolev/rundir"
)

func TestFiguresOfOddRuns(t *testing.T) {
	none := []string{"all diverged", "nothing trained", "all failed", "no moments", "no records", "stability of the diverged"}
	for name, r := range oddRuns() {
		figs := r.figures()
		if empty := slices.Contains(none, name); empty != (len(figs) == 0) {
			t.Errorf("%s: %d figures", name, len(figs))
		}
		// The letters and lines are the same in all formats; drawing twice as
		// SVG is enough for most, and one of each kind is drawn in all.
		for _, f := range figs {
			if lines := bytes.Split(bytes.TrimSpace(f.data().csv()), []byte("\n")); len(lines) < 2 || bytes.Contains(lines[1], []byte("NaN")) {
				t.Errorf("%s: %s has the data %s", name, f.name, lines)
			}
			for _, format := range Formats {
				if format != "svg" && (name != "zero and infinite" || !strings.HasSuffix(f.name, "k1")) {
					continue
				}
				data, err := f.render(format)
				if err != nil || len(data) < 500 {
					t.Errorf("%s: %s.%s: %d bytes, %v", name, f.name, format, len(data), err)
				}
				if format == "png" {
					if at := bytes.Index(data, []byte("pHYs\x00\x00\x2e\x23\x00\x00\x2e\x23\x01")); at != 33+4 { // 11811 pixels a metre
						t.Errorf("%s: %s: resolution at %d", name, f.name, at)
					}
					if _, err := png.Decode(bytes.NewReader(data)); err != nil { // checks CRCs
						t.Errorf("%s: %s: %v", name, f.name, err)
					}
				}
				if format == "svg" && (bytes.Contains(data, []byte("NaN")) || bytes.Contains(data, []byte("Inf"))) {
					t.Errorf("%s: %s has a coordinate that is no number", name, f.name)
				}
			}
		}
	}
}

// A grid of several methods has a figure of its own in the place of those along
// its axes.
func TestMethodsAreContrasted(t *testing.T) {
	cfg := gridConfig([]float64{0.1}, []int{20}, 3)
	cfg.Grid.Method = []string{"sgd", "gd", "label-noise"}
	cfg.SGD.LabelNoise = 0.1
	r := fromRecords(cfg, records(cfg), false, fewDraws)
	var names []string
	for _, f := range r.figures() {
		names = append(names, f.name)
		if f.name != "methods" {
			continue
		}
		drawn, err := f.render("svg")
		if err != nil {
			t.Fatal(err)
		}
		svg := string(drawn)
		last := -1
		for _, label := range []string{">sgd<", ">gd<", ">label-<", ">noise<"} {
			at := strings.Index(svg, label)
			if at < 0 || label != ">noise<" && at < last {
				t.Errorf("no label %s, or not in the configuration's order", label)
			}
			last = at
		}
	}
	if !slices.Contains(names, "methods") || slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "batch-size") }) {
		t.Errorf("figures %v", names)
	}
	for _, f := range fromRecords(gridConfig([]float64{0.1, 0.2}, []int{20}, 3), records(gridConfig([]float64{0.1, 0.2}, []int{20}, 3)), false, fewDraws).figures() {
		if f.name == "methods" {
			t.Error("one method is contrasted with nothing")
		}
	}
}

func TestFromDisk(t *testing.T) {
	cfg := gridConfig([]float64{0.05, 0.1, 0.2}, []int{20}, 2)
	rs := records(cfg)
	for i := range rs {
		rs[i].Result.Moments = rs[i].Result.Moments[:1] // fewer figures: they take the time here
	}
	dir := onDisk(t, cfg, rs)
	r, err := Build(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.curves) != 6 {
		t.Errorf("%d training curves, want 6", len(r.curves))
	}
	out := filepath.Join(t.TempDir(), "figures")
	paths, err := r.WriteFigures(out, []string{"svg", "pdf", "png"})
	if err != nil {
		t.Fatal(err)
	}
	first := map[string][]byte{}
	for p := range paths {
		if first[p], err = os.ReadFile(p); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"figure1-k1", "learning-rate-k1", "test-accuracy", "training"} {
		for _, format := range Formats {
			if first[filepath.Join(out, name+"."+format)] == nil {
				t.Errorf("no %s.%s among %v", name, format, paths)
			}
		}
	}
	if svg := first[filepath.Join(out, "figure1-k1.svg")]; !bytes.Contains(svg, []byte(`<svg width="89mm" height="`)) {
		t.Errorf("the figure is not 89 mm wide: %.200s", svg)
	}
	table := string(first[filepath.Join(out, "figure1-k1.csv")])
	if want := "point,method,learning_rate,batch_size,repetition,g_W_1,g_x_1,left_out\n" + rs[0].Name; !strings.HasPrefix(strings.ReplaceAll(table, `"`, ""), want) ||
		strings.Count(table, "\n") != 1+len(rs) || !strings.Contains(table, rundir.CSVCell(float64(rs[5].Result.Moments[0].GX))) {
		t.Errorf("the data of the figure are\n%s", table)
	}
	for p, prefix := range map[string]string{"csv": "point,", "svg": "<?xml", "pdf": "%PDF-", "png": "\x89PNG"} {
		if b := first[filepath.Join(out, "figure1-k1."+p)]; !bytes.HasPrefix(b, []byte(prefix)) {
			t.Errorf("figure1-k1.%s begins with %q", p, b[:min(8, len(b))])
		}
	}

	again, err := Build(dir)
	if err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(out, "report.html")
	if _, err := again.Write(page, out, Formats); err != nil { // page and figures beside each other
		t.Fatal(err)
	}
	for p, b := range first {
		if now, err := os.ReadFile(p); err != nil || !bytes.Equal(b, now) {
			t.Errorf("%s is not the same when drawn again (%v)", filepath.Base(p), err)
		}
	}
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := r.HTML(); err != nil || !bytes.Equal(written, b) {
		t.Errorf("the page is not the same when made again (%v)", err)
	}
}

// A format that was drawn once, and is not among those of now, shows the data of now too.
func TestFormatsThatAreThereAreDrawnAnew(t *testing.T) {
	cfg := gridConfig([]float64{0.1, 0.2}, []int{20}, 3)
	rs := records(cfg)
	draw := func(dir string, wanted ...string) Files {
		t.Helper()
		files, err := fromRecords(cfg, rs, false, fewDraws).WriteFigures(dir, wanted)
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	dir := t.TempDir()
	before := draw(dir, "png")
	photo := filepath.Join(dir, "photo.pdf")
	if err := os.WriteFile(photo, []byte("somebody's"), 0o644); err != nil {
		t.Fatal(err)
	}
	for i := range rs {
		rs[i].Result.Moments[0].GX *= rundir.Number(1 + i)
	}
	after, fresh := draw(dir, "svg"), draw(t.TempDir(), "svg", "png")
	if len(after) != len(fresh) {
		t.Errorf("%d files, want SVG, PNG and CSV: %d", len(after), len(fresh))
	}
	for path, digest := range fresh {
		if path = filepath.Join(dir, filepath.Base(path)); after[path] != digest {
			t.Errorf("%s is not drawn from the data of now", path)
		}
		if is, err := rundir.FileDigest(path); err != nil || is != digest {
			t.Errorf("%s: %v", path, err)
		}
	}
	if path := filepath.Join(dir, "figure1-k1.png"); before[path] == "" || before[path] == after[path] {
		t.Errorf("the data change nothing in %s", path)
	}
	if text, err := os.ReadFile(photo); err != nil || string(text) != "somebody's" {
		t.Errorf("somebody's file holds %q, %v", text, err)
	}
}

func TestUnknownFormat(t *testing.T) {
	r := fromRecords(gridConfig([]float64{0.1}, []int{20}, 1), nil, false, fewDraws)
	paths, err := r.WriteFigures(t.TempDir(), []string{"svg", "gif"})
	if err == nil || len(paths) != 0 || !strings.Contains(err.Error(), `"gif"`) || !strings.Contains(err.Error(), "svg, pdf, png") {
		t.Errorf("%v, %v", paths, err)
	}
}

func TestThin(t *testing.T) {
	var rows []rundir.HistoryRow
	for step := int64(0); step <= 200_000; step++ {
		rows = append(rows, rundir.HistoryRow{Step: step, BatchLoss: 1 / float64(step+1)})
	}
	rows[7].BatchLoss, rows[8].BatchLoss, rows[9].BatchLoss = math.NaN(), math.Inf(1), 0
	c := thin(rows)
	if len(c.steps) > curveBins || len(c.steps) < curveBins/2 {
		t.Errorf("%d points", len(c.steps))
	}
	for i := range c.steps {
		if i > 0 && !(c.steps[i] > c.steps[i-1]) || !near(c.loss[i]*c.steps[i], 1, 0.5) {
			t.Errorf("point %d: step %v, loss %v", i, c.steps[i], c.loss[i])
		}
	}
	for _, rows := range [][]rundir.HistoryRow{nil, {{Step: 0, BatchLoss: 1}}, {{Step: 1, BatchLoss: math.NaN()}}} {
		if c := thin(rows); len(c.steps) != 0 {
			t.Errorf("%v gives %v", rows, c)
		}
	}
	if c := thin([]rundir.HistoryRow{{Step: 1, BatchLoss: 2}}); len(c.steps) != 1 || c.loss[0] != 2 {
		t.Errorf("one row gives %+v", c)
	}
}
