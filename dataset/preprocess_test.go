package dataset

import (
	"math"
	"slices"
	"testing"
)

func TestPreprocessingString(t *testing.T) {
	for _, c := range []struct {
		p    Preprocessing
		want string
	}{
		{Preprocessing{}, "x·default"},
		{Preprocessing{Scale: 1}, "x"},
		{Preprocessing{Scale: 1. / 255}, "x/255"},
		{Preprocessing{Scale: 0.5}, "x/2"},
		{Preprocessing{Scale: 0.3}, "x·0.3"},
		{Preprocessing{Scale: 2}, "x·2"},
		{Preprocessing{Scale: 1. / 255, Mean: []float64{0.286}, Std: []float64{0.353}}, "(x/255 - 0.286)/0.353"},
		{Preprocessing{Scale: 1, Mean: []float64{0.5}}, "x - 0.5"},
		{Preprocessing{Scale: 1, Std: []float64{0.5}}, "x/0.5"},
		{Preprocessing{Scale: 1. / 255, Std: []float64{0.5}}, "(x/255)/0.5"},
		{Preprocessing{Scale: 1. / 255, Mean: []float64{0.1, 0.2, 0.3}}, "x/255 - [0.1, 0.2, 0.3]"},
	} {
		if got := c.p.String(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.p, got, c.want)
		}
	}
}

// Every byte becomes the correctly rounded quotient, as torch's ToTensor gives it.
func TestBytesOver255(t *testing.T) {
	p, err := Preprocessing{}.resolve(1./255, []int{1, 28, 28})
	if err != nil {
		t.Fatal(err)
	}
	for b, got := range p.byteTable(1) {
		if want := float32(b) / 255; got != want {
			t.Errorf("%d: %v, want %v", b, got, want)
		}
	}
}

// Means and deviations belong to planes of images and coordinates of vectors,
// for bytes and for floats alike.
func TestPreprocessingChannels(t *testing.T) {
	p := Preprocessing{Scale: 0.5, Mean: []float64{1, 2}, Std: []float64{1, 4}}
	raw := []float32{0, 2, 4, 6, 8, 10}
	for _, c := range []struct {
		shape []int
		want  []float32
	}{
		{[]int{2, 1, 3}, []float32{-1, 0, 1, 0.25, 0.5, 0.75}},
		{[]int{2}, []float32{-1, -0.25, 1, 0.25, 3, 0.75}},
	} {
		q, err := p.resolve(1, c.shape)
		if err != nil {
			t.Fatal(err)
		}
		x := slices.Clone(raw)
		if bad := q.apply(x, c.shape); bad >= 0 || !slices.Equal(x, c.want) {
			t.Errorf("%v: %v (bad %d), want %v", c.shape, x, bad, c.want)
		}
		channels, size := channelLayout(c.shape)
		table := q.byteTable(channels)
		for i, v := range raw {
			if got := table[i/size%channels*256+int(v)]; got != c.want[i] {
				t.Errorf("%v: byte %v gives %v, want %v", c.shape, v, got, c.want[i])
			}
		}
	}
}

func TestPreprocessingRefusals(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, p := range []Preprocessing{
		{Scale: nan}, {Scale: inf}, {Mean: []float64{nan}}, {Std: []float64{nan}}, {Std: []float64{-1}},
		{Std: []float64{inf}}, {Mean: []float64{1, 2}}, {Std: []float64{1, 1, 1, 1}},
	} {
		if _, err := p.resolve(1, []int{3, 2, 2}); err == nil {
			t.Errorf("%+v was accepted", p)
		}
	}
}

// Raw undoes what at does, and bytes are known by their divisor.
func TestRawUndoesPreprocessing(t *testing.T) {
	for _, p := range []Preprocessing{
		{Scale: 1. / 255}, {Scale: 1}, {Scale: 0.3, Mean: []float64{0.1, 0.2, 0.7}}, {Scale: -2, Mean: []float64{4}, Std: []float64{0.5, 3, 7}},
	} {
		for ch := range 3 {
			for _, x := range []float64{-3, 0, 17, 255} {
				if got := p.Raw(p.at(x, ch), ch); !(math.Abs(got-x) <= 1e-12*255) {
					t.Errorf("%+v: %v in channel %d comes back as %v", p, x, ch, got)
				}
			}
		}
		if p.OfBytes() != (p.Scale == 1./255) {
			t.Errorf("%+v divides bytes: %v", p, p.OfBytes())
		}
	}
}
