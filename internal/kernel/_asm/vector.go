package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func axpy(e element) {
	e.begin("axpy", "func(y *T, a T, x *T, n int)",
		"axpy"+e.suffix+" adds a·x to y; n counts vectors of 32 bytes.")
	y, x, n := param("y"), param("x"), param("n")
	m, _ := Param("a").Resolve()
	a := YMM()
	e.broadcast(m.Addr, a)
	unrolled(n, 4, func(k int) {
		t := ymms(k)
		for i := range t {
			e.load(at(y, i*vector), t[i])
			e.fma(at(x, i*vector), a, t[i])
			e.load(t[i], at(y, i*vector))
		}
		ADDQ(U32(k*vector), y)
		ADDQ(U32(k*vector), x)
	})
	end()
}

func scale(e element) {
	e.begin("scale", "func(x *T, a T, n int)",
		"scale"+e.suffix+" multiplies x by a; n counts vectors of 32 bytes.")
	x, n := param("x"), param("n")
	m, _ := Param("a").Resolve()
	a := YMM()
	e.broadcast(m.Addr, a)
	unrolled(n, 4, func(k int) {
		for i := range k {
			t := YMM()
			e.mul(at(x, i*vector), a, t)
			e.load(t, at(x, i*vector))
		}
		ADDQ(U32(k*vector), x)
	})
	end()
}

// dot keeps four vectors of sums, enough for the latency of a multiply-add while the
// loads set the pace.
func dot(e element) {
	e.begin("dot", fmt.Sprintf("func(sums *[%d]T, x, y *T, n int)", e.lanes),
		"dot"+e.suffix+" sets sums to Σ x·y, lane by lane; n counts vectors of 32 bytes.")
	x, y, n := param("x"), param("y"), param("n")
	acc := ymms(4)
	for _, a := range acc {
		e.xor(a, a, a)
	}
	unrolled(n, 4, func(k int) {
		for i := range k {
			t := YMM()
			e.load(at(x, i*vector), t)
			e.fma(at(y, i*vector), t, acc[i])
		}
		ADDQ(U32(k*vector), x)
		ADDQ(U32(k*vector), y)
	})
	e.add(acc[1], acc[0], acc[0])
	e.add(acc[3], acc[2], acc[2])
	e.add(acc[2], acc[0], acc[0])
	e.load(acc[0], at(param("sums"), 0))
	end()
}

// evenPowers sums the first four even powers, whatever the caller wants of
// them: the loop waits for memory, not for the multiplications.
func evenPowers(e element) {
	e.begin("evenPowers", "func(sums *[4]float64, x *T, n int)",
		"evenPowers"+e.suffix+" sets sums to Σx², Σx⁴, Σx⁶, Σx⁸ in float64; n counts groups of eight elements.")
	x, n := param("x"), param("n")
	acc := ymms(8)
	for _, a := range acc {
		VXORPD(a, a, a)
	}
	Label("loop")
	for half := range 2 {
		t, p := YMM(), YMM()
		if e.size == 4 {
			VCVTPS2PD(at(x, half*16), t)
		} else {
			VMOVUPD(at(x, half*32), t)
		}
		a := acc[4*half:]
		VMULPD(t, t, t)
		VADDPD(t, a[0], a[0])
		VMULPD(t, t, p)
		VADDPD(p, a[1], a[1])
		VMULPD(t, p, t)
		VADDPD(t, a[2], a[2])
		VMULPD(p, p, p)
		VADDPD(p, a[3], a[3])
	}
	ADDQ(Imm(uint64(8*e.size)), x)
	DECQ(n)
	JNZ(LabelRef("loop"))
	sums := param("sums")
	for k := range 4 {
		VADDPD(acc[4+k], acc[k], acc[k])
		VHADDPD(acc[k], acc[k], acc[k])
		top := XMM()
		VEXTRACTF128(Imm(1), acc[k], top)
		VADDSD(top, acc[k].AsX(), top)
		VMOVSD(top, at(sums, 8*k))
	}
	end()
}

// peak runs twelve independent chains of multiply-adds in registers: enough to
// hide a latency of six cycles at two a cycle.
func peak(e element) {
	e.begin("fmaPeak", "func(n int)",
		"fmaPeak"+e.suffix+" runs n rounds of twelve multiply-adds on vectors of 32 bytes.")
	n := param("n")
	acc := ymms(12)
	for _, a := range acc {
		e.xor(a, a, a)
	}
	a, b := YMM(), YMM()
	e.xor(a, a, a)
	e.xor(b, b, b)
	Label("loop")
	for _, c := range acc {
		e.fma(a, b, c)
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	end()
}
