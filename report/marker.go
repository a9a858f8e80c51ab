package report

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// markers draws a series, each dot with the outline around its place.
func markers(ds []dot, outline func(at vg.Point) vg.Path) drawn {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		ds := slices.Clone(some(c, ds))
		for i := range ds {
			if ds[i].hollow {
				ds[i].color = inked(ds[i].color)
			}
		}
		if len(ds) <= mostOutlines {
			for _, d := range ds {
				fillOrRing(c, outline(vg.Point{X: x(d.x), Y: y(d.y)}), d)
			}
			return
		}
		colors := make([]color.RGBA, len(ds))
		for i, d := range ds {
			colors[i] = d.color
		}
		r := newRaster(c, colors)
		for _, d := range ds {
			r.put(d, vg.Point{X: x(d.x), Y: y(d.y)}, outline)
		}
		r.place(c)
	}
}

// dots draws solutions, hollow ones above the others.
func dots(ds []dot, radius vg.Length) drawn {
	filledFirst := slices.Clone(ds)
	slices.SortStableFunc(filledFirst, func(a, b dot) int {
		switch {
		case a.hollow == b.hollow:
			return 0
		case b.hollow:
			return -1
		}
		return +1
	})
	return markers(filledFirst, func(at vg.Point) vg.Path {
		var circle vg.Path
		circle.Move(vg.Point{X: at.X + radius, Y: at.Y})
		circle.Arc(at, radius, 0, 2*math.Pi)
		circle.Close()
		return circle
	})
}

// triangles are the dots of a second kind.
func triangles(ds []dot, radius vg.Length) drawn {
	return markers(ds, func(at vg.Point) vg.Path {
		var path vg.Path
		path.Move(vg.Point{X: at.X, Y: at.Y + 1.2*radius})
		path.Line(vg.Point{X: at.X - 1.05*radius, Y: at.Y - 0.7*radius})
		path.Line(vg.Point{X: at.X + 1.05*radius, Y: at.Y - 0.7*radius})
		path.Close()
		return path
	})
}

// squares are the dots of a third kind.
func squares(ds []dot, half vg.Length) drawn {
	return markers(ds, func(at vg.Point) vg.Path {
		box := vg.Rectangle{Min: vg.Point{X: at.X - half, Y: at.Y - half}, Max: vg.Point{X: at.X + half, Y: at.Y + half}}
		return box.Path()
	})
}

// fillOrRing draws a marker, hollow or filled with a thin dark edge, which keeps light
// colours visible.
func fillOrRing(c draw.Canvas, path vg.Path, d dot) {
	if d.hollow {
		c.SetLineStyle(draw.LineStyle{Color: d.color, Width: 0.9})
		c.Stroke(path)
		return
	}
	c.SetColor(d.color)
	c.Fill(path)
	c.SetLineStyle(draw.LineStyle{Color: ink, Width: 0.3})
	c.Stroke(path)
}

// dashed is a horizontal line.
func dashed(from, to, y float64, clr color.RGBA) drawn {
	return func(c draw.Canvas, tx, ty func(float64) vg.Length) {
		c.StrokeLine2(draw.LineStyle{Color: inked(clr), Width: 0.8, Dashes: []vg.Length{3, 2}}, tx(from), ty(y), tx(to), ty(y))
	}
}
