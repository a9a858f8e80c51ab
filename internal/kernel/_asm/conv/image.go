package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// The gradient of a window's 4×4 pixels with three channels is six vectors, and
// so are the weights of an output for one position of its maximum: the patch with
// zeros around it.
const (
	windowVectors = 6
	windowBytes   = windowVectors * vector
	imagePixel    = 3 // elements
)

// spreadImage keeps the gradient of a window in registers, twice, so that pairs of
// outputs hide the latency. To leave out dead outputs, by lists of live ones as
// sortWindows makes them, is slower by a tenth. Windows share pixels, but to take
// every other one first, so that no load waits for a store, gains nothing.
func spreadImage() {
	begin("convSpreadImage", "func(dx *float32, w *float32, dy *float32, offset *int32, row int, n int, outs int, at int)",
		"convSpreadImage adds to dx, an image of three channels, the patches dy·w of n windows that lie side by side.",
		"w is [outs][4][4][4][3]: by the position of the maximum, a patch among the pixels of its window. outs is a multiple",
		"of 16; at is the offset of the first window, where dx starts; row is the distance between rows in bytes.")
	dx, dy, offset, n, row := param("dx"), param("dy"), param("offset"), param("n"), param("row")
	place, three, lower := AllocLocal(2*vector), AllocLocal(4), AllocLocal(4)
	// From the offset in the window, {0, 3} in the upper row and {row, row+3} below,
	// to that of the weights: 64 bytes an element, less what the row has too much.
	c := GP64()
	MOVL(U32(imagePixel), three)
	MOVQ(row, c)
	SHLQ(Imm(4), c)
	SUBQ(U32(2*windowBytes), c)
	MOVL(c.As32(), lower)

	Label("window")
	acc := ymms(2 * windowVectors)
	zero(acc)
	w, outs := param("w"), param("outs")
	Label("outputs")
	for half := range 2 {
		o, t := YMM(), YMM()
		VPBROADCASTD(address("at"), t)
		VMOVDQU(at(offset, half*vector), o)
		VPSUBD(t, o, o)
		VPBROADCASTD(three, t)
		VPCMPGTD(t, o, t)
		c := YMM()
		VPBROADCASTD(lower, c)
		VPAND(c, t, t)
		VPSLLD(Imm(6), o, o)
		VPSUBD(t, o, o)
		VMOVDQU(o, place.Offset(half*vector))
	}
	for i := range 16 {
		block, d := GP64(), YMM()
		MOVLQSX(place.Offset(4*i), block)
		ADDQ(w, block)
		VBROADCASTSS(at(dy, 4*i), d)
		for k := range windowVectors {
			VFMADD231PS(at(block, i*4*windowBytes+k*vector), d, acc[i%2*windowVectors+k])
		}
	}
	ADDQ(U32(16*4*windowBytes), w)
	ADDQ(Imm(64), dy)
	ADDQ(Imm(64), offset)
	SUBQ(Imm(16), outs)
	JNZ(LabelRef("outputs"))

	for k := range windowVectors {
		VADDPS(acc[windowVectors+k], acc[k], acc[k])
	}
	line := GP64()
	MOVQ(dx, line)
	for half := range 2 {
		// Three vectors are two rows of four pixels.
		v, top := acc[3*half:3*half+3], XMM()
		VEXTRACTF128(Imm(1), v[1], top)
		VADDPS(at(line, 0), v[0], v[0])
		VMOVUPS(v[0], at(line, 0))
		VADDPS(at(line, vector), v[1].AsX(), v[1].AsX())
		VMOVUPS(v[1].AsX(), at(line, vector))
		ADDQ(row, line)
		VADDPS(at(line, 0), top, top)
		VMOVUPS(top, at(line, 0))
		VADDPS(at(line, 16), v[2], v[2])
		VMOVUPS(v[2], at(line, 16))
		ADDQ(row, line)
	}
	// The next window is two pixels away.
	ADDQ(Imm(2*4*imagePixel), dx)
	ADDQ(Imm(2*imagePixel), address("at"))
	DECQ(n)
	JNZ(LabelRef("window"))
	end()
}
