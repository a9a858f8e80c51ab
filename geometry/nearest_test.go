package geometry

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
	"sobolev/internal/kernel"
)

const testMemory = 1 << 28

func generator(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// exactDistance is the distance with 200 bits: it shares no code with distance.
func exactDistance[P, Q kernel.Float](x []P, y []Q) float64 {
	sum := new(big.Float).SetPrec(200)
	for i := range x {
		d := new(big.Float).SetPrec(200).SetFloat64(float64(x[i]))
		d.Sub(d, new(big.Float).SetFloat64(float64(y[i])))
		sum.Add(sum, d.Mul(d, d))
	}
	r, _ := sum.Sqrt(sum).Float64()
	return r
}

// wanted is a neighbour of the oracle.
type wanted struct {
	r float64
	j int
}

func bruteForce[P, Q kernel.Float](x Points[P], q []Q, except int) []wanted {
	var all []wanted
	for j := range x.N {
		if j != except {
			all = append(all, wanted{exactDistance(x.X[j*x.D:(j+1)*x.D], q), j})
		}
	}
	slices.SortStableFunc(all, func(a, b wanted) int {
		switch {
		case a.r < b.r:
			return -1
		case a.r > b.r:
			return 1
		}
		return 0
	})
	return all
}

// checkNeighbors compares with the oracle: distances to rounding, and the point
// that is named has the distance that is claimed.
func checkNeighbors[P, Q kernel.Float](t interface{ Fatalf(string, ...any) }, got *Neighbors, x Points[P], q Points[Q], others bool) {
	for i := range q.N {
		except := -1
		if others {
			except = i
		}
		query := q.X[i*q.D : (i+1)*q.D]
		want := bruteForce(x, query, except)
		seen := map[int32]bool{}
		for l := range got.K {
			r, j := got.Distance[i*got.K+l], got.Index[i*got.K+l]
			if !(math.Abs(r-want[l].r) <= 1e-14*want[l].r) {
				t.Fatalf("query %d, neighbour %d: distance %v, want %v", i, l, r, want[l].r)
			}
			named := exactDistance(x.X[int(j)*x.D:(int(j)+1)*x.D], query)
			if seen[j] || int(j) == except || !(math.Abs(r-named) <= 1e-14*named) {
				t.Fatalf("query %d, neighbour %d: point %d is at %v, not %v", i, l, j, named, r)
			}
			seen[j] = true
			if l > 0 {
				if p := got.Distance[i*got.K+l-1]; p > r || p == r && got.Index[i*got.K+l-1] > j {
					t.Fatalf("query %d: neighbours %d and %d are out of order", i, l-1, l)
				}
			}
		}
	}
}

// hardPoints draws clusters of near-duplicates with exact duplicates among them,
// at some scale and some offset.
func hardPoints[T kernel.Float](n, d int, offset, scale, spread float64, random *rand.Rand) Points[T] {
	x := make([]T, n*d)
	for i := range n {
		from := i
		if i > 0 && random.IntN(3) > 0 {
			from = random.IntN(i)
		}
		duplicate := random.IntN(4) == 0
		for j := range d {
			switch {
			case from == i:
				x[i*d+j] = T(offset + scale*random.NormFloat64())
			case duplicate:
				x[i*d+j] = x[from*d+j]
			default:
				x[i*d+j] = T(float64(x[from*d+j]) + scale*spread*random.NormFloat64())
			}
		}
	}
	return Points[T]{N: n, D: d, X: x}
}

func drawHard[P, Q kernel.Float](t *rapid.T) (Points[P], Points[Q], *rand.Rand) {
	random := generator(rapid.Uint64().Draw(t, "seed"))
	d := rapid.IntRange(1, 40).Draw(t, "d")
	offset := rapid.SampledFrom([]float64{0, 1, 1e4, -1e7, 1e12}).Draw(t, "offset")
	scale := rapid.SampledFrom([]float64{1, 1e-3, 1e-30, 1e9}).Draw(t, "scale")
	spread := rapid.SampledFrom([]float64{0.1, 1e-4, 1e-7, 1e-12}).Draw(t, "spread")
	x := hardPoints[P](rapid.IntRange(3, 40).Draw(t, "n"), d, offset, scale, spread, random)
	q := hardPoints[Q](rapid.IntRange(1, 10).Draw(t, "m"), d, offset, scale, spread, random)
	for i := range q.N { // some queries are at or next to points
		if random.IntN(2) == 0 {
			from := random.IntN(x.N)
			for j := range d {
				q.X[i*d+j] = Q(x.X[from*d+j])
			}
		}
	}
	return x, q, random
}

func testNearest[P, Q kernel.Float](t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, q, random := drawHard[P, Q](t)
		k := 1 + random.IntN(min(x.N-1, 5))
		got, err := Nearest(x, q, k, testMemory)
		if err != nil {
			t.Fatal(err)
		}
		checkNeighbors(t, got, x, q, false)
		if got, err = NearestOthers(x, k, testMemory); err != nil {
			t.Fatal(err)
		}
		checkNeighbors(t, got, x, x, true)
	})
}

func TestNearestIsBruteForce(t *testing.T) {
	t.Run("float32", testNearest[float32, float32])
	t.Run("float64", testNearest[float64, float64])
	t.Run("mixed", testNearest[float32, float64])
}

// A count is that of the distances, with radii at, just below and just above a
// distance that occurs.
func TestCountWithinIsBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, q, random := drawHard[float32, float64](t)
		near, err := Nearest(x, q, x.N, testMemory)
		if err != nil {
			t.Fatal(err)
		}
		r := near.Distance[random.IntN(len(near.Distance))]
		for _, delta := range []float64{math.Nextafter(r, 0), r, 1.001 * r, 3 * r} {
			if !(delta > 0) {
				continue
			}
			counts, err := CountWithin(x, q, delta, testMemory)
			if err != nil {
				t.Fatal(err)
			}
			for i, count := range counts {
				want := 0
				for _, v := range near.Distance[i*x.N : (i+1)*x.N] {
					if v <= delta {
						want++
					}
				}
				if count != want {
					t.Fatalf("query %d, δ = %v: %d points, want %d", i, delta, count, want)
				}
			}
		}
	})
}

// Many blocks, whatever the memory: same bits, and those of float64 arithmetic.
func TestNearestDoesNotDependOnMemory(t *testing.T) {
	random := generator(3)
	x, q := gaussian[float32](1700, 30, random), gaussian[float32](150, 30, random)
	for i := range q.X {
		x.X[i] = x.X[i+900*30] // duplicates in other blocks
	}
	var want *Neighbors
	for _, memory := range []int64{400_000, 1 << 19, 1 << 30} {
		got, err := Nearest(x, q, 7, memory)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
			checkNeighbors(t, got, x, Points[float32]{N: 6, D: 30, X: q.X[:180]}, false)
		}
		if !slices.Equal(want.Distance, got.Distance) || !slices.Equal(want.Index, got.Index) {
			t.Errorf("other neighbours with %d bytes", memory)
		}
	}
	if _, err := Nearest(x, q, 7, 10_000); err == nil || !strings.Contains(err.Error(), "memory") {
		t.Errorf("10 kB of memory gave %v", err)
	}
}

// The products must stay inside of the margins that rule points out; were the
// margins useless, every point would be a candidate.
func TestMarginsHoldAndSeparate(t *testing.T) {
	for _, offset := range []float64{0, 1e4} {
		random := generator(5)
		x, q := hardPoints[float64](600, 300, offset, 1, 0.3, random), hardPoints[float64](64, 300, offset, 1, 0.3, random)
		outside, inside, doubt := 0, 0, 0
		vx, vq := view[float64]{points: x}, view[float64]{points: q}
		err := eachProducts(vx, vq, testMemory, func(i, from int, products []float32, m margin) {
			for j, p := range products {
				r := distance(vx.row(from+j), vq.row(i))
				if !(p >= m.reached(r)) || p > m.enough(math.Nextafter(r, 0)*(1-1e-9)) {
					t.Fatalf("product %v of distance %v is outside of %v … %v", p, r, m.reached(r), m.enough(r))
				}
				switch radius := 24.0; {
				case p < m.reached(radius):
					outside++
				case p > m.enough(radius):
					inside++
				default:
					doubt++
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if outside == 0 || inside == 0 || doubt > (outside+inside)/100 {
			t.Errorf("offset %g: %d outside, %d inside, %d in doubt", offset, outside, inside, doubt)
		}
	}
}

func TestNearestRefuses(t *testing.T) {
	good := Points[float64]{N: 3, D: 2, X: []float64{0, 0, 1, 1, 2, 2}}
	for name, c := range map[string]struct {
		x, q Points[float64]
		k    int
		want string
	}{
		"empty":      {Points[float64]{}, good, 1, "points: 0 points"},
		"no queries": {good, Points[float64]{D: 2}, 1, "queries: 0 points"},
		"dimension":  {good, Points[float64]{N: 2, D: 3, X: make([]float64, 6)}, 1, "points have dimension 2, queries 3"},
		"length":     {Points[float64]{N: 3, D: 2, X: make([]float64, 5)}, good, 1, "5 values for 3 points of dimension 2"},
		"NaN":        {Points[float64]{N: 2, D: 2, X: []float64{0, 1, math.NaN(), 3}}, good, 1, "coordinate 0 of point 1 is NaN"},
		"infinite":   {good, Points[float64]{N: 1, D: 2, X: []float64{0, math.Inf(-1)}}, 1, "coordinate 1 of point 0 is -Inf"},
		"k = 0":      {good, good, 0, "0 nearest of 3 points"},
		"k > n":      {good, good, 4, "4 nearest of 3 points"},
	} {
		if _, err := Nearest(c.x, c.q, c.k, testMemory); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := NearestOthers(Points[float64]{N: 1, D: 1, X: []float64{1}}, 1, testMemory); err == nil || !strings.Contains(err.Error(), "of 0 points") {
		t.Errorf("one point has a neighbour: %v", err)
	}
	for _, delta := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, err := CountWithin(good, good, delta, testMemory); err == nil || !strings.Contains(err.Error(), "δ") {
			t.Errorf("δ = %v: %v", delta, err)
		}
	}
}
