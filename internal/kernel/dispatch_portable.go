//go:build (!amd64 && !arm64) || purego

package kernel

// No tiles in assembly here: the functions below are never called.
const (
	simd     = false
	haveSIMD = false
	simdName = "none"
)

const unreachable = "kernel: no assembly on this platform"

func (w *Weights[T]) forwardTiled(y, x, bias []T, batch int, relu bool) { panic(unreachable) }
func (w *Weights[T]) backwardTiled(dx, dy, gate []T, batch int)         { panic(unreachable) }
func (w *Weights[T]) updateTiled(alpha T, dy, x, bias []T, batch int)   { panic(unreachable) }

func forwardTile[T Float](y *T, sy int, x *T, sx int, w *T, n int, init *T, si int, relu bool) {
	panic(unreachable)
}
func axpyVectors[T Float](y *T, a T, x *T, n int)            { panic(unreachable) }
func scaleVectors[T Float](x *T, a T, n int)                 { panic(unreachable) }
func dotVectors[T Float](x, y *T, n int) T                   { panic(unreachable) }
func evenPowerGroups[T Float](sums *[4]float64, x *T, n int) { panic(unreachable) }
func fmaPeak32(n int)                                        { panic(unreachable) }
func fmaPeak64(n int)                                        { panic(unreachable) }
