package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A window's entry in the table of windows, three int32.
const (
	entryX     = 0 // start of its 4×4 pixels in x, in elements
	entryY     = 4 // its pixel in y, in elements
	entryAt    = 8 // start of its 4×4 pixels in the sample, in elements
	entryBytes = 12
)

const tileWindows = 6

// unroll is how many channels a round of the product takes; channels are a
// multiple of it.
const unroll = 8

// gapBytes behind the transform of a window and behind each frequency of the
// weights keep them away from powers of two, where they would compete for the
// same lines of the first cache.
const gapBytes = 64

// winogradInput transforms 4×4 pixels of eight channels, V = Bᵀ d B: rows, then
// columns, of
//
//	d0−d2, d1+d2, d2−d1, d1−d3.
//
// Pixels are loaded twice, which is cheaper than keeping sixteen vectors.
func winogradInput() {
	begin("winogradInput", "func(v *float32, x *float32, table *int32, row int, pixel int, n int)",
		"winogradInput writes the transforms [n][16][channels] of n windows, 64 bytes between windows; row and pixel are the distances in x in bytes.")
	v, x, table, row, pixel, n := param("v"), param("x"), param("table"), param("row"), param("pixel"), param("n")
	pixel3 := GP64()
	LEAQ(indexed(pixel, pixel, 2, 0), pixel3)
	Label("window")
	var rows [4]reg.GPVirtual
	for i := range rows {
		rows[i] = GP64()
	}
	MOVLQSX(at(table, entryX), rows[0])
	LEAQ(indexed(x, rows[0], 4, 0), rows[0])
	for i := 1; i < 4; i++ {
		LEAQ(indexed(rows[i-1], row, 1, 0), rows[i])
	}
	k := GP64()
	MOVQ(pixel, k)
	Label("channels")
	out := GP64()
	MOVQ(v, out)
	for _, pair := range [][3]int{{0, 2, -1}, {1, 2, 1}, {2, 1, -1}, {1, 3, -1}} {
		t := ymms(4)
		for j := range t {
			px := func(r reg.GPVirtual) Mem {
				switch j {
				case 0:
					return at(r, 0)
				case 3:
					return indexed(r, pixel3, 1, 0)
				}
				return indexed(r, pixel, uint8(j), 0)
			}
			VMOVUPS(px(rows[pair[0]]), t[j])
			if pair[2] > 0 {
				VADDPS(px(rows[pair[1]]), t[j], t[j])
			} else {
				VSUBPS(px(rows[pair[1]]), t[j], t[j])
			}
		}
		u := YMM()
		VSUBPS(t[2], t[0], t[0])
		VADDPS(t[2], t[1], u)
		VSUBPS(t[1], t[2], t[2])
		VSUBPS(t[3], t[1], t[3])
		for _, s := range []reg.VecVirtual{t[0], u, t[2], t[3]} {
			VMOVUPS(s, Mem{Base: out})
			ADDQ(pixel, out)
		}
	}
	for _, r := range rows {
		ADDQ(Imm(vector), r)
	}
	ADDQ(Imm(vector), v)
	SUBQ(Imm(vector), k)
	JNZ(LabelRef("channels"))
	// v stands one pixel further: fifteen of the sixteen are left.
	MOVQ(pixel, k)
	SHLQ(Imm(4), k)
	SUBQ(pixel, k)
	LEAQ(indexed(v, k, 1, gapBytes), v)
	ADDQ(Imm(entryBytes), table)
	DECQ(n)
	JNZ(LabelRef("window"))
	end()
}

// winogradTile multiplies the transforms of six windows by those of the weights,
// one product of matrices for each of the sixteen frequencies. What keeps it from
// the peak are its stores: each takes about a cycle and a half from the
// multiply-adds, 18 cycles beside the 96 that sixteen channels take. Other gaps,
// layouts of m and lengths of the loop change nothing.
func winogradTile() {
	begin("winogradTile", "func(m *float32, v *float32, u *float32, pixel int)",
		"winogradTile computes m, [16][6][16 outputs], from v, [6][16][channels], and u, [16][channels][16 outputs];",
		"pixel is the size of all channels in bytes.")
	m, v, u, pixel := param("m"), param("v"), param("u"), param("pixel")
	window, f, k := GP64(), GP64(), GP64()
	MOVQ(pixel, window)
	SHLQ(Imm(4), window)
	ADDQ(Imm(gapBytes), window)
	v3 := GP64()
	LEAQ(indexed(window, window, 2, 0), v3)
	ADDQ(v, v3)
	MOVQ(U32(16), f)
	Label("frequency")
	acc := ymms(2 * tileWindows)
	zero(acc)
	MOVQ(pixel, k)
	Label("channels")
	for i := range unroll {
		w0, w1 := YMM(), YMM()
		VMOVUPS(at(u, 64*i), w0)
		VMOVUPS(at(u, 64*i+vector), w1)
		for q := range tileWindows {
			base, d := v, YMM()
			if q >= 3 {
				base = v3
			}
			src := at(base, 4*i)
			if q%3 > 0 {
				src = indexed(base, window, uint8(q%3), 4*i)
			}
			VBROADCASTSS(src, d)
			VFMADD231PS(w0, d, acc[2*q])
			VFMADD231PS(w1, d, acc[2*q+1])
		}
	}
	ADDQ(U32(64*unroll), u)
	ADDQ(Imm(4*unroll), v)
	ADDQ(Imm(4*unroll), v3)
	SUBQ(Imm(4*unroll), k)
	JNZ(LabelRef("channels"))
	for q := range tileWindows {
		VMOVUPS(acc[2*q], at(m, q*64))
		VMOVUPS(acc[2*q+1], at(m, q*64+vector))
	}
	ADDQ(U32(64*tileWindows), m)
	ADDQ(Imm(gapBytes), u)
	DECQ(f)
	JNZ(LabelRef("frequency"))
	end()
}

// winogradOutput transforms back, Aᵀ m A with rows m0+m1+m2 and m1−m2−m3, which
// gives just the four pixels of a window, and pools.
func winogradOutput() {
	begin("winogradOutput", "func(y *float32, offset *int32, m *float32, bias *float32, table *int32, step *[4]int32, out int, n int)",
		"winogradOutput turns m, [16][6][16], into 16 outputs of n ≤ 6 windows; out is the distance between windows in offset in bytes.")
	y, offset, m, table, n := param("y"), param("offset"), param("m"), param("table"), param("n")
	bias, step, out := param("bias"), param("step"), param("out")
	Label("window")
	place, start := GP64(), GP64()
	MOVLQSX(at(table, entryY), place)
	MOVL(at(table, entryAt), start.As32())
	base := YMM()
	VMOVD(start.As32(), base.AsX())
	VPBROADCASTD(base.AsX(), base)
	for half := range 2 {
		var v [4]reg.VecVirtual
		for i := range 2 {
			s := ymms(4)
			for j := range s {
				f := func(row int) Mem { return at(m, (4*row+j)*64*tileWindows+half*vector) }
				if i == 0 {
					VMOVUPS(f(0), s[j])
					VADDPS(f(1), s[j], s[j])
					VADDPS(f(2), s[j], s[j])
				} else {
					VMOVUPS(f(1), s[j])
					VSUBPS(f(2), s[j], s[j])
					VSUBPS(f(3), s[j], s[j])
				}
			}
			VADDPS(s[1], s[0], s[0])
			VADDPS(s[2], s[0], s[0])
			VSUBPS(s[2], s[1], s[1])
			VSUBPS(s[3], s[1], s[1])
			b := YMM()
			VMOVUPS(at(bias, half*vector), b)
			VADDPS(b, s[0], s[0])
			VADDPS(b, s[1], s[1])
			v[2*i], v[2*i+1] = s[0], s[1]
		}
		pool(v, base, step, indexed(y, place, 4, half*vector), at(offset, half*vector))
	}
	ADDQ(Imm(64), m)
	ADDQ(out, offset)
	ADDQ(Imm(entryBytes), table)
	DECQ(n)
	JNZ(LabelRef("window"))
	end()
}

// winogradWeights transforms a panel of weights, U = G g Gᵀ with rows g0,
// (g0+g1+g2)/2, (g0−g1+g2)/2, g2.
func winogradWeights() {
	begin("winogradWeights", "func(u *float32, panel *float32, half *float32, n int)",
		"winogradWeights turns panel, [9][n/8][8], into u, [16][n/8][8] with 64 bytes between frequencies; n counts vectors of one tap; half is 0.5.")
	u, panel, n := param("u"), param("panel"), param("n")
	tap, left := GP64(), GP64()
	MOVQ(n, left)
	MOVQ(n, tap)
	SHLQ(Imm(5), tap)
	half, point := YMM(), param("half")
	VBROADCASTSS(at(point, 0), half)
	Label("vector")
	var g [9]reg.VecVirtual
	p := GP64()
	MOVQ(panel, p)
	for i := range g {
		g[i] = YMM()
		VMOVUPS(at(p, 0), g[i])
		ADDQ(tap, p)
	}
	out := GP64()
	MOVQ(u, out)
	store := func(v reg.VecVirtual) {
		VMOVUPS(v, at(out, 0))
		LEAQ(indexed(out, tap, 1, gapBytes), out)
	}
	// mix returns the two middle rows.
	mix := func(a, b, c reg.VecVirtual) (plus, minus reg.VecVirtual) {
		plus, minus = YMM(), YMM()
		VADDPS(c, a, minus)
		VADDPS(b, minus, plus)
		VSUBPS(b, minus, minus)
		VMULPS(half, plus, plus)
		VMULPS(half, minus, minus)
		return plus, minus
	}
	row := func(h [3]reg.VecVirtual) {
		store(h[0])
		plus, minus := mix(h[0], h[1], h[2])
		store(plus)
		store(minus)
		store(h[2])
	}
	row([3]reg.VecVirtual(g[:3]))
	for i := range 3 {
		// The first row has been stored: its registers take the third middle.
		plus, minus := mix(g[i], g[3+i], g[6+i])
		g[i], g[3+i] = plus, minus
	}
	row([3]reg.VecVirtual(g[:3]))
	row([3]reg.VecVirtual(g[3:6]))
	row([3]reg.VecVirtual(g[6:9]))
	ADDQ(Imm(vector), u)
	ADDQ(Imm(vector), panel)
	DECQ(left)
	JNZ(LabelRef("vector"))
	end()
}
