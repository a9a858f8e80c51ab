package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const greater = 0x1e // ordered: a NaN is not greater

// forward holds the four pixels of a window times sixteen outputs in eight
// registers, so that ReLU and pooling cost one pass over registers, and every
// weight that is loaded serves four pixels.
func forward() {
	begin("convWindows", "func(y *float32, offset *int32, x *float32, w *float32, bias *float32, step *[4]int32, row int, pixel int, out int, n int, at int)",
		"convWindows computes 16 outputs of n pooling windows that lie side by side.",
		"step holds the offsets of the four patches in a window, in elements; at is the offset of the first window;",
		"row, pixel and out are the distances between rows and pixels of x and pixels of y, in bytes.")
	y, offset, x := param("y"), param("offset"), param("x")
	row, pixel, n, start := param("row"), param("pixel"), param("n"), param("at")

	Label("window")
	acc := ymms(8) // [pixel][half]
	w, bias := param("w"), param("bias")
	for half := range 2 {
		VMOVUPS(at(bias, half*vector), acc[half])
	}
	for q := 1; q < 4; q++ {
		VMOVAPS(acc[0], acc[2*q])
		VMOVAPS(acc[1], acc[2*q+1])
	}
	upper, ky, k := GP64(), GP64(), GP64()
	MOVQ(x, upper)
	MOVQ(U32(3), ky)
	Label("line")
	// A row of a patch is 3·channels elements: as many rounds of three as there
	// are channels.
	a, b := GP64(), GP64()
	MOVQ(upper, a)
	ADDQ(row, upper)
	MOVQ(upper, b)
	MOVQ(pixel, k)
	SHRQ(Imm(2), k)
	Label("three")
	for i := range 3 {
		w0, w1 := YMM(), YMM()
		VMOVUPS(at(w, i*64), w0)
		VMOVUPS(at(w, i*64+vector), w1)
		for q, m := range []Mem{at(a, 4*i), indexed(a, pixel, 1, 4*i), at(b, 4*i), indexed(b, pixel, 1, 4*i)} {
			v := YMM()
			VBROADCASTSS(m, v)
			VFMADD231PS(w0, v, acc[2*q])
			VFMADD231PS(w1, v, acc[2*q+1])
		}
	}
	ADDQ(Imm(192), w)
	ADDQ(Imm(12), a)
	ADDQ(Imm(12), b)
	DECQ(k)
	JNZ(LabelRef("three"))
	DECQ(ky)
	JNZ(LabelRef("line"))

	step, base := param("step"), YMM()
	VMOVD(start.As32(), base.AsX())
	VPBROADCASTD(base.AsX(), base)
	for half := range 2 {
		v := [4]reg.VecVirtual{acc[half], acc[2+half], acc[4+half], acc[6+half]}
		pool(v, base, step, at(y, half*vector), at(offset, half*vector))
	}
	ADDQ(address("out"), y)
	ADDQ(address("out"), offset)
	LEAQ(indexed(x, pixel, 2, 0), x)
	MOVQ(pixel, k)
	SHRQ(Imm(1), k)
	ADDQ(k, start)
	DECQ(n)
	JNZ(LabelRef("window"))
	end()
}

// pool stores the ReLU of the maximum of four pixels and its offset, base plus a
// step; the first pixel wins unless another one is greater.
func pool(v [4]reg.VecVirtual, base reg.VecVirtual, step reg.GPVirtual, y, offset Mem) {
	best := func(q int) (where reg.VecVirtual) {
		m, lower, higher := YMM(), YMM(), YMM()
		VPBROADCASTD(at(step, 4*q), lower)
		VPBROADCASTD(at(step, 4*q+4), higher)
		VCMPPS(Imm(greater), v[q], v[q+1], m)
		VMAXPS(v[q], v[q+1], v[q])
		VBLENDVPS(m, higher, lower, lower)
		return lower
	}
	upper, lower := best(0), best(2)
	m, none := YMM(), YMM()
	VCMPPS(Imm(greater), v[0], v[2], m)
	VMAXPS(v[0], v[2], v[0])
	VBLENDVPS(m, lower, upper, upper)
	VPADDD(base, upper, upper)
	VXORPS(none, none, none)
	VMAXPS(v[0], none, v[0])
	VMOVUPS(v[0], y)
	VMOVDQU(upper, offset)
}
