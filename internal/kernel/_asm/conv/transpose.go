package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// transpose turns blocks of weights into panels: 8×8 elements at a time.
func transpose() {
	begin("convTranspose8", "func(panel *float32, w *float32, tap int)",
		"convTranspose8 writes the nine taps of eight outputs for eight channels, w being [8][9][8], to a panel with 16",
		"elements from channel to channel and tap bytes from tap to tap.")
	panel, w, tap, n := param("panel"), param("w"), param("tap"), GP64()
	MOVQ(U32(9), n)
	Label("tap")
	a, b := ymms(8), ymms(8)
	for i := range a {
		VMOVUPS(at(w, i*9*vector), a[i])
	}
	for i := 0; i < 8; i += 2 {
		VUNPCKLPS(a[i+1], a[i], b[i])
		VUNPCKHPS(a[i+1], a[i], b[i+1])
	}
	a = ymms(8)
	for i := 0; i < 8; i += 4 {
		for j := range 2 {
			VSHUFPS(Imm(0x44), b[i+2+j], b[i+j], a[i+2*j])
			VSHUFPS(Imm(0xee), b[i+2+j], b[i+j], a[i+2*j+1])
		}
	}
	for i := range 4 {
		low, high := YMM(), YMM()
		VPERM2F128(Imm(0x20), a[i+4], a[i], low)
		VPERM2F128(Imm(0x31), a[i+4], a[i], high)
		VMOVUPS(low, at(panel, i*64))
		VMOVUPS(high, at(panel, (i+4)*64))
	}
	ADDQ(Imm(vector), w)
	ADDQ(tap, panel)
	DECQ(n)
	JNZ(LabelRef("tap"))
	end()
}
