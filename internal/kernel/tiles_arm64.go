//go:build arm64 && !purego

package kernel

import "unsafe"

// What an architecture does in its own way: the shapes of the backward tiles and
// the search for zeros.

// Inputs of a backward tile of four and of five samples: the thirty-two
// registers hold the sums of twice as many as on amd64, so that a load feeds
// more multiply-adds and the chains cover the latency of four pipes.
const (
	inputsOfFour = 6
	inputsOfFive = 4
)

// backwardTile computes dx = dy·w for samples × inputs, whose numbers stand in
// index. The shapes are those of the switch.
func backwardTile[T Float](samples, inputs int, dx *T, sx int, dy *T, sy int, w *T, sw, panels int, index *uint16) {
	if is32[T]() {
		dx, dy, w := f32(dx), f32(dy), f32(w)
		switch samples<<4 | inputs {
		case 4<<4 | 6:
			backwardTile4x6x32(dx, sx, dy, sy, w, sw, panels, index)
		case 5<<4 | 4:
			backwardTile5x4x32(dx, sx, dy, sy, w, sw, panels, index)
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
		case 4<<4 | 6:
			backwardTile4x6x64(dx, sx, dy, sy, w, sw, panels, index)
		case 5<<4 | 4:
			backwardTile5x4x64(dx, sx, dy, sy, w, sw, panels, index)
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
// vectors of 32 bytes. It stays in Go, without branches: NEON has no movemask, and
// the list is little work beside the product that it shortens.
func liveIndex[T Float](index *uint16, x *T, sx, samples, n int) int {
	n *= lanes[T]()
	list := unsafe.Slice(index, n)
	last := (samples - 1) * sx
	rows := unsafe.Slice(x, last+n)
	a, b := rows[:n], rows[last:]
	count := 0
	for i := range a {
		list[count] = uint16(i)
		count += notZero(a[i]) | notZero(b[i])
	}
	return count
}

// liveMasks sets bit b of masks[i] where sample b of input i is not zero.
func liveMasks[T Float](masks *uint32, x *T, sx, samples, n int) {
	n *= lanes[T]()
	m := unsafe.Slice(masks, n)
	clear(m)
	rows := unsafe.Slice(x, (samples-1)*sx+n)
	for b := range samples {
		for i, v := range rows[b*sx:][:len(m)] {
			m[i] |= uint32(notZero(v)) << b
		}
	}
}

// notZero is 0 for either zero and 1 otherwise, a NaN included.
func notZero[T Float](v T) int {
	if is32[T]() {
		u := *(*uint32)(unsafe.Pointer(&v)) << 1
		return int((u | -u) >> 31)
	}
	u := *(*uint64)(unsafe.Pointer(&v)) << 1
	return int((u | -u) >> 63)
}
