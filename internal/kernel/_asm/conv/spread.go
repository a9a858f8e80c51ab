package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// A record lists the live outputs of a window, sorted by the position of their
// maximum: a header, the deltas, and dist bytes behind every delta the place of
// the output's weights in bytes.
//
//	at     int32    start of the window in the images, in bytes
//	end    [4]int32 end of the deltas of each position, in bytes from the record
//	        [3]int32 not used
//	delta  [outs+8]float32
//	weight [outs+8]int32
const (
	headerBytes = 32
	blockBytes  = 9 * vector
	notEqual    = 4 // unordered: a NaN is live
)

// sortWindows compresses vectors of eight outputs with a table of permutations
// and without a branch.
func sortWindows() {
	begin("convSort", "func(record *byte, size int, dist int, dy *float32, offset *int32, n int, vectors int, step *[4]int32, at int, table *uint64)",
		"convSort makes the records, size bytes each, of n windows that lie side by side, 8·vectors outputs each.",
		"step holds the offsets of the four patches in a window, in elements; at is the offset of the first window in the",
		"images and in its sample, in elements, in the upper and lower half; table[m] holds the positions of the bits of m.")
	record, dist, n, start, table := param("record"), param("dist"), param("n"), param("at"), param("table")
	dy, offset, step := param("dy"), param("offset"), param("step")
	none, scale := YMM(), YMM()
	VXORPS(none, none, none)
	bytes := GP32()
	MOVL(U32(blockBytes), bytes)
	VMOVD(bytes, scale.AsX())
	VPBROADCASTD(scale.AsX(), scale)
	base := YMM()

	Label("window")
	VMOVD(start.As32(), base.AsX())
	VPBROADCASTD(base.AsX(), base)
	place := GP64()
	MOVQ(start, place)
	SHRQ(Imm(32), place)
	SHLQ(Imm(2), place)
	MOVL(place.As32(), at(record, 0))
	list := GP64()
	LEAQ(at(record, headerBytes), list)
	for q := range 4 {
		label := string(rune('0' + q))
		wanted, first, eight := YMM(), YMM(), YMM()
		VPBROADCASTD(at(step, 4*q), wanted)
		VPADDD(base, wanted, wanted)
		VPXOR(first, first, first)
		VPSLLD(Imm(3), scale, eight) // weights of eight outputs
		d, o, v := GP64(), GP64(), GP64()
		MOVQ(dy, d)
		MOVQ(offset, o)
		MOVQ(address("vectors"), v)
		Label("vector" + label)
		delta, live, same, order, bits := YMM(), YMM(), YMM(), YMM(), GP64()
		VMOVUPS(at(d, 0), delta)
		VCMPPS(Imm(notEqual), delta, none, live)
		VPCMPEQD(at(o, 0), wanted, same)
		VPAND(same, live, live)
		VMOVMSKPS(live, bits.As32())
		VPMOVZXBD(indexed(table, bits, 8, 0), order)
		VPERMPS(delta, order, delta)
		VMOVUPS(delta, at(list, 0))
		VPMULLD(scale, order, order)
		VPADDD(first, order, order)
		VMOVDQU(order, indexed(list, dist, 1, 0))
		VPADDD(eight, first, first)
		POPCNTQ(bits, bits)
		LEAQ(indexed(list, bits, 4, 0), list)
		ADDQ(Imm(vector), d)
		ADDQ(Imm(vector), o)
		DECQ(v)
		JNZ(LabelRef("vector" + label))
		end := GP64()
		MOVQ(list, end)
		SUBQ(record, end)
		MOVL(end.As32(), at(record, 4+4*q))
	}
	// The next window is two pixels away, in both halves.
	next := GP64()
	MOVLQSX(at(step, 4), next)
	ADDQ(next, next)
	ADDQ(next, start)
	SHLQ(Imm(32), next)
	ADDQ(next, start)
	v := GP64()
	MOVQ(address("vectors"), v)
	SHLQ(Imm(5), v)
	ADDQ(v, dy)
	ADDQ(v, offset)
	ADDQ(address("size"), record)
	DECQ(n)
	JNZ(LabelRef("window"))
	end()
}

// spread8 adds up the patches of two positions side by side in the twelve
// registers of 3×4 pixels, so that memory is read and written twice a window.
// Adding every patch to memory on its own is limited by loads and stores, 14
// cycles for nine vectors; loops of unknown length, one for each position, cost
// less.
func spread8() {
	begin("convSpread8", "func(dx *float32, w *float32, record *byte, size int, dist int, row int, pixel int, n int)",
		"convSpread8 adds to dx the patches dy·w of n windows with records, w being [outs][3][3][8].")
	w, record, dist, row, pixel, n := param("w"), param("record"), param("dist"), param("row"), param("pixel"), param("n")
	pixel3 := GP64()
	LEAQ(indexed(pixel, pixel, 2, 0), pixel3)
	Label("window")
	dx, list, limit := GP64(), GP64(), GP64()
	MOVLQSX(at(record, 0), dx)
	ADDQ(address("dx"), dx)
	LEAQ(at(record, headerBytes), list)
	for half := range 2 {
		acc := ymms(12) // [row][column]
		zero(acc)
		for side := range 2 {
			q := 2*half + side
			name := string(rune('0' + q))
			MOVLQSX(at(record, 4+4*q), limit)
			ADDQ(record, limit)
			CMPQ(list, limit)
			JEQ(LabelRef("end" + name))
			Label("output" + name)
			block, d := GP64(), YMM()
			MOVLQSX(indexed(list, dist, 1, 0), block)
			ADDQ(w, block)
			VBROADCASTSS(at(list, 0), d)
			for tap := range 9 {
				VFMADD231PS(at(block, tap*vector), d, acc[tap/3*4+tap%3+side])
			}
			ADDQ(Imm(4), list)
			CMPQ(list, limit)
			JNE(LabelRef("output" + name))
			Label("end" + name)
		}
		line := GP64()
		MOVQ(dx, line)
		for r := range 3 {
			for i, m := range []Mem{at(line, 0), indexed(line, pixel, 1, 0), indexed(line, pixel, 2, 0), indexed(line, pixel3, 1, 0)} {
				VADDPS(m, acc[4*r+i], acc[4*r+i])
				VMOVUPS(acc[4*r+i], m)
			}
			ADDQ(row, line)
		}
		ADDQ(row, dx)
	}
	ADDQ(address("size"), record)
	DECQ(n)
	JNZ(LabelRef("window"))
	end()
}
