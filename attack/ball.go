package attack

import (
	"fmt"
	"math"
	"math/rand/v2"

	"sobolev/internal/kernel"
)

// Norm is the norm of a ball of inputs.
type Norm int

const (
	L2 Norm = iota
	LInf
)

func (n Norm) String() string { return [...]string{"l2", "linf"}[n] }

// Ball is the neighbourhood ‖x − x_i‖ ≤ Radius of an input, without what lies
// outside of Box where there is one.
type Ball struct {
	Norm   Norm
	Radius float64
	Box    *Box
}

// Box is the set of valid inputs: every coordinate is in Lo … Hi.
type Box struct{ Lo, Hi float64 }

// String names the ball, as a label of results.
func (b Ball) String() string {
	if b.Box == nil {
		return fmt.Sprintf("%v, δ = %v", b.Norm, b.Radius)
	}
	return fmt.Sprintf("%v, δ = %v, coordinates in [%v, %v]", b.Norm, b.Radius, b.Box.Lo, b.Box.Hi)
}

// mostRadius is far from where squares of distances leave float64.
const mostRadius = 1e100

func (b Ball) check() error {
	switch {
	case b.Norm != L2 && b.Norm != LInf:
		return fmt.Errorf("ball: unknown norm %d", int(b.Norm))
	case !(b.Radius >= 0 && b.Radius <= mostRadius):
		return fmt.Errorf("ball: radius %v; need one from 0 to %v", b.Radius, mostRadius)
	case b.Box != nil && !(b.Box.Lo <= b.Box.Hi):
		return fmt.Errorf("ball: a box from %v to %v", b.Box.Lo, b.Box.Hi)
	}
	return nil
}

// checkCentres says which of the inputs, n×d, is not finite or not in the box.
func checkCentres[T kernel.Float](b Ball, x []T, d int) error {
	if len(x) == 0 || len(x)%d != 0 {
		return fmt.Errorf("inputs: %d values; need samples of %d", len(x), d)
	}
	for j, v := range x {
		if v := float64(v); math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("inputs: coordinate %d of sample %d is %v", j%d, j/d, v)
		}
		if b.Box != nil && !(float64(v) >= b.Box.Lo && float64(v) <= b.Box.Hi) {
			return fmt.Errorf("inputs: coordinate %d of sample %d is %v, outside of the box [%v, %v]", j%d, j/d, v, b.Box.Lo, b.Box.Hi)
		}
	}
	return nil
}

// Contains says whether x is in the ball around centre, in float64.
func Contains[T kernel.Float](b Ball, centre, x []T) bool {
	if !(distance(b.Norm, centre, x) <= b.Radius) {
		return false
	}
	if b.Box == nil {
		return true
	}
	for _, v := range x {
		if !(float64(v) >= b.Box.Lo && float64(v) <= b.Box.Hi) {
			return false
		}
	}
	return true
}

func distance[T kernel.Float](norm Norm, a, b []T) float64 {
	sum, largest := 0.0, 0.0
	for j, v := range a {
		p := math.Abs(float64(b[j]) - float64(v))
		sum += p * p
		largest = max(largest, p)
	}
	if norm == LInf {
		return largest
	}
	return math.Sqrt(sum)
}

// place sets x to the point of the ball that centre + offset is projected to. With
// a box the ball comes first: centre is in the box, so that the box only shortens
// what is left of offset. The projection on the intersection of both it is not.
// Rounding to T never leads out of the ball.
func place[T kernel.Float](b Ball, x, centre []T, offset []float64) {
	if b.Norm == LInf {
		for j, p := range offset {
			x[j] = within(b, centre[j], min(max(p, -b.Radius), b.Radius))
		}
		return
	}
	scale := 1.0
	if norm := norm2(offset); norm > b.Radius {
		scale = b.Radius / norm
	}
	for shrink := 0x1p-53; shrink < 1; shrink *= 4 {
		for j, p := range offset {
			x[j] = clip(b, T(float64(centre[j])+scale*p))
		}
		if distance(L2, centre, x) <= b.Radius {
			return
		}
		scale *= 1 - shrink
	}
	copy(x, centre)
}

// within returns centre + p, |p| ≤ Radius, rounded towards centre if need be.
func within[T kernel.Float](b Ball, centre T, p float64) T {
	x := T(float64(centre) + p)
	for shrink := 0x1p-53; math.Abs(float64(x)-float64(centre)) > b.Radius; shrink *= 4 {
		if shrink >= 1 {
			return centre
		}
		p *= 1 - shrink
		x = T(float64(centre) + p)
	}
	return clip(b, x)
}

// clip returns the coordinate of the box next to x. The bounds of the box are
// rounded to T inwards.
func clip[T kernel.Float](b Ball, x T) T {
	if b.Box == nil {
		return x
	}
	if float64(x) < b.Box.Lo {
		return inwards[T](b.Box.Lo, math.Inf(1))
	}
	if float64(x) > b.Box.Hi {
		return inwards[T](b.Box.Hi, math.Inf(-1))
	}
	return x
}

// inwards rounds v to T in the given direction.
func inwards[T kernel.Float](v, direction float64) T {
	r := T(v)
	if (direction > 0 && float64(r) < v) || (direction < 0 && float64(r) > v) {
		if _, single := any(r).(float32); single {
			return T(math.Nextafter32(float32(r), float32(direction)))
		}
	}
	return r
}

func norm2(v []float64) float64 {
	sum := 0.0
	for _, p := range v {
		sum += p * p
	}
	return math.Sqrt(sum)
}

// draw sets offset to a point that is uniform in the ball, before any box.
func (b Ball) draw(offset []float64, rng *rand.Rand) {
	if b.Norm == LInf {
		for j := range offset {
			offset[j] = b.Radius * (2*rng.Float64() - 1)
		}
		return
	}
	for j := range offset {
		offset[j] = rng.NormFloat64()
	}
	scale := b.Radius * math.Pow(rng.Float64(), 1/float64(len(offset)))
	if norm := norm2(offset); norm > 0 {
		scale /= norm
	}
	for j := range offset {
		offset[j] *= scale
	}
}

// ascent adds to offset length times the unit vector of the ball's norm along
// which a function with the given gradient grows fastest, g/‖g‖₂ or sign(g), and
// says whether there is one.
func ascent[T kernel.Float](b Ball, offset []float64, gradient []T, length float64) bool {
	if b.Norm == LInf {
		moved := false
		for j, g := range gradient {
			if g != 0 {
				offset[j] += math.Copysign(length, float64(g))
				moved = true
			}
		}
		return moved
	}
	largest := 0.0
	for _, g := range gradient {
		largest = max(largest, math.Abs(float64(g)))
	}
	if largest == 0 {
		return false
	}
	sum := 0.0
	for _, g := range gradient {
		v := float64(g) / largest
		sum += v * v
	}
	scale := length / math.Sqrt(sum) / largest
	for j, g := range gradient {
		offset[j] += scale * float64(g)
	}
	return true
}
