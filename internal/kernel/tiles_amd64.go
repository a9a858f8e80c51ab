//go:build amd64 && !purego

package kernel

// What an architecture does in its own way: the shapes of the backward tiles and
// the search for zeros.

// Inputs of a backward tile of four and of five samples: as many as the sixteen
// registers hold.
const (
	inputsOfFour = 3
	inputsOfFive = 2
)

// backwardTile computes dx = dy·w for samples × inputs, whose numbers stand in
// index. The shapes are those of the switch.
func backwardTile[T Float](samples, inputs int, dx *T, sx int, dy *T, sy int, w *T, sw, panels int, index *uint16) {
	if is32[T]() {
		dx, dy, w := f32(dx), f32(dy), f32(w)
		switch samples<<4 | inputs {
		case 4<<4 | 3:
			backwardTile4x3x32(dx, sx, dy, sy, w, sw, panels, index)
		case 5<<4 | 2:
			backwardTile5x2x32(dx, sx, dy, sy, w, sw, panels, index)
		case 2<<4 | 6:
			backwardTile2x6x32(dx, sx, dy, sy, w, sw, panels, index)
		case 2<<4 | 5:
			backwardTile2x5x32(dx, sx, dy, sy, w, sw, panels, index)
		case 2<<4 | 4:
			backwardTile2x4x32(dx, sx, dy, sy, w, sw, panels, index)
		case 1<<4 | 8:
			backwardTile1x8x32(dx, sx, dy, sy, w, sw, panels, index)
		case 1<<4 | 4:
			backwardTile1x4x32(dx, sx, dy, sy, w, sw, panels, index)
		}
		return
	}
	{
		dx, dy, w := f64(dx), f64(dy), f64(w)
		switch samples<<4 | inputs {
		case 4<<4 | 3:
			backwardTile4x3x64(dx, sx, dy, sy, w, sw, panels, index)
		case 5<<4 | 2:
			backwardTile5x2x64(dx, sx, dy, sy, w, sw, panels, index)
		case 2<<4 | 6:
			backwardTile2x6x64(dx, sx, dy, sy, w, sw, panels, index)
		case 2<<4 | 5:
			backwardTile2x5x64(dx, sx, dy, sy, w, sw, panels, index)
		case 2<<4 | 4:
			backwardTile2x4x64(dx, sx, dy, sy, w, sw, panels, index)
		case 1<<4 | 8:
			backwardTile1x8x64(dx, sx, dy, sy, w, sw, panels, index)
		case 1<<4 | 4:
			backwardTile1x4x64(dx, sx, dy, sy, w, sw, panels, index)
		}
	}
}

// liveIndex lists the inputs that are not zero in one of the samples, among n
// vectors.
func liveIndex[T Float](index *uint16, x *T, sx, samples, n int) int {
	if is32[T]() {
		return liveIndex32(index, f32(x), sx, samples, n, &bitPositions[0])
	}
	return liveIndex64(index, f64(x), sx, samples, n, &bitPositions[0])
}

// liveMasks sets bit b of masks[i] where sample b of input i is not zero.
func liveMasks[T Float](masks *uint32, x *T, sx, samples, n int) {
	if is32[T]() {
		liveMasks32(masks, f32(x), sx, samples, n)
	} else {
		liveMasks64(masks, f64(x), sx, samples, n)
	}
}

// bitPositions[m] lists the positions of the bits of m, a byte each, from the
// least significant byte on.
var bitPositions = func() (t [256]uint64) {
	for m := range t {
		shift := 0
		for bit := range 8 {
			if m>>bit&1 == 1 {
				t[m] |= uint64(bit) << shift
				shift += 8
			}
		}
	}
	return t
}()
