package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// overPatches loops over outputs, samples and windows. It calls head before the
// samples of a group of outputs, visit for each window, and tail after them;
// visit gets a function that sets up output i of the group: the broadcast delta
// and the addresses of the nine pixels.
func overPatches(image string, group int, head, tail func(), visit func(patch func(i int) (reg.VecVirtual, []Mem))) {
	x, row, pixel, stride := GP64(), param("row"), param("pixel"), param("stride")
	dy, offset, n, samples, output := GP64(), GP64(), GP64(), GP64(), GP64()
	XORQ(output, output)
	Label("output")
	head()
	MOVQ(address("dy"), dy)
	ADDQ(output, dy)
	MOVQ(address("offset"), offset)
	ADDQ(output, offset)
	MOVQ(address(image), x)
	MOVQ(address("samples"), samples)
	Label("sample")
	MOVQ(address("windows"), n)
	Label("patch")
	visit(func(i int) (reg.VecVirtual, []Mem) {
		d := YMM()
		rows := [3]reg.GPVirtual{GP64(), GP64(), GP64()}
		MOVLQSX(at(offset, 4*i), rows[0])
		LEAQ(indexed(x, rows[0], 4, 0), rows[0])
		LEAQ(indexed(rows[0], row, 1, 0), rows[1])
		LEAQ(indexed(rows[0], row, 2, 0), rows[2])
		VBROADCASTSS(at(dy, 4*i), d)
		var m []Mem
		for _, r := range rows {
			m = append(m, at(r, 0), indexed(r, pixel, 1, 0), indexed(r, pixel, 2, 0))
		}
		return d, m
	})
	ADDQ(stride, dy)
	ADDQ(stride, offset)
	DECQ(n)
	JNZ(LabelRef("patch"))
	ADDQ(address("image"), x)
	DECQ(samples)
	JNZ(LabelRef("sample"))
	tail()
	ADDQ(Imm(uint64(4*group)), output)
	SUBQ(Imm(uint64(group)), address("outs"))
	JNZ(LabelRef("output"))
	end()
}

const patchArgs = "dy *float32, offset *int32, stride int, row int, pixel int, image int, windows int, samples int, outs int)"

const patchDoc = "dy and offset have stride bytes from window to window; row, pixel and image are the distances in the images in bytes."

// patches8 keeps the gradient of one output for eight channels in nine
// registers: 11 loads for 9 multiply-adds.
func patches8() {
	begin("convPatches8", "func(sum *float32, alpha float32, x *float32, "+patchArgs,
		"convPatches8 adds alpha·Σ dy·patch to sum, [outs][3][3][8], over the windows of all samples.", patchDoc)
	g := param("sum")
	acc := ymms(9)
	overPatches("x", 1, func() { zero(acc) }, func() {
		alpha := YMM()
		VBROADCASTSS(address("alpha"), alpha)
		for tap, a := range acc {
			t := YMM()
			VMOVUPS(at(g, tap*vector), t)
			VFMADD231PS(alpha, a, t)
			VMOVUPS(t, at(g, tap*vector))
		}
		ADDQ(U32(9*vector), g)
	}, func(patch func(int) (reg.VecVirtual, []Mem)) {
		d, m := patch(0)
		for tap, a := range acc {
			VFMADD231PS(m[tap], d, a)
		}
	})
}

// patches3 does the same for three channels: a row of a patch is nine adjacent
// elements, a vector and one more. Two outputs at a time hide the latency. Pixels of
// four channels, with or without half vectors, are no faster.
func patches3() {
	begin("convPatches3", "func(sum *float32, alpha float32, x *float32, "+patchArgs,
		"convPatches3 adds alpha·Σ dy·patch to sum, [outs][3][9], over the windows of all samples; outs is even.", patchDoc)
	g := param("sum")
	acc, last := ymms(6), ymms(6)
	overPatches("x", 2, func() { zero(acc); zero(last) }, func() {
		alpha := YMM()
		VBROADCASTSS(address("alpha"), alpha)
		for i := range acc {
			t, s := YMM(), XMM()
			VMOVUPS(at(g, i*36), t)
			VMOVSS(at(g, i*36+32), s)
			VFMADD231PS(alpha, acc[i], t)
			VFMADD231SS(alpha.AsX(), last[i].AsX(), s)
			VMOVUPS(t, at(g, i*36))
			VMOVSS(s, at(g, i*36+32))
		}
		ADDQ(U32(2*27*4), g)
	}, func(patch func(int) (reg.VecVirtual, []Mem)) {
		for i := range 2 {
			d, m := patch(i)
			for r := range 3 {
				p := m[3*r]
				VFMADD231PS(p, d, acc[3*i+r])
				p.Disp += vector
				VFMADD231SS(p, d.AsX(), last[3*i+r].AsX())
			}
		}
	})
}

// columnSums adds up the deltas of eight outputs, for the bias.
func columnSums() {
	begin("convColumnSums", "func(sum *float32, alpha float32, dy *float32, stride int, n int, vectors int)",
		"convColumnSums adds alpha·Σ dy over n rows, stride bytes apart, to sum; columns are counted in vectors of eight.")
	sum, stride, vectors := param("sum"), param("stride"), param("vectors")
	alpha := YMM()
	VBROADCASTSS(address("alpha"), alpha)
	Label("column")
	acc := ymms(4)
	zero(acc)
	dy, n := param("dy"), param("n")
	ADDQ(Imm(vector), address("dy"))
	SUBQ(Imm(4), n)
	JLT(LabelRef("few"))
	stride3 := GP64()
	LEAQ(indexed(stride, stride, 2, 0), stride3)
	Label("four")
	for i, m := range []Mem{at(dy, 0), indexed(dy, stride, 1, 0), indexed(dy, stride, 2, 0), indexed(dy, stride3, 1, 0)} {
		VADDPS(m, acc[i], acc[i])
	}
	LEAQ(indexed(dy, stride, 4, 0), dy)
	SUBQ(Imm(4), n)
	JGE(LabelRef("four"))
	Label("few")
	ADDQ(Imm(4), n)
	JZ(LabelRef("store"))
	Label("one")
	VADDPS(at(dy, 0), acc[0], acc[0])
	ADDQ(stride, dy)
	DECQ(n)
	JNZ(LabelRef("one"))
	Label("store")
	VADDPS(acc[1], acc[0], acc[0])
	VADDPS(acc[3], acc[2], acc[2])
	VADDPS(acc[2], acc[0], acc[0])
	VFMADD213PS(at(sum, 0), alpha, acc[0])
	VMOVUPS(acc[0], at(sum, 0))
	ADDQ(Imm(vector), sum)
	DECQ(vectors)
	JNZ(LabelRef("column"))
	end()
}
