package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Shapes samples × inputs. Every pair has one accumulator that runs along the
// outputs and the same reduction at the end, so all shapes give the same bits.
var backwardShapes = [][2]int{{4, 3}, {5, 2}, {2, 6}, {2, 5}, {2, 4}, {1, 8}, {1, 4}}

func backwardTile(e element, samples, inputs int) {
	e.begin(fmt.Sprintf("backwardTile%dx%dx", samples, inputs),
		"func(dx *T, sx int, dy *T, sy int, w *T, sw int, panels int, index *uint16)",
		fmt.Sprintf("backwardTile%dx%dx%s computes dx = dy·w of %d samples for the %d inputs listed in index;", samples, inputs, e.suffix, samples, inputs),
		"the panels of w are sw elements apart.")
	dy, sy := param("dy"), e.bytes("sy")
	sw, n, index := e.bytes("sw"), param("panels"), param("index")
	w := make([]reg.GPVirtual, inputs)
	for i := range w {
		w[i] = GP64()
		MOVWQZX(at(index, 2*i), w[i])
		panelRow(w[i])
		m, _ := Param("w").Resolve()
		ADDQ(m.Addr, w[i])
	}
	acc := ymms(samples * inputs)
	for _, a := range acc {
		e.xor(a, a, a)
	}
	var sy3 reg.GPVirtual
	if samples > 3 {
		sy3 = GP64()
		LEAQ(indexed(sy, sy, 2, 0), sy3)
	}
	delta := func(s, v int) Mem {
		switch s {
		case 0:
			return at(dy, v*vector)
		case 1:
			return indexed(dy, sy, 1, v*vector)
		case 2:
			return indexed(dy, sy, 2, v*vector)
		case 3:
			return indexed(dy, sy3, 1, v*vector)
		}
		return indexed(dy, sy, 4, v*vector)
	}
	// Two panels at a time: the end of a short loop can be predicted.
	unrolled(n, 2, func(k int) {
		for v := range 3 * k {
			weight := func(i int) Mem {
				if v < 3 {
					return at(w[i], v*vector)
				}
				return indexed(w[i], sw, 1, v%3*vector)
			}
			if samples < inputs {
				d := ymms(samples)
				for s := range d {
					e.load(delta(s, v), d[s])
				}
				for i := range w {
					if samples == 1 {
						e.fma(weight(i), d[0], acc[i])
						continue
					}
					row := YMM()
					e.load(weight(i), row)
					for s := range d {
						e.fma(row, d[s], acc[s*inputs+i])
					}
				}
				continue
			}
			row := ymms(inputs)
			for i := range row {
				e.load(weight(i), row[i])
			}
			for s := range samples {
				d := YMM()
				e.load(delta(s, v), d)
				for i := range row {
					e.fma(row[i], d, acc[s*inputs+i])
				}
			}
		}
		for i := range w {
			LEAQ(indexed(w[i], sw, uint8(k), 0), w[i])
		}
		ADDQ(U32(k*rowBytes), dy)
	})

	dx, sx := param("dx"), e.bytes("sx")
	column := make([]reg.GPVirtual, inputs)
	for i := range column {
		column[i] = GP64()
		MOVWQZX(at(index, 2*i), column[i])
	}
	for s := range samples {
		row := acc[s*inputs : (s+1)*inputs]
		for i := 0; i < inputs; i += e.lanes / 2 {
			group := row[i:min(i+e.lanes/2, inputs)]
			sum := e.reduce(group)
			for j := range group {
				dst := indexed(dx, column[i+j], uint8(e.size), 0)
				switch {
				case e.size == 4 && j == 0:
					VMOVSS(sum, dst)
				case e.size == 4:
					VEXTRACTPS(Imm(uint64(j)), sum, dst)
				case j == 0:
					VMOVSD(sum, dst)
				default:
					VMOVHPD(sum, dst)
				}
			}
		}
		if s < samples-1 {
			ADDQ(sx, dx)
		}
	}
	end()
}

// reduce sums the lanes of up to four (float32) or two (float64) vectors; lane
// j of the result is the sum of v[j], always added in the same order.
func (e element) reduce(v []reg.VecVirtual) reg.VecVirtual {
	last := v[len(v)-1]
	get := func(i int) reg.VecVirtual {
		if i < len(v) {
			return v[i]
		}
		return last
	}
	sum := YMM()
	e.hadd(get(1), get(0), sum)
	if e.size == 4 {
		high := sum
		if len(v) > 2 {
			high = YMM()
			e.hadd(get(3), get(2), high)
		}
		e.hadd(high, sum, sum)
	}
	top := XMM()
	VEXTRACTF128(Imm(1), sum, top)
	if e.size == 4 {
		VADDPS(top, sum.AsX(), top)
	} else {
		VADDPD(top, sum.AsX(), top)
	}
	return top
}
