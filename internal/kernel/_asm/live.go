package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

const notEqual = 4 // unordered: a NaN is live

// liveIndex lists the positions of the nonzero elements, a whole vector at a
// time and without a branch.
func liveIndex(e element) {
	e.begin("liveIndex", "func(index *uint16, x *T, sx int, samples int, n int, table *uint64) int",
		"liveIndex"+e.suffix+" lists the inputs, among n vectors of 32 bytes, that are not zero in one of the samples, and returns how many.",
		"table[m] holds the positions of the bits of m, a byte each. Up to eight elements behind the list are overwritten.")
	index, x, n, table := param("index"), param("x"), param("n"), param("table")
	sx := e.bytes("sx")
	start := GP64()
	MOVQ(index, start)
	zero, base, step := YMM(), XMM(), XMM()
	e.xor(zero, zero, zero)
	VPXOR(base, base, base)
	lanes := GP32()
	MOVL(U32(uint32(e.lanes)), lanes)
	VMOVD(lanes, step)
	VPBROADCASTW(step, step)
	Label("loop")
	any, t, bits, list := YMM(), YMM(), GP64(), XMM()
	xp, samples := GP64(), param("samples")
	MOVQ(x, xp)
	VPXOR(any, any, any)
	Label("sample")
	e.compare(Imm(notEqual), at(xp, 0), zero, t)
	VPOR(t, any, any)
	ADDQ(sx, xp)
	DECQ(samples)
	JNZ(LabelRef("sample"))
	if e.size == 4 {
		VMOVMSKPS(any, bits.As32())
	} else {
		VMOVMSKPD(any, bits.As32())
	}
	VPMOVZXBW(indexed(table, bits, 8, 0), list)
	VPADDW(base, list, list)
	VMOVDQU(list, Mem{Base: index})
	POPCNTQ(bits, bits)
	LEAQ(indexed(index, bits, 2, 0), index)
	VPADDW(step, base, base)
	ADDQ(Imm(vector), x)
	DECQ(n)
	JNZ(LabelRef("loop"))
	SUBQ(start, index)
	SHRQ(Imm(1), index)
	Store(index, ReturnIndex(0))
	end()
}

// liveMasks gives every input a mask of the samples where it is not zero.
func liveMasks(e element) {
	e.begin("liveMasks", "func(masks *uint32, x *T, sx int, samples int, n int)",
		"liveMasks"+e.suffix+" sets bit b of masks[i] where x[b][i] ≠ 0, for up to 32 samples and n vectors of inputs.")
	masks, x, sx, n := param("masks"), param("x"), e.bytes("sx"), param("n")
	zero, one := YMM(), YMM()
	e.xor(zero, zero, zero)
	VPCMPEQD(one, one, one)
	if e.size == 4 {
		VPSRLD(Imm(31), one, one)
	} else {
		VPSRLQ(Imm(63), one, one)
	}
	Label("group")
	xp, samples := GP64(), param("samples")
	MOVQ(x, xp)
	sum, bit := YMM(), YMM()
	VPXOR(sum, sum, sum)
	VMOVDQA(one, bit)
	Label("sample")
	t := YMM()
	e.compare(Imm(notEqual), at(xp, 0), zero, t)
	VPAND(bit, t, t)
	VPOR(t, sum, sum)
	VPADDD(bit, bit, bit)
	ADDQ(sx, xp)
	DECQ(samples)
	JNZ(LabelRef("sample"))
	if e.size == 4 {
		VMOVDQU(sum, at(masks, 0))
		ADDQ(Imm(32), masks)
	} else {
		top := XMM()
		VEXTRACTI128(Imm(1), sum, top)
		VSHUFPS(Imm(0x88), top, sum.AsX(), top)
		VMOVDQU(top, at(masks, 0))
		ADDQ(Imm(16), masks)
	}
	ADDQ(Imm(vector), x)
	DECQ(n)
	JNZ(LabelRef("group"))
	end()
}
