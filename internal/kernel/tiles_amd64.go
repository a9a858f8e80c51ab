//go:build amd64 && !purego

package kernel

import "unsafe"

// The functions below choose the assembly by element type; the choice is
// resolved when the generic function is compiled. Strides count elements.

const vectorBytes = 32

func is32[T Float]() bool { return unsafe.Sizeof(*new(T)) == 4 }

func f32[T Float](p *T) *float32 { return (*float32)(unsafe.Pointer(p)) }
func f64[T Float](p *T) *float64 { return (*float64)(unsafe.Pointer(p)) }

// forwardTile computes y = init + x·w for four samples × one panel.
func forwardTile[T Float](y *T, sy int, x *T, sx int, w *T, n int, init *T, si int, relu bool) {
	if is32[T]() {
		forwardTile32(f32(y), sy, f32(x), sx, f32(w), n, f32(init), si, relu)
	} else {
		forwardTile64(f64(y), sy, f64(x), sx, f64(w), n, f64(init), si, relu)
	}
}

// forwardLive computes y = init + x·w for groups of samples × panels over the
// inputs that the lists live name. The shapes are those of the switch.
func forwardLive[T Float](samples, panels int, y *T, sy int, x *T, sx int, w *T, sw int, live *uint16, sl int, count *int, groups int, init *T, si int, relu bool) {
	if is32[T]() {
		y, x, w, init := f32(y), f32(x), f32(w), f32(init)
		switch samples<<4 | panels {
		case 2<<4 | 2:
			forwardLive2x2x32(y, sy, x, sx, w, sw, live, sl, count, groups, init, si, relu)
		case 2<<4 | 1:
			forwardLive2x1x32(y, sy, x, sx, w, sw, live, sl, count, groups, init, si, relu)
		case 1<<4 | 2:
			forwardLive1x2x32(y, sy, x, sx, w, sw, live, sl, count, groups, init, si, relu)
		case 1<<4 | 1:
			forwardLive1x1x32(y, sy, x, sx, w, sw, live, sl, count, groups, init, si, relu)
		}
		return
	}
	{
		y, x, w, init := f64(y), f64(x), f64(w), f64(init)
		switch samples<<4 | panels {
		case 2<<4 | 2:
			forwardLive2x2x64(y, sy, x, sx, w, sw, live, sl, count, groups, init, si, relu)
		case 2<<4 | 1:
			forwardLive2x1x64(y, sy, x, sx, w, sw, live, sl, count, groups, init, si, relu)
		case 1<<4 | 2:
			forwardLive1x2x64(y, sy, x, sx, w, sw, live, sl, count, groups, init, si, relu)
		case 1<<4 | 1:
			forwardLive1x1x64(y, sy, x, sx, w, sw, live, sl, count, groups, init, si, relu)
		}
	}
}

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

// updateTile adds xᵀ·delta of n samples to groups times four inputs of a panel.
func updateTile[T Float](w, x *T, sx int, delta *T, n, groups int) {
	if is32[T]() {
		updateTile32(f32(w), f32(x), sx, f32(delta), n, groups)
	} else {
		updateTile64(f64(w), f64(x), sx, f64(delta), n, groups)
	}
}

// updateLive adds x·delta to panels panels for the samples in the masks.
func updateLive[T Float](panels int, w *T, sw int, x *T, sx int, delta *T, live *uint32, inputs int) {
	if is32[T]() {
		w, x, delta := f32(w), f32(x), f32(delta)
		switch panels {
		case 1:
			updateRow1x32(w, sw, x, sx, delta, live, inputs)
		case 2:
			updateRow2x32(w, sw, x, sx, delta, live, inputs)
		default:
			updateRow3x32(w, sw, x, sx, delta, live, inputs)
		}
		return
	}
	{
		w, x, delta := f64(w), f64(x), f64(delta)
		switch panels {
		case 1:
			updateRow1x64(w, sw, x, sx, delta, live, inputs)
		case 2:
			updateRow2x64(w, sw, x, sx, delta, live, inputs)
		default:
			updateRow3x64(w, sw, x, sx, delta, live, inputs)
		}
	}
}

// packDelta writes alpha·dy of one panel to dst and adds it to bias.
func packDelta[T Float](dst *T, sd int, bias, dy *T, sy int, alpha T, n int) {
	if is32[T]() {
		packDelta32(f32(dst), sd, f32(bias), f32(dy), sy, float32(alpha), n)
	} else {
		packDelta64(f64(dst), sd, f64(bias), f64(dy), sy, float64(alpha), n)
	}
}

// gateVectors sets dx to zero where gate is not positive.
func gateVectors[T Float](dx, gate *T, n int) {
	if is32[T]() {
		gate32(f32(dx), f32(gate), n)
	} else {
		gate64(f64(dx), f64(gate), n)
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

func axpyVectors[T Float](y *T, a T, x *T, n int) {
	if is32[T]() {
		axpy32(f32(y), float32(a), f32(x), n)
	} else {
		axpy64(f64(y), float64(a), f64(x), n)
	}
}

func scaleVectors[T Float](x *T, a T, n int) {
	if is32[T]() {
		scale32(f32(x), float32(a), n)
	} else {
		scale64(f64(x), float64(a), n)
	}
}

func evenPowerGroups[T Float](sums *[4]float64, x *T, n int) {
	if is32[T]() {
		evenPowers32(sums, f32(x), n)
	} else {
		evenPowers64(sums, f64(x), n)
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
