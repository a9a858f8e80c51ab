package report

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// triangles are the dots of a second kind.
func triangles(ds []dot, radius vg.Length) drawn {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		for _, d := range ds {
			at := vg.Point{X: x(d.x), Y: y(d.y)}
			var path vg.Path
			path.Move(vg.Point{X: at.X, Y: at.Y + 1.2*radius})
			path.Line(vg.Point{X: at.X - 1.05*radius, Y: at.Y - 0.7*radius})
			path.Line(vg.Point{X: at.X + 1.05*radius, Y: at.Y - 0.7*radius})
			path.Close()
			fillOrRing(c, path, d)
		}
	}
}

// squares are the dots of a third kind.
func squares(ds []dot, half vg.Length) drawn {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		for _, d := range ds {
			at := vg.Point{X: x(d.x), Y: y(d.y)}
			box := vg.Rectangle{Min: vg.Point{X: at.X - half, Y: at.Y - half}, Max: vg.Point{X: at.X + half, Y: at.Y + half}}
			fillOrRing(c, box.Path(), d)
		}
	}
}

// fillOrRing draws a marker, hollow or filled with a thin dark edge.
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
func dashed(from, to, y float64, clr color.Color) drawn {
	return func(c draw.Canvas, tx, ty func(float64) vg.Length) {
		c.StrokeLine2(draw.LineStyle{Color: clr, Width: 0.8, Dashes: []vg.Length{3, 2}}, tx(from), ty(y), tx(to), ty(y))
	}
}
