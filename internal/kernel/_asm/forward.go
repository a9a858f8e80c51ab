package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// forwardTile keeps 4 samples × one panel in twelve accumulators: seven loads
// feed twelve multiply-adds, and three registers hold the row of weights.
func forwardTile(e element) {
	e.begin("forwardTile",
		"func(y *T, sy int, x *T, sx int, w *T, n int, init *T, si int, relu bool)",
		"forwardTile"+e.suffix+" computes four rows of one panel, y = init + x·w over n inputs.")
	x, sx, w, n := param("x"), e.bytes("sx"), param("w"), param("n")
	init, si := param("init"), e.bytes("si")

	acc := ymms(12)
	for r := range 4 {
		for v := range 3 {
			e.load(at(init, v*vector), acc[3*r+v])
		}
		if r < 3 {
			ADDQ(si, init)
		}
	}
	sx3 := GP64()
	LEAQ(indexed(sx, sx, 2, 0), sx3)
	element := func(row, disp int) Mem {
		switch row {
		case 0:
			return at(x, disp)
		case 1:
			return indexed(x, sx, 1, disp)
		case 2:
			return indexed(x, sx, 2, disp)
		}
		return indexed(x, sx3, 1, disp)
	}
	step := func(k int) {
		row := ymms(3)
		for v := range 3 {
			e.load(at(w, k*rowBytes+v*vector), row[v])
		}
		b := YMM()
		for r := range 4 {
			e.broadcast(element(r, k*e.size), b)
			for v := range 3 {
				e.fma(row[v], b, acc[3*r+v])
			}
		}
	}
	unrolled(n, 4, func(k int) {
		for i := range k {
			step(i)
		}
		ADDQ(Imm(uint64(k*e.size)), x)
		ADDQ(U32(k*rowBytes), w)
	})

	e.relu(acc)
	y, sy := param("y"), e.bytes("sy")
	for r := range 4 {
		for v := range 3 {
			e.load(acc[3*r+v], at(y, v*vector))
		}
		if r < 3 {
			ADDQ(sy, y)
		}
	}
	end()
}

// relu takes the maximum with zero when the parameter relu is set. The operand
// order lets a NaN through.
func (e element) relu(acc []reg.VecVirtual) {
	flag := Load(Param("relu"), GP8())
	TESTB(flag, flag)
	JZ(LabelRef("store"))
	zero := YMM()
	e.xor(zero, zero, zero)
	for _, a := range acc {
		e.max(a, zero, a)
	}
	Label("store")
}

// unrolled emits a loop over n steps, unroll at a time, and a tail of single
// steps. body(k) emits k steps and advances its pointers.
func unrolled(n reg.GPVirtual, unroll int, body func(k int)) {
	SUBQ(Imm(uint64(unroll)), n)
	JLT(LabelRef("tail"))
	Label("loop")
	body(unroll)
	SUBQ(Imm(uint64(unroll)), n)
	JGE(LabelRef("loop"))
	Label("tail")
	ADDQ(Imm(uint64(unroll)), n)
	JZ(LabelRef("done"))
	Label("single")
	body(1)
	DECQ(n)
	JNZ(LabelRef("single"))
	Label("done")
}

// Shapes samples × panels of the sparse forward.
var forwardShapes = [][2]int{{2, 2}, {2, 1}, {1, 2}, {1, 1}}

// forwardLive computes groups of samples one after the other and visits only
// the inputs in the list of the group, so that zeros cost nothing.
func forwardLive(e element, samples, panels int) {
	e.begin(fmt.Sprintf("forwardLive%dx%dx", samples, panels),
		"func(y *T, sy int, x *T, sx int, w *T, sw int, live *uint16, sl int, count *int, groups int, init *T, si int, relu bool)",
		fmt.Sprintf("forwardLive%dx%dx%s computes groups of %d rows for %d panels, sw elements apart,", samples, panels, e.suffix, samples, panels),
		"over the count[g] inputs listed in row g of live.")
	y, x, live, count, init := param("y"), param("x"), param("live"), param("count"), param("init")
	sx, groups := e.bytes("sx"), param("groups")
	w := make([]reg.GPVirtual, panels)
	w[0] = param("w")
	if panels > 1 {
		sw := e.bytes("sw")
		for p := 1; p < panels; p++ {
			w[p] = GP64()
			LEAQ(indexed(w[p-1], sw, 1, 0), w[p])
		}
	}
	acc := ymms(3 * samples * panels)
	Label("row")
	si := e.bytes("si")
	for s := range samples {
		for v := range 3 * panels {
			e.load(at(init, v*vector), acc[3*panels*s+v])
		}
		ADDQ(si, init)
	}
	xs := make([]reg.GPVirtual, samples)
	xs[0] = x
	for s := 1; s < samples; s++ {
		xs[s] = GP64()
		LEAQ(indexed(xs[s-1], sx, 1, 0), xs[s])
	}
	list, n := GP64(), GP64()
	MOVQ(live, list)
	MOVQ(Mem{Base: count}, n)
	unrolled(n, 2, func(k int) {
		for i := range k {
			r := GP64()
			MOVWQZX(at(list, 2*i), r)
			if samples > panels {
				row := ymms(3 * panels)
				at1 := GP64()
				LEAQ(indexed(r, r, 2, 0), at1)
				SHLQ(Imm(5), at1)
				for v := range row {
					e.load(indexed(w[v/3], at1, 1, v%3*vector), row[v])
				}
				for s := range samples {
					b := YMM()
					e.broadcast(indexed(xs[s], r, uint8(e.size), 0), b)
					for v := range row {
						e.fma(row[v], b, acc[3*panels*s+v])
					}
				}
				continue
			}
			b := ymms(samples)
			for s := range b {
				e.broadcast(indexed(xs[s], r, uint8(e.size), 0), b[s])
			}
			panelRow(r)
			for v := range 3 * panels {
				m := indexed(w[v/3], r, 1, v%3*vector)
				if samples == 1 {
					e.fma(m, b[0], acc[v])
					continue
				}
				row := YMM()
				e.load(m, row)
				for s := range b {
					e.fma(row, b[s], acc[3*panels*s+v])
				}
			}
		}
		ADDQ(Imm(uint64(2*k)), list)
	})
	e.relu(acc)
	sy := e.bytes("sy")
	for s := range samples {
		for v := range 3 * panels {
			e.load(acc[3*panels*s+v], at(y, v*vector))
		}
		ADDQ(sy, y)
	}
	LEAQ(indexed(xs[samples-1], sx, 1, 0), x)
	sl := param("sl")
	LEAQ(indexed(live, sl, 2, 0), live)
	ADDQ(Imm(8), count)
	DECQ(groups)
	JNZ(LabelRef("row"))
	end()
}
