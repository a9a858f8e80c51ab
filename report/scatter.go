package report

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// scatterFigures are the paper's Figures 1 and 2, one for each order.
func (r *Report) scatterFigures() []figure {
	var figs []figure
	for _, k := range r.orders {
		f, ok := r.scatter(gW(k), gX(k))
		if !ok {
			continue
		}
		f.name = fmt.Sprintf("figure1-k%d", k)
		f.heading = fmt.Sprintf("Input against parameter gradients, order 2k = %d", 2*k)
		f.caption = fmt.Sprintf("Each dot is a trained network: the moment g_x of its input gradients against the moment g_W of its parameter gradients, "+
			"both of order 2k = %d, over the training data%s. Compare Figures 1 (FashionMNIST) and 2 (CIFAR-10) of Ma & Ying (2021), who find that solutions of smaller g_W have smaller g_x.", 2*k, r.colorWords())
		figs = append(figs, f)
	}
	return figs
}

// accuracyFigures is test accuracy against g_x of the lowest order.
func (r *Report) accuracyFigures() []figure {
	if len(r.orders) == 0 {
		return nil
	}
	k := r.orders[0]
	f, ok := r.scatter(gX(k), testAccuracy())
	if !ok {
		return nil
	}
	f.name = "test-accuracy"
	f.heading = "Generalisation"
	f.caption = fmt.Sprintf("Accuracy on the test set against the moment g_x of the input gradients of order 2k = %d%s. "+
		"The bounds of Ma & Ying (2021) limit the test error of solutions whose g_x is small; they do not predict the accuracy.", 2*k, r.colorWords())
	return []figure{f}
}

func (r *Report) colorWords() string {
	switch c := r.coloring(); {
	case c.by == nil:
		return ""
	case c.by.name == "η":
		return "; the colour is the learning rate η"
	default:
		return "; the colour is the batch size B"
	}
}

// scatter draws every solution that has both quantities; false when none has.
func (r *Report) scatter(x, y quantity) (figure, bool) {
	colors := r.coloring()
	var ds []dot
	var xs, ys []float64
	hollow, absent := 0, 0
	for i := range r.solutions {
		s := &r.solutions[i]
		d := dot{x: x.of(s), y: y.of(s), color: colors.of(s), hollow: !s.counts()}
		if !drawable(d.x) || !drawable(d.y) {
			if s.Result != nil {
				absent++
			}
			continue
		}
		if d.hollow {
			hollow++
		}
		ds, xs, ys = append(ds, d), append(xs, d.x), append(ys, d.y)
	}
	if len(ds) == 0 {
		return figure{}, false
	}
	title := r.subtitle(x, y) + note(hollow, absent)
	return figure{height: 192 + vg.Length(12*strings.Count(title, "\n")), about: strings.ReplaceAll(title, "\n", ",  "), charts: []chart{chartOf(x, colors, y)}, data: r.solutionSheet(x, y), draw: func(c draw.Canvas) {
		p := newPanel(scaleOf(xs, 0.06, 20), scaleOf(ys, 0.06, 20), x.label, y.label, nil)
		p.Title.Text = title
		p.Add(dots(ds, radius(len(ds))))
		drawPanels(c, colors, p)
	}}, true
}

// drawable says whether v can be placed on an axis; beyond this range the
// difference of two values is not a float64.
func drawable(v float64) bool { return v > -1e150 && v < 1e150 }

// subtitle is the two correlations of a scatter.
func (r *Report) subtitle(x, y quantity) string {
	rank, ok := r.find(x, y, "Spearman")
	linear, _ := r.find(x, y, "Pearson")
	if !ok {
		return "no solution counts in the correlation"
	}
	one := func(c Correlation) string {
		if math.IsNaN(c.Value) {
			return c.Method + " undefined"
		}
		if !c.HasInterval() {
			return fmt.Sprintf("%s %s", c.Method, decimal2(c.Value))
		}
		return fmt.Sprintf("%s %s %s", c.Method, decimal2(c.Value), c.Interval())
	}
	last := fmt.Sprintf("N = %d", rank.N)
	if rank.HasInterval() || linear.HasInterval() {
		last = "95% intervals,  " + last
	}
	return one(rank) + "\n" + one(linear) + "\n" + last
}

// drawPanels draws panels of equal width below each other, and the colour bar
// beside them.
func drawPanels(c draw.Canvas, colors coloring, panels ...*plot.Plot) {
	c.SetColor(white)
	c.Fill(c.Rectangle.Path())
	right := vg.Length(10)
	if colors.by != nil {
		right = barWidth
	}
	top := vg.Length(4)
	if colors.by != nil && panels[0].Title.Text == "" {
		top = 18 // the colour bar's symbol stands above it
	}
	area := draw.Crop(c, 2, -right, 2, -top)
	grid := make([][]*plot.Plot, len(panels))
	widest := vg.Length(0)
	for i, p := range panels {
		grid[i] = []*plot.Plot{p}
		widest = max(widest, widestLabel(p))
	}
	for _, p := range panels {
		p.Y.Label.Padding += widest - widestLabel(p) // the labels of all panels stand in line
	}
	canvases := plot.Align(grid, draw.Tiles{Rows: len(panels), Cols: 1, PadY: 8}, area)
	for i, p := range panels {
		p.Draw(canvases[i][0])
	}
	colors.bar(panels[0].DataCanvas(canvases[0][0]))
}

func widestLabel(p *plot.Plot) vg.Length {
	widest := vg.Length(0)
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		widest = max(widest, p.Y.Tick.Label.Width(t.Label))
	}
	return widest
}
