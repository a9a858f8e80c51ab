package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// updateTile keeps four inputs × one panel of weights in twelve registers,
// adds the outer products of all samples, and writes them back once.
func updateTile(e element) {
	e.begin("updateTile",
		"func(w *T, x *T, sx int, delta *T, n int, groups int)",
		"updateTile"+e.suffix+" adds xᵀ·delta over n samples to groups times four rows of a panel; delta is n×panel, packed.")
	w, x, sx, groups := param("w"), param("x"), e.bytes("sx"), param("groups")
	sx3 := GP64()
	LEAQ(indexed(sx, sx, 2, 0), sx3)
	acc := ymms(12)
	Label("group")
	for v := range acc {
		e.load(at(w, v*vector), acc[v])
	}
	xp, dp, n := GP64(), param("delta"), param("n")
	MOVQ(x, xp)
	// Four samples at a time: the end of a short loop can be predicted.
	unrolled(n, 4, func(k int) {
		for s := range k {
			d, b := ymms(3), YMM()
			for v := range d {
				e.load(at(dp, s*rowBytes+v*vector), d[v])
			}
			for i := range 4 {
				m := at(xp, i*e.size)
				switch s {
				case 1, 2:
					m = indexed(xp, sx, uint8(s), i*e.size)
				case 3:
					m = indexed(xp, sx3, 1, i*e.size)
				}
				e.broadcast(m, b)
				for v := range d {
					e.fma(d[v], b, acc[3*i+v])
				}
			}
		}
		LEAQ(indexed(xp, sx, uint8(k), 0), xp)
		ADDQ(U32(k*rowBytes), dp)
	})
	for v := range acc {
		e.load(acc[v], at(w, v*vector))
	}
	ADDQ(U32(4*rowBytes), w)
	ADDQ(Imm(uint64(4*e.size)), x)
	DECQ(groups)
	JNZ(LabelRef("group"))
	end()
}

// updateRow takes the inputs one by one, some adjacent panels wide, and visits
// only the samples whose bit is set: those with x ≠ 0.
func updateRow(e element, panels int) {
	e.begin(fmt.Sprintf("updateRow%dx", panels),
		"func(w *T, sw int, x *T, sx int, delta *T, live *uint32, inputs int)",
		fmt.Sprintf("updateRow%dx%s adds x·delta to %d panels, sw elements apart, for every sample in the masks live;", panels, e.suffix, panels),
		fmt.Sprintf("delta is n×%d panels, packed.", panels))
	w, x, sx := param("w"), param("x"), e.bytes("sx")
	delta, live, inputs := param("delta"), param("live"), param("inputs")
	sw := e.bytes("sw")
	row := func(v int) Mem {
		switch v / 3 {
		case 0:
			return at(w, v%3*vector)
		case 1:
			return indexed(w, sw, 1, v%3*vector)
		}
		return indexed(w, sw, 2, v%3*vector)
	}
	acc := ymms(3 * panels)
	mask := GP64()
	Label("input")
	MOVL(Mem{Base: live}, mask.As32())
	TESTQ(mask, mask)
	JZ(LabelRef("next"))
	for v := range acc {
		e.load(row(v), acc[v])
	}
	Label("sample")
	s, at1, b := GP64(), GP64(), YMM()
	TZCNTQ(mask, s)
	MOVQ(s, at1)
	IMULQ(sx, at1)
	e.broadcast(indexed(x, at1, 1, 0), b)
	switch panels {
	case 1:
		LEAQ(indexed(s, s, 2, 0), s)
		SHLQ(Imm(5), s)
	case 2:
		LEAQ(indexed(s, s, 2, 0), s)
		SHLQ(Imm(6), s)
	case 3:
		LEAQ(indexed(s, s, 8, 0), s)
		SHLQ(Imm(5), s)
	}
	for v := range acc {
		e.fma(indexed(delta, s, 1, v*vector), b, acc[v])
	}
	BLSRQ(mask, mask)
	JNZ(LabelRef("sample"))
	for v := range acc {
		e.load(acc[v], row(v))
	}
	Label("next")
	ADDQ(Imm(rowBytes), w)
	ADDQ(Imm(uint64(e.size)), x)
	ADDQ(Imm(4), live)
	DECQ(inputs)
	JNZ(LabelRef("input"))
	end()
}

func packDelta(e element) {
	e.begin("packDelta",
		"func(dst *T, sd int, bias *T, dy *T, sy int, alpha T, n int)",
		"packDelta"+e.suffix+" writes alpha·dy of one panel and n samples to dst and adds it to bias.")
	dst, sd, dy, sy := param("dst"), e.bytes("sd"), param("dy"), e.bytes("sy")
	bias, n := param("bias"), param("n")
	m, _ := Param("alpha").Resolve()
	alpha := YMM()
	e.broadcast(m.Addr, alpha)
	sum := ymms(3)
	for v := range sum {
		e.load(at(bias, v*vector), sum[v])
	}
	Label("loop")
	for v := range sum {
		t := YMM()
		e.mul(at(dy, v*vector), alpha, t)
		e.add(t, sum[v], sum[v])
		e.load(t, at(dst, v*vector))
	}
	ADDQ(sd, dst)
	ADDQ(sy, dy)
	DECQ(n)
	JNZ(LabelRef("loop"))
	for v := range sum {
		e.load(sum[v], at(bias, v*vector))
	}
	end()
}

func gate(e element) {
	e.begin("gate", "func(dx *T, gate *T, n int)",
		"gate"+e.suffix+" sets dx to zero where gate is not positive; n counts vectors of 32 bytes.")
	dx, g, n := param("dx"), param("gate"), param("n")
	zero := YMM()
	e.xor(zero, zero, zero)
	Label("loop")
	const greater = 0x1e
	t := YMM()
	e.load(at(g, 0), t)
	e.compare(Imm(greater), zero, t, t)
	e.and(at(dx, 0), t, t)
	e.load(t, at(dx, 0))
	ADDQ(Imm(vector), dx)
	ADDQ(Imm(vector), g)
	DECQ(n)
	JNZ(LabelRef("loop"))
	end()
}
