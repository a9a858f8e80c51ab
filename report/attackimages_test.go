package report

import (
	"bytes"
	"encoding/base64"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"sobolev/rundir"
)

func TestAttackedImages(t *testing.T) {
	three, five := 3, 5
	good := rundir.AttackExample{Set: "test", Sample: 7, Label: &three, Before: &three, After: &five, Change: 0.25, Radius: 0.5, Norm: "l2",
		Shape: []int{1, 1, 3}, Original: []byte{0, 100, 250}, Difference: []byte{128, 138, 255}, DifferenceScale: 1.0 / 255}
	rgb := rundir.AttackExample{Set: "training", Shape: []int{3, 1, 1}, Original: []byte{10, 20, 30}, Difference: []byte{127, 128, 129}, DifferenceScale: 2.0 / 255}
	short, huge, odd := good, good, good
	short.Difference = short.Difference[:2]
	huge.Shape = []int{1, 1 << 20, 1 << 20}
	odd.Shape = []int{2, 1, 3}
	images := imagesOf(&rundir.Result{Robustness: &rundir.Robustness{Examples: []rundir.AttackExample{good, short, huge, odd, rgb}}})
	if len(images) != 2 {
		t.Fatalf("%d images, want those of the first and the last example", len(images))
	}
	if want := "test sample 7, class 3: predicted 3, after the attack 5. Radius 0.500 (l2), largest change of an output 0.250."; images[0].Caption != want {
		t.Errorf("caption %q, want %q", images[0].Caption, want)
	}
	for _, c := range []struct {
		uri  string
		x    int
		want color.RGBA
	}{
		{string(images[0].Original), 1, color.RGBA{100, 100, 100, 255}},
		{string(images[0].Attacked), 0, color.RGBA{0, 0, 0, 255}},
		{string(images[0].Attacked), 1, color.RGBA{110, 110, 110, 255}},
		{string(images[0].Attacked), 2, color.RGBA{255, 255, 255, 255}}, // 250 + 127 is above the range
		{string(images[0].Difference), 2, color.RGBA{255, 255, 255, 255}},
		{string(images[1].Attacked), 0, color.RGBA{8, 20, 32, 255}},
	} {
		data, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.uri, "data:image/png;base64,"))
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if got := color.RGBAModel.Convert(img.At(c.x, 0)); got != c.want {
			t.Errorf("pixel %d is %v, want %v", c.x, got, c.want)
		}
	}
}
