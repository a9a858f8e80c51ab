//go:build (amd64 || arm64) && !purego

package kernel

import "unsafe"

// The functions below choose the assembly by element type; the choice is
// resolved when the generic function is compiled. Strides count elements.

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

func dotVectors[T Float](x, y *T, n int) T {
	if is32[T]() {
		var s [8]float32
		dot32(&s, f32(x), f32(y), n)
		return T((s[0] + s[1] + (s[2] + s[3])) + (s[4] + s[5] + (s[6] + s[7])))
	}
	var s [4]float64
	dot64(&s, f64(x), f64(y), n)
	return T(s[0] + s[1] + (s[2] + s[3]))
}

func evenPowerGroups[T Float](sums *[4]float64, x *T, n int) {
	if is32[T]() {
		evenPowers32(sums, f32(x), n)
	} else {
		evenPowers64(sums, f64(x), n)
	}
}
