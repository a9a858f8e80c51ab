package dataset

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Preprocessing maps raw inputs to x' = (x·Scale − Mean)/Std.
//
// Mean and Std are in units of the scaled input and belong to channels: one
// value for all of them, or one a channel (images) or a coordinate (vectors).
type Preprocessing struct {
	Scale float64   // 0: the data set's default, 1/255 for images and 1 for the rest
	Mean  []float64 // empty: 0
	Std   []float64 // empty: 1
}

// String is the formula that is recorded with every result: "x", "x/255",
// "(x/255 - 0.286)/0.353", with lists in brackets for several channels. A
// Scale that is still to be filled in reads "x·default".
func (p Preprocessing) String() string {
	s := "x"
	switch divisor, whole := wholeInverse(p.Scale); {
	case p.Scale == 0:
		s = "x·default"
	case p.Scale == 1:
	case whole:
		s = "x/" + strconv.FormatFloat(divisor, 'g', -1, 64)
	default:
		s = "x·" + strconv.FormatFloat(p.Scale, 'g', -1, 64)
	}
	if len(p.Mean) > 0 {
		s += " - " + formatChannels(p.Mean)
	}
	if len(p.Std) > 0 {
		if s != "x" {
			s = "(" + s + ")"
		}
		s += "/" + formatChannels(p.Std)
	}
	return s
}

func formatChannels(v []float64) string {
	parts := make([]string, len(v))
	for i, x := range v {
		parts[i] = strconv.FormatFloat(x, 'g', -1, 64)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// wholeInverse reports whether scale is the float64 nearest to 1/k for a whole
// number k > 1, and returns k.
func wholeInverse(scale float64) (float64, bool) {
	if !(scale > 0 && scale < 1 && scale > 1e-9) {
		return 0, false
	}
	k := math.Round(1 / scale)
	return k, 1/k == scale
}

// resolve fills in the default scale and checks the values against the shape
// of one input.
func (p Preprocessing) resolve(defaultScale float64, shape []int) (Preprocessing, error) {
	if p.Scale == 0 {
		p.Scale = defaultScale
	}
	if !(math.Abs(p.Scale) <= math.MaxFloat32) {
		return p, badRequest("preprocess.scale", "%v is not a finite number", p.Scale)
	}
	channels, _ := channelLayout(shape)
	for _, v := range []struct {
		key    string
		values []float64
	}{{"mean", p.Mean}, {"std", p.Std}} {
		if n := len(v.values); n > 1 && n != channels {
			right := "give 1"
			if channels > 1 {
				right = fmt.Sprintf("give 1 or %d", channels)
			}
			return p, badRequest("preprocess."+v.key, "%d values for inputs of shape %v; %s", n, shape, right)
		}
		for _, x := range v.values {
			if !(math.Abs(x) <= math.MaxFloat32) {
				return p, badRequest("preprocess."+v.key, "%v is not a finite number", x)
			}
			if v.key == "std" && !(x > 0) {
				return p, badRequest("preprocess.std", "%v is not positive", x)
			}
		}
	}
	return p, nil
}

// channelLayout returns the number of channels of one input and the number of
// values in each: an image's planes, or a vector's coordinates.
func channelLayout(shape []int) (channels, size int) {
	if len(shape) == 3 {
		return shape[0], shape[1] * shape[2]
	}
	channels, size = 1, 1
	for _, k := range shape {
		channels *= k
	}
	return channels, size
}

// scaled computes x·Scale. Dividing by 255 and not multiplying by the rounded
// 1/255 makes the float32 result the correctly rounded quotient.
func (p Preprocessing) scaled(x float64) float64 {
	if k, whole := wholeInverse(p.Scale); whole {
		return x / k
	}
	return x * p.Scale
}

// at maps one raw value of channel ch; p is resolved.
func (p Preprocessing) at(x float64, ch int) float64 {
	x = p.scaled(x)
	if len(p.Mean) > 0 {
		x -= p.Mean[min(ch, len(p.Mean)-1)]
	}
	if len(p.Std) > 0 {
		x /= p.Std[min(ch, len(p.Std)-1)]
	}
	return x
}

// Raw returns the raw value of channel ch that p maps to x; p is what a Set has, with
// its defaults filled in.
func (p Preprocessing) Raw(x float64, ch int) float64 {
	if len(p.Std) > 0 {
		x *= p.Std[min(ch, len(p.Std)-1)]
	}
	if len(p.Mean) > 0 {
		x += p.Mean[min(ch, len(p.Mean)-1)]
	}
	return x / p.Scale
}

// OfBytes reports whether a resolved p divides by 255, as it is done to bytes.
func (p Preprocessing) OfBytes() bool {
	divisor, whole := wholeInverse(p.Scale)
	return whole && divisor == 255
}

// identity reports whether a resolved p changes nothing.
func (p Preprocessing) identity() bool {
	return p.Scale == 1 && len(p.Mean) == 0 && len(p.Std) == 0
}

// apply maps the n×d values x of inputs of the given shape in place; p is
// resolved. It returns the flat position of the first result that is not a
// finite float32, or −1.
func (p Preprocessing) apply(x []float32, shape []int) int {
	if p.identity() {
		return -1
	}
	channels, size := channelLayout(shape)
	bad := -1
	for i := range x {
		v := float32(p.at(float64(x[i]), i/size%channels))
		if bad < 0 && !(math.Abs(float64(v)) <= math.MaxFloat32) {
			bad = i
		}
		x[i] = v
	}
	return bad
}

// Preprocess maps the inputs of a set that has none yet, with the scale 1 for
// default. Mean and Std belong to the channels of the set's Shape; what does not fit
// is a [RequestError].
func (s *Set) Preprocess(p Preprocessing) error {
	p, err := p.resolve(1, s.Shape)
	if err != nil {
		return err
	}
	if bad := p.apply(s.X, s.Shape); bad >= 0 {
		d := s.Inputs()
		return badRequest("preprocess", "%v gives a value outside of float32 at input %d of sample %d", p, bad%d, bad/d)
	}
	s.Preprocessing = p
	return nil
}

// byteTable returns channels×256 preprocessed values, one for each possible
// byte of each channel; p is resolved.
func (p Preprocessing) byteTable(channels int) []float32 {
	t := make([]float32, channels*256)
	for i := range t {
		t[i] = float32(p.at(float64(i%256), i/256))
	}
	return t
}
