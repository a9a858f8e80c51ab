//go:build arm64 && !purego

#include "textflag.h"

// Written by hand: avo knows amd64 only. A row of a panel is 96 bytes, six
// vectors, for both element types, so that a body serves both and takes the
// instructions that differ as arguments.
//
// The assembler knows little vector arithmetic on floats; what it lacks is
// encoded here. Registers are numbers in these macros, destination first, so that
// others can count through them; for that alone VFMLA is among them.
//
// The multiply-add by an element, d += n·m[e], keeps the broadcast out of the
// loops: a VDUP or VLD1R would take one slot in seven from the pipes that
// multiply. Tiles have 24 sums, so that the chains cover the latency of four pipes.

#define FMLA_ELEMENT32(d, n, m, e) WORD $(0x4F801000 | ((e)&1)<<21 | ((e)>>1)<<11 | (m)<<16 | (n)<<5 | (d))
#define FMLA_ELEMENT64(d, n, m, e) WORD $(0x4FC01000 | (e)<<11 | (m)<<16 | (n)<<5 | (d))
#define FMLA32(d, n, m) WORD $(0x4E20CC00 | (m)<<16 | (n)<<5 | (d))
#define FMLA64(d, n, m) WORD $(0x4E60CC00 | (m)<<16 | (n)<<5 | (d))
#define FADD32(d, n, m) WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d))
#define FADD64(d, n, m) WORD $(0x4E60D400 | (m)<<16 | (n)<<5 | (d))
#define FMUL32(d, n, m) WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d))
#define FMUL64(d, n, m) WORD $(0x6E60DC00 | (m)<<16 | (n)<<5 | (d))
#define FMAX32(d, n, m) WORD $(0x4E20F400 | (m)<<16 | (n)<<5 | (d))
#define FMAX64(d, n, m) WORD $(0x4E60F400 | (m)<<16 | (n)<<5 | (d))
#define FADDP32(d, n, m) WORD $(0x6E20D400 | (m)<<16 | (n)<<5 | (d))
#define FADDP64(d, n, m) WORD $(0x6E60D400 | (m)<<16 | (n)<<5 | (d))
#define POSITIVE32(d, n) WORD $(0x4EA0C800 | (n)<<5 | (d)) // FCMGT d, n, #0
#define POSITIVE64(d, n) WORD $(0x4EE0C800 | (n)<<5 | (d))
#define WIDEN_LOW(d, n) WORD $(0x0E617800 | (n)<<5 | (d)) // FCVTL
#define WIDEN_HIGH(d, n) WORD $(0x4E617800 | (n)<<5 | (d))

// Sum of the elements of V(v) into its first element.
#define TOTAL32(v) FADDP32(v, v, v); FADDP32(v, v, v)
#define TOTAL64(v) FADDP64(v, v, v)

// Rows of a panel between memory and registers.
#define LOAD_ROW(p, a, b, c, d, e, f) \
	FLDPQ (p), (a, b); FLDPQ 32(p), (c, d); FLDPQ 64(p), (e, f)
#define STORE_ROW(p, a, b, c, d, e, f) \
	FSTPQ (a, b), (p); FSTPQ (c, d), 32(p); FSTPQ (e, f), 64(p)

// to = base + 96·row
#define ROW_ADDRESS(row, base, to) \
	ADD row<<1, row, to; ADD to<<5, base, to

// V(first) … V(first+5) = max(·, V31); a NaN stays.
#define RELU_ROW(FMAX, first) \
	FMAX(first, first, 31); FMAX(first+1, first+1, 31); FMAX(first+2, first+2, 31); \
	FMAX(first+3, first+3, 31); FMAX(first+4, first+4, 31); FMAX(first+5, first+5, 31)

// V(first) … V(first+5) += V26 … V31 · Vx[e]
#define FMLA_ROW(FMLA, first, x, e) \
	FMLA(first, 26, x, e); FMLA(first+1, 27, x, e); FMLA(first+2, 28, x, e); \
	FMLA(first+3, 29, x, e); FMLA(first+4, 30, x, e); FMLA(first+5, 31, x, e)

// func forwardTile(y *T, sy int, x *T, sx int, w *T, n int, init *T, si int, relu bool)
//
// V0 … V23 hold 4 samples × one panel, V24 … V27 some inputs of each sample, and
// the weights of an input pass in pairs through V28 … V31.

#define FORWARD_PAIR(FMLA, v, a, b, e) \
	FMLA(v, a, 24, e); FMLA(v+6, a, 25, e); FMLA(v+12, a, 26, e); FMLA(v+18, a, 27, e); \
	FMLA(v+1, b, 24, e); FMLA(v+7, b, 25, e); FMLA(v+13, b, 26, e); FMLA(v+19, b, 27, e)

#define FORWARD_STEP(FMLA, off, e) \
	FLDPQ (off)(R4), (F28, F29); \
	FLDPQ (off+32)(R4), (F30, F31); \
	FORWARD_PAIR(FMLA, 0, 28, 29, e); \
	FLDPQ (off+64)(R4), (F28, F29); \
	FORWARD_PAIR(FMLA, 2, 30, 31, e); \
	FORWARD_PAIR(FMLA, 4, 28, 29, e)

#define FORWARD_START \
	LOAD_ROW(R6, F0, F1, F2, F3, F4, F5); \
	ADD R7, R6; \
	LOAD_ROW(R6, F6, F7, F8, F9, F10, F11); \
	ADD R7, R6; \
	LOAD_ROW(R6, F12, F13, F14, F15, F16, F17); \
	ADD R7, R6; \
	LOAD_ROW(R6, F18, F19, F20, F21, F22, F23); \
	ADD R3, R2, R9; \
	ADD R3, R9, R10; \
	ADD R3, R10, R11

#define FORWARD_INPUTS(LOAD, size) \
	LOAD size(R2), F24; LOAD size(R9), F25; LOAD size(R10), F26; LOAD size(R11), F27

#define FORWARD_RELU(FMAX) \
	VEOR V31.B16, V31.B16, V31.B16; \
	RELU_ROW(FMAX, 0); RELU_ROW(FMAX, 6); RELU_ROW(FMAX, 12); RELU_ROW(FMAX, 18)

#define FORWARD_STORE \
	STORE_ROW(R0, F0, F1, F2, F3, F4, F5); \
	ADD R1, R0; \
	STORE_ROW(R0, F6, F7, F8, F9, F10, F11); \
	ADD R1, R0; \
	STORE_ROW(R0, F12, F13, F14, F15, F16, F17); \
	ADD R1, R0; \
	STORE_ROW(R0, F18, F19, F20, F21, F22, F23)

TEXT ·forwardTile32(SB), NOSPLIT, $0-65
	MOVD y+0(FP), R0
	MOVD sy+8(FP), R1
	MOVD x+16(FP), R2
	MOVD sx+24(FP), R3
	MOVD w+32(FP), R4
	MOVD n+40(FP), R5
	MOVD init+48(FP), R6
	MOVD si+56(FP), R7
	LSL  $2, R1
	LSL  $2, R3
	LSL  $2, R7
	FORWARD_START
	SUBS $4, R5
	BLT  tail

loop:
	FORWARD_INPUTS(FMOVQ.P, 16)
	FORWARD_STEP(FMLA_ELEMENT32, 0, 0)
	FORWARD_STEP(FMLA_ELEMENT32, 96, 1)
	FORWARD_STEP(FMLA_ELEMENT32, 192, 2)
	FORWARD_STEP(FMLA_ELEMENT32, 288, 3)
	ADD  $384, R4
	SUBS $4, R5
	BGE  loop

tail:
	ADDS $4, R5
	BEQ  done

single:
	FORWARD_INPUTS(FMOVS.P, 4)
	FORWARD_STEP(FMLA_ELEMENT32, 0, 0)
	ADD  $96, R4
	SUBS $1, R5
	BNE  single

done:
	MOVBU relu+64(FP), R8
	CBZ   R8, store
	FORWARD_RELU(FMAX32)

store:
	FORWARD_STORE
	RET

TEXT ·forwardTile64(SB), NOSPLIT, $0-65
	MOVD y+0(FP), R0
	MOVD sy+8(FP), R1
	MOVD x+16(FP), R2
	MOVD sx+24(FP), R3
	MOVD w+32(FP), R4
	MOVD n+40(FP), R5
	MOVD init+48(FP), R6
	MOVD si+56(FP), R7
	LSL  $3, R1
	LSL  $3, R3
	LSL  $3, R7
	FORWARD_START
	SUBS $4, R5
	BLT  tail

loop:
	FORWARD_INPUTS(FMOVQ.P, 16)
	FORWARD_STEP(FMLA_ELEMENT64, 0, 0)
	FORWARD_STEP(FMLA_ELEMENT64, 96, 1)
	FORWARD_INPUTS(FMOVQ.P, 16)
	FORWARD_STEP(FMLA_ELEMENT64, 192, 0)
	FORWARD_STEP(FMLA_ELEMENT64, 288, 1)
	ADD  $384, R4
	SUBS $4, R5
	BGE  loop

tail:
	ADDS $4, R5
	BEQ  done

single:
	FORWARD_INPUTS(FMOVD.P, 8)
	FORWARD_STEP(FMLA_ELEMENT64, 0, 0)
	ADD  $96, R4
	SUBS $1, R5
	BNE  single

done:
	MOVBU relu+64(FP), R8
	CBZ   R8, store
	FORWARD_RELU(FMAX64)

store:
	FORWARD_STORE
	RET

// func forwardLive(y *T, sy int, x *T, sx int, w *T, sw int, live *uint16, sl int, count *int, groups int, init *T, si int, relu bool)
//
// As forwardTile for one or two samples × one or two panels, over the listed
// inputs alone; the groups of samples follow one another. V0 … hold the sums by
// sample and panel.

// R0 … R12 are the arguments in their order. In the loops R13 and R14 walk
// through the list, R15 is the input, R16 and R17 its rows of weights, and R19,
// R20, R21 the second sample's init, x and y.

#define LIVE_GROUP \
	MOVD R6, R13; \
	MOVD.P 8(R8), R14

#define LIVE_INPUT \
	MOVHU.P 2(R13), R15; \
	ROW_ADDRESS(R15, R4, R16)

#define SECOND_PANEL \
	ADD R5, R16, R17; \
	LOAD_ROW(R17, F26, F27, F28, F29, F30, F31)

#define FIRST_PANEL LOAD_ROW(R16, F26, F27, F28, F29, F30, F31)

// The second half of a sample's row, for two panels.
#define LOAD_ROW2(p, a, b, c, d, e, f) \
	FLDPQ 96(p), (a, b); FLDPQ 128(p), (c, d); FLDPQ 160(p), (e, f)
#define STORE_ROW2(p, a, b, c, d, e, f) \
	FSTPQ (a, b), 96(p); FSTPQ (c, d), 128(p); FSTPQ (e, f), 160(p)

#define LIVE_2X2(LOAD, FMLA, FMAX, shift) \
group: \
	LIVE_GROUP; \
	ADD R11, R10, R19; \
	ADD R3, R2, R20; \
	ADD R1, R0, R21; \
	LOAD_ROW(R10, F0, F1, F2, F3, F4, F5); \
	LOAD_ROW2(R10, F6, F7, F8, F9, F10, F11); \
	LOAD_ROW(R19, F12, F13, F14, F15, F16, F17); \
	LOAD_ROW2(R19, F18, F19, F20, F21, F22, F23); \
	CBZ R14, done; \
input: \
	LIVE_INPUT; \
	FIRST_PANEL; \
	LOAD (R2)(R15<<shift), F24; \
	LOAD (R20)(R15<<shift), F25; \
	FMLA_ROW(FMLA, 0, 24, 0); \
	FMLA_ROW(FMLA, 12, 25, 0); \
	SECOND_PANEL; \
	FMLA_ROW(FMLA, 6, 24, 0); \
	FMLA_ROW(FMLA, 18, 25, 0); \
	SUBS $1, R14; \
	BNE input; \
done: \
	CBZ R12, store; \
	VEOR V31.B16, V31.B16, V31.B16; \
	RELU_ROW(FMAX, 0); \
	RELU_ROW(FMAX, 6); \
	RELU_ROW(FMAX, 12); \
	RELU_ROW(FMAX, 18); \
store: \
	STORE_ROW(R0, F0, F1, F2, F3, F4, F5); \
	STORE_ROW2(R0, F6, F7, F8, F9, F10, F11); \
	STORE_ROW(R21, F12, F13, F14, F15, F16, F17); \
	STORE_ROW2(R21, F18, F19, F20, F21, F22, F23); \
	ADD R1<<1, R0; \
	ADD R3<<1, R2; \
	ADD R11<<1, R10; \
	ADD R7<<1, R6; \
	SUBS $1, R9; \
	BNE group; \
	RET

#define LIVE_2X1(LOAD, FMLA, FMAX, shift) \
group: \
	LIVE_GROUP; \
	ADD R11, R10, R19; \
	ADD R3, R2, R20; \
	ADD R1, R0, R21; \
	LOAD_ROW(R10, F0, F1, F2, F3, F4, F5); \
	LOAD_ROW(R19, F6, F7, F8, F9, F10, F11); \
	CBZ R14, done; \
input: \
	LIVE_INPUT; \
	FIRST_PANEL; \
	LOAD (R2)(R15<<shift), F24; \
	LOAD (R20)(R15<<shift), F25; \
	FMLA_ROW(FMLA, 0, 24, 0); \
	FMLA_ROW(FMLA, 6, 25, 0); \
	SUBS $1, R14; \
	BNE input; \
done: \
	CBZ R12, store; \
	VEOR V31.B16, V31.B16, V31.B16; \
	RELU_ROW(FMAX, 0); \
	RELU_ROW(FMAX, 6); \
store: \
	STORE_ROW(R0, F0, F1, F2, F3, F4, F5); \
	STORE_ROW(R21, F6, F7, F8, F9, F10, F11); \
	ADD R1<<1, R0; \
	ADD R3<<1, R2; \
	ADD R11<<1, R10; \
	ADD R7<<1, R6; \
	SUBS $1, R9; \
	BNE group; \
	RET

#define LIVE_1X2(LOAD, FMLA, FMAX, shift) \
group: \
	LIVE_GROUP; \
	LOAD_ROW(R10, F0, F1, F2, F3, F4, F5); \
	LOAD_ROW2(R10, F6, F7, F8, F9, F10, F11); \
	CBZ R14, done; \
input: \
	LIVE_INPUT; \
	FIRST_PANEL; \
	LOAD (R2)(R15<<shift), F24; \
	FMLA_ROW(FMLA, 0, 24, 0); \
	SECOND_PANEL; \
	FMLA_ROW(FMLA, 6, 24, 0); \
	SUBS $1, R14; \
	BNE input; \
done: \
	CBZ R12, store; \
	VEOR V31.B16, V31.B16, V31.B16; \
	RELU_ROW(FMAX, 0); \
	RELU_ROW(FMAX, 6); \
store: \
	STORE_ROW(R0, F0, F1, F2, F3, F4, F5); \
	STORE_ROW2(R0, F6, F7, F8, F9, F10, F11); \
	ADD R1, R0; \
	ADD R3, R2; \
	ADD R11, R10; \
	ADD R7<<1, R6; \
	SUBS $1, R9; \
	BNE group; \
	RET

#define LIVE_1X1(LOAD, FMLA, FMAX, shift) \
group: \
	LIVE_GROUP; \
	LOAD_ROW(R10, F0, F1, F2, F3, F4, F5); \
	CBZ R14, done; \
input: \
	LIVE_INPUT; \
	FIRST_PANEL; \
	LOAD (R2)(R15<<shift), F24; \
	FMLA_ROW(FMLA, 0, 24, 0); \
	SUBS $1, R14; \
	BNE input; \
done: \
	CBZ R12, store; \
	VEOR V31.B16, V31.B16, V31.B16; \
	RELU_ROW(FMAX, 0); \
store: \
	STORE_ROW(R0, F0, F1, F2, F3, F4, F5); \
	ADD R1, R0; \
	ADD R3, R2; \
	ADD R11, R10; \
	ADD R7<<1, R6; \
	SUBS $1, R9; \
	BNE group; \
	RET

TEXT ·forwardLive2x2x32(SB), NOSPLIT, $0-97
	MOVD  y+0(FP), R0
	MOVD  sy+8(FP), R1
	MOVD  x+16(FP), R2
	MOVD  sx+24(FP), R3
	MOVD  w+32(FP), R4
	MOVD  sw+40(FP), R5
	MOVD  live+48(FP), R6
	MOVD  sl+56(FP), R7
	MOVD  count+64(FP), R8
	MOVD  groups+72(FP), R9
	MOVD  init+80(FP), R10
	MOVD  si+88(FP), R11
	MOVBU relu+96(FP), R12
	LSL   $2, R1
	LSL   $2, R3
	LSL   $2, R5
	LSL   $2, R11
	LIVE_2X2(FMOVS, FMLA_ELEMENT32, FMAX32, 2)

TEXT ·forwardLive2x1x32(SB), NOSPLIT, $0-97
	MOVD  y+0(FP), R0
	MOVD  sy+8(FP), R1
	MOVD  x+16(FP), R2
	MOVD  sx+24(FP), R3
	MOVD  w+32(FP), R4
	MOVD  sw+40(FP), R5
	MOVD  live+48(FP), R6
	MOVD  sl+56(FP), R7
	MOVD  count+64(FP), R8
	MOVD  groups+72(FP), R9
	MOVD  init+80(FP), R10
	MOVD  si+88(FP), R11
	MOVBU relu+96(FP), R12
	LSL   $2, R1
	LSL   $2, R3
	LSL   $2, R5
	LSL   $2, R11
	LIVE_2X1(FMOVS, FMLA_ELEMENT32, FMAX32, 2)

TEXT ·forwardLive1x2x32(SB), NOSPLIT, $0-97
	MOVD  y+0(FP), R0
	MOVD  sy+8(FP), R1
	MOVD  x+16(FP), R2
	MOVD  sx+24(FP), R3
	MOVD  w+32(FP), R4
	MOVD  sw+40(FP), R5
	MOVD  live+48(FP), R6
	MOVD  sl+56(FP), R7
	MOVD  count+64(FP), R8
	MOVD  groups+72(FP), R9
	MOVD  init+80(FP), R10
	MOVD  si+88(FP), R11
	MOVBU relu+96(FP), R12
	LSL   $2, R1
	LSL   $2, R3
	LSL   $2, R5
	LSL   $2, R11
	LIVE_1X2(FMOVS, FMLA_ELEMENT32, FMAX32, 2)

TEXT ·forwardLive1x1x32(SB), NOSPLIT, $0-97
	MOVD  y+0(FP), R0
	MOVD  sy+8(FP), R1
	MOVD  x+16(FP), R2
	MOVD  sx+24(FP), R3
	MOVD  w+32(FP), R4
	MOVD  sw+40(FP), R5
	MOVD  live+48(FP), R6
	MOVD  sl+56(FP), R7
	MOVD  count+64(FP), R8
	MOVD  groups+72(FP), R9
	MOVD  init+80(FP), R10
	MOVD  si+88(FP), R11
	MOVBU relu+96(FP), R12
	LSL   $2, R1
	LSL   $2, R3
	LSL   $2, R5
	LSL   $2, R11
	LIVE_1X1(FMOVS, FMLA_ELEMENT32, FMAX32, 2)

TEXT ·forwardLive2x2x64(SB), NOSPLIT, $0-97
	MOVD  y+0(FP), R0
	MOVD  sy+8(FP), R1
	MOVD  x+16(FP), R2
	MOVD  sx+24(FP), R3
	MOVD  w+32(FP), R4
	MOVD  sw+40(FP), R5
	MOVD  live+48(FP), R6
	MOVD  sl+56(FP), R7
	MOVD  count+64(FP), R8
	MOVD  groups+72(FP), R9
	MOVD  init+80(FP), R10
	MOVD  si+88(FP), R11
	MOVBU relu+96(FP), R12
	LSL   $3, R1
	LSL   $3, R3
	LSL   $3, R5
	LSL   $3, R11
	LIVE_2X2(FMOVD, FMLA_ELEMENT64, FMAX64, 3)

TEXT ·forwardLive2x1x64(SB), NOSPLIT, $0-97
	MOVD  y+0(FP), R0
	MOVD  sy+8(FP), R1
	MOVD  x+16(FP), R2
	MOVD  sx+24(FP), R3
	MOVD  w+32(FP), R4
	MOVD  sw+40(FP), R5
	MOVD  live+48(FP), R6
	MOVD  sl+56(FP), R7
	MOVD  count+64(FP), R8
	MOVD  groups+72(FP), R9
	MOVD  init+80(FP), R10
	MOVD  si+88(FP), R11
	MOVBU relu+96(FP), R12
	LSL   $3, R1
	LSL   $3, R3
	LSL   $3, R5
	LSL   $3, R11
	LIVE_2X1(FMOVD, FMLA_ELEMENT64, FMAX64, 3)

TEXT ·forwardLive1x2x64(SB), NOSPLIT, $0-97
	MOVD  y+0(FP), R0
	MOVD  sy+8(FP), R1
	MOVD  x+16(FP), R2
	MOVD  sx+24(FP), R3
	MOVD  w+32(FP), R4
	MOVD  sw+40(FP), R5
	MOVD  live+48(FP), R6
	MOVD  sl+56(FP), R7
	MOVD  count+64(FP), R8
	MOVD  groups+72(FP), R9
	MOVD  init+80(FP), R10
	MOVD  si+88(FP), R11
	MOVBU relu+96(FP), R12
	LSL   $3, R1
	LSL   $3, R3
	LSL   $3, R5
	LSL   $3, R11
	LIVE_1X2(FMOVD, FMLA_ELEMENT64, FMAX64, 3)

TEXT ·forwardLive1x1x64(SB), NOSPLIT, $0-97
	MOVD  y+0(FP), R0
	MOVD  sy+8(FP), R1
	MOVD  x+16(FP), R2
	MOVD  sx+24(FP), R3
	MOVD  w+32(FP), R4
	MOVD  sw+40(FP), R5
	MOVD  live+48(FP), R6
	MOVD  sl+56(FP), R7
	MOVD  count+64(FP), R8
	MOVD  groups+72(FP), R9
	MOVD  init+80(FP), R10
	MOVD  si+88(FP), R11
	MOVBU relu+96(FP), R12
	LSL   $3, R1
	LSL   $3, R3
	LSL   $3, R5
	LSL   $3, R11
	LIVE_1X1(FMOVD, FMLA_ELEMENT64, FMAX64, 3)

// func backwardTile(dx *T, sx int, dy *T, sy int, w *T, sw, panels int, index *uint16)
//
// Every sum runs along the outputs in one register, in the same order in all
// shapes. R2 … R6 are the rows of dy, R7 … R14 the rows of weights, R15 sw, R16
// panels, R17 index.

#define WEIGHT_ROW(q, to) \
	MOVHU (2*q)(R17), R19; \
	ROW_ADDRESS(R19, R21, to)

// Four samples × six inputs: V24 … V27 are dy, V28 … V31 the weights.

#define BACKWARD_INPUT4(FMLA, v, w) \
	FMLA(v, 24, w); FMLA(v+1, 25, w); FMLA(v+2, 26, w); FMLA(v+3, 27, w)

#define BACKWARD_STEP4X6(FMLA, off) \
	FMOVQ off(R2), F24; FMOVQ off(R3), F25; FMOVQ off(R4), F26; FMOVQ off(R5), F27; \
	FMOVQ off(R7), F28; FMOVQ off(R8), F29; FMOVQ off(R9), F30; FMOVQ off(R10), F31; \
	BACKWARD_INPUT4(FMLA, 0, 28); \
	BACKWARD_INPUT4(FMLA, 4, 29); \
	FMOVQ off(R11), F28; FMOVQ off(R12), F29; \
	BACKWARD_INPUT4(FMLA, 8, 30); \
	BACKWARD_INPUT4(FMLA, 12, 31); \
	BACKWARD_INPUT4(FMLA, 16, 28); \
	BACKWARD_INPUT4(FMLA, 20, 29)

// Five samples × four inputs: V20 … V24 are dy, V25 … V28 the weights.

#define BACKWARD_INPUT5(FMLA, v, w) \
	FMLA(v, 20, w); FMLA(v+1, 21, w); FMLA(v+2, 22, w); FMLA(v+3, 23, w); FMLA(v+4, 24, w)

#define BACKWARD_STEP5X4(FMLA, off) \
	FMOVQ off(R2), F20; FMOVQ off(R3), F21; FMOVQ off(R4), F22; FMOVQ off(R5), F23; FMOVQ off(R6), F24; \
	FMOVQ off(R7), F25; FMOVQ off(R8), F26; FMOVQ off(R9), F27; FMOVQ off(R10), F28; \
	BACKWARD_INPUT5(FMLA, 0, 25); \
	BACKWARD_INPUT5(FMLA, 5, 26); \
	BACKWARD_INPUT5(FMLA, 10, 27); \
	BACKWARD_INPUT5(FMLA, 15, 28)

// Two samples or one: V20, V21 and V22, V23 are pairs of dy, and the weights
// pass in pairs through V24 … V31.

#define BACKWARD_INPUT2(FMLA, v, a, b) \
	FMLA(v, 20, a); FMLA(v+1, 22, a); FMLA(v, 21, b); FMLA(v+1, 23, b)

#define BACKWARD_INPUT1(FMLA, v, a, b) \
	FMLA(v, 20, a); FMLA(v, 21, b)

#define FIRST_FOUR(off) \
	FLDPQ off(R7), (F24, F25); FLDPQ off(R8), (F26, F27); FLDPQ off(R9), (F28, F29); FLDPQ off(R10), (F30, F31)

#define BACKWARD_STEP2X4(FMLA, off) \
	FLDPQ off(R2), (F20, F21); FLDPQ off(R3), (F22, F23); \
	FIRST_FOUR(off); \
	BACKWARD_INPUT2(FMLA, 0, 24, 25); \
	BACKWARD_INPUT2(FMLA, 2, 26, 27); \
	BACKWARD_INPUT2(FMLA, 4, 28, 29); \
	BACKWARD_INPUT2(FMLA, 6, 30, 31)

#define BACKWARD_STEP2X5(FMLA, off) \
	BACKWARD_STEP2X4(FMLA, off); \
	FLDPQ off(R11), (F24, F25); \
	BACKWARD_INPUT2(FMLA, 8, 24, 25)

#define BACKWARD_STEP2X6(FMLA, off) \
	BACKWARD_STEP2X5(FMLA, off); \
	FLDPQ off(R12), (F26, F27); \
	BACKWARD_INPUT2(FMLA, 10, 26, 27)

#define BACKWARD_STEP1X4(FMLA, off) \
	FLDPQ off(R2), (F20, F21); \
	FIRST_FOUR(off); \
	BACKWARD_INPUT1(FMLA, 0, 24, 25); \
	BACKWARD_INPUT1(FMLA, 1, 26, 27); \
	BACKWARD_INPUT1(FMLA, 2, 28, 29); \
	BACKWARD_INPUT1(FMLA, 3, 30, 31)

#define BACKWARD_STEP1X8(FMLA, off) \
	BACKWARD_STEP1X4(FMLA, off); \
	FLDPQ off(R11), (F24, F25); FLDPQ off(R12), (F26, F27); FLDPQ off(R13), (F28, F29); FLDPQ off(R14), (F30, F31); \
	BACKWARD_INPUT1(FMLA, 4, 24, 25); \
	BACKWARD_INPUT1(FMLA, 5, 26, 27); \
	BACKWARD_INPUT1(FMLA, 6, 28, 29); \
	BACKWARD_INPUT1(FMLA, 7, 30, 31)

// A panel by single vectors or by pairs.
#define BACKWARD_SINGLES(STEP, FMLA) \
	STEP(FMLA, 0); STEP(FMLA, 16); STEP(FMLA, 32); STEP(FMLA, 48); STEP(FMLA, 64); STEP(FMLA, 80)
#define BACKWARD_PAIRS(STEP, FMLA) \
	STEP(FMLA, 0); STEP(FMLA, 32); STEP(FMLA, 64)

#define ZERO2(a, b) \
	VEOR a.B16, a.B16, a.B16; VEOR b.B16, b.B16, b.B16

// The sums of an input, from V(v) on, to the samples' rows of dx.
#define BACKWARD_STORE1(TOTAL, STORE, shift, q, v, a) \
	MOVHU (2*q)(R17), R19; \
	TOTAL(v); \
	STORE a, (R0)(R19<<shift)
#define BACKWARD_STORE2(TOTAL, STORE, shift, q, v, a, b) \
	BACKWARD_STORE1(TOTAL, STORE, shift, q, v, a); \
	TOTAL(v+1); \
	STORE b, (R2)(R19<<shift)
#define BACKWARD_STORE4(TOTAL, STORE, shift, q, v, a, b, c, d) \
	BACKWARD_STORE2(TOTAL, STORE, shift, q, v, a, b); \
	TOTAL(v+2); TOTAL(v+3); \
	STORE c, (R3)(R19<<shift); \
	STORE d, (R4)(R19<<shift)
#define BACKWARD_STORE5(TOTAL, STORE, shift, q, v, a, b, c, d, e) \
	BACKWARD_STORE4(TOTAL, STORE, shift, q, v, a, b, c, d); \
	TOTAL(v+4); \
	STORE e, (R5)(R19<<shift)

TEXT ·backwardTile4x6x32(SB), NOSPLIT, $0-64
	MOVD dx+0(FP), R0
	MOVD sx+8(FP), R1
	MOVD dy+16(FP), R2
	MOVD sy+24(FP), R20
	MOVD w+32(FP), R21
	MOVD sw+40(FP), R15
	MOVD panels+48(FP), R16
	MOVD index+56(FP), R17
	LSL  $2, R1
	LSL  $2, R15
	LSL  $2, R20
	ADD  R20, R2, R3
	ADD  R20, R3, R4
	ADD  R20, R4, R5
	WEIGHT_ROW(0, R7)
	WEIGHT_ROW(1, R8)
	WEIGHT_ROW(2, R9)
	WEIGHT_ROW(3, R10)
	WEIGHT_ROW(4, R11)
	WEIGHT_ROW(5, R12)
	ZERO2(V0, V1)
	ZERO2(V2, V3)
	ZERO2(V4, V5)
	ZERO2(V6, V7)
	ZERO2(V8, V9)
	ZERO2(V10, V11)
	ZERO2(V12, V13)
	ZERO2(V14, V15)
	ZERO2(V16, V17)
	ZERO2(V18, V19)
	ZERO2(V20, V21)
	ZERO2(V22, V23)

loop:
	BACKWARD_SINGLES(BACKWARD_STEP4X6, FMLA32)
	ADD  $96, R2
	ADD  $96, R3
	ADD  $96, R4
	ADD  $96, R5
	ADD  R15, R7
	ADD  R15, R8
	ADD  R15, R9
	ADD  R15, R10
	ADD  R15, R11
	ADD  R15, R12
	SUBS $1, R16
	BNE  loop
	ADD  R1, R0, R2
	ADD  R1, R2, R3
	ADD  R1, R3, R4
	BACKWARD_STORE4(TOTAL32, FMOVS, 2, 0, 0, F0, F1, F2, F3)
	BACKWARD_STORE4(TOTAL32, FMOVS, 2, 1, 4, F4, F5, F6, F7)
	BACKWARD_STORE4(TOTAL32, FMOVS, 2, 2, 8, F8, F9, F10, F11)
	BACKWARD_STORE4(TOTAL32, FMOVS, 2, 3, 12, F12, F13, F14, F15)
	BACKWARD_STORE4(TOTAL32, FMOVS, 2, 4, 16, F16, F17, F18, F19)
	BACKWARD_STORE4(TOTAL32, FMOVS, 2, 5, 20, F20, F21, F22, F23)
	RET

TEXT ·backwardTile5x4x32(SB), NOSPLIT, $0-64
	MOVD dx+0(FP), R0
	MOVD sx+8(FP), R1
	MOVD dy+16(FP), R2
	MOVD sy+24(FP), R20
	MOVD w+32(FP), R21
	MOVD sw+40(FP), R15
	MOVD panels+48(FP), R16
	MOVD index+56(FP), R17
	LSL  $2, R1
	LSL  $2, R15
	LSL  $2, R20
	ADD  R20, R2, R3
	ADD  R20, R3, R4
	ADD  R20, R4, R5
	ADD  R20, R5, R6
	WEIGHT_ROW(0, R7)
	WEIGHT_ROW(1, R8)
	WEIGHT_ROW(2, R9)
	WEIGHT_ROW(3, R10)
	ZERO2(V0, V1)
	ZERO2(V2, V3)
	ZERO2(V4, V5)
	ZERO2(V6, V7)
	ZERO2(V8, V9)
	ZERO2(V10, V11)
	ZERO2(V12, V13)
	ZERO2(V14, V15)
	ZERO2(V16, V17)
	ZERO2(V18, V19)

loop:
	BACKWARD_SINGLES(BACKWARD_STEP5X4, FMLA32)
	ADD  $96, R2
	ADD  $96, R3
	ADD  $96, R4
	ADD  $96, R5
	ADD  $96, R6
	ADD  R15, R7
	ADD  R15, R8
	ADD  R15, R9
	ADD  R15, R10
	SUBS $1, R16
	BNE  loop
	ADD  R1, R0, R2
	ADD  R1, R2, R3
	ADD  R1, R3, R4
	ADD  R1, R4, R5
	BACKWARD_STORE5(TOTAL32, FMOVS, 2, 0, 0, F0, F1, F2, F3, F4)
	BACKWARD_STORE5(TOTAL32, FMOVS, 2, 1, 5, F5, F6, F7, F8, F9)
	BACKWARD_STORE5(TOTAL32, FMOVS, 2, 2, 10, F10, F11, F12, F13, F14)
	BACKWARD_STORE5(TOTAL32, FMOVS, 2, 3, 15, F15, F16, F17, F18, F19)
	RET

TEXT ·backwardTile2x6x32(SB), NOSPLIT, $0-64
	MOVD dx+0(FP), R0
	MOVD sx+8(FP), R1
	MOVD dy+16(FP), R2
	MOVD sy+24(FP), R20
	MOVD w+32(FP), R21
	MOVD sw+40(FP), R15
	MOVD panels+48(FP), R16
	MOVD index+56(FP), R17
	LSL  $2, R1
	LSL  $2, R15
	LSL  $2, R20
	ADD  R20, R2, R3
	WEIGHT_ROW(0, R7)
	WEIGHT_ROW(1, R8)
	WEIGHT_ROW(2, R9)
	WEIGHT_ROW(3, R10)
	WEIGHT_ROW(4, R11)
	WEIGHT_ROW(5, R12)
	ZERO2(V0, V1)
	ZERO2(V2, V3)
	ZERO2(V4, V5)
	ZERO2(V6, V7)
	ZERO2(V8, V9)
	ZERO2(V10, V11)

loop:
	BACKWARD_PAIRS(BACKWARD_STEP2X6, FMLA32)
	ADD  $96, R2
	ADD  $96, R3
	ADD  R15, R7
	ADD  R15, R8
	ADD  R15, R9
	ADD  R15, R10
	ADD  R15, R11
	ADD  R15, R12
	SUBS $1, R16
	BNE  loop
	ADD  R1, R0, R2
	BACKWARD_STORE2(TOTAL32, FMOVS, 2, 0, 0, F0, F1)
	BACKWARD_STORE2(TOTAL32, FMOVS, 2, 1, 2, F2, F3)
	BACKWARD_STORE2(TOTAL32, FMOVS, 2, 2, 4, F4, F5)
	BACKWARD_STORE2(TOTAL32, FMOVS, 2, 3, 6, F6, F7)
	BACKWARD_STORE2(TOTAL32, FMOVS, 2, 4, 8, F8, F9)
	BACKWARD_STORE2(TOTAL32, FMOVS, 2, 5, 10, F10, F11)
	RET

TEXT ·backwardTile2x5x32(SB), NOSPLIT, $0-64
	MOVD dx+0(FP), R0
	MOVD sx+8(FP), R1
	MOVD dy+16(FP), R2
	MOVD sy+24(FP), R20
	MOVD w+32(FP), R21
	MOVD sw+40(FP), R15
	MOVD panels+48(FP), R16
	MOVD index+56(FP), R17
	LSL  $2, R1
	LSL  $2, R15
	LSL  $2, R20
	ADD  R20, R2, R3
	WEIGHT_ROW(0, R7)
	WEIGHT_ROW(1, R8)
	WEIGHT_ROW(2, R9)
	WEIGHT_ROW(3, R10)
	WEIGHT_ROW(4, R11)
	ZERO2(V0, V1)
	ZERO2(V2, V3)
	ZERO2(V4, V5)
	ZERO2(V6, V7)
	ZERO2(V8, V9)

loop:
	BACKWARD_PAIRS(BACKWARD_STEP2X5, FMLA32)
	ADD  $96, R2
	ADD  $96, R3
	ADD  R15, R7
	ADD  R15, R8
	ADD  R15, R9
	ADD  R15, R10
	ADD  R15, R11
	SUBS $1, R16
	BNE  loop
	ADD  R1, R0, R2
	BACKWARD_STORE2(TOTAL32, FMOVS, 2, 0, 0, F0, F1)
	BACKWARD_STORE2(TOTAL32, FMOVS, 2, 1, 2, F2, F3)
	BACKWARD_STORE2(TOTAL32, FMOVS, 2, 2, 4, F4, F5)
	BACKWARD_STORE2(TOTAL32, FMOVS, 2, 3, 6, F6, F7)
	BACKWARD_STORE2(TOTAL32, FMOVS, 2, 4, 8, F8, F9)
	RET

TEXT ·backwardTile2x4x32(SB), NOSPLIT, $0-64
	MOVD dx+0(FP), R0
	MOVD sx+8(FP), R1
	MOVD dy+16(FP), R2
	MOVD sy+24(FP), R20
	MOVD w+32(FP), R21
	MOVD sw+40(FP), R15
	MOVD panels+48(FP), R16
	MOVD index+56(FP), R17
	LSL  $2, R1
	LSL  $2, R15
	LSL  $2, R20
	ADD  R20, R2, R3
	WEIGHT_ROW(0, R7)
	WEIGHT_ROW(1, R8)
	WEIGHT_ROW(2, R9)
	WEIGHT_ROW(3, R10)
	ZERO2(V0, V1)
	ZERO2(V2, V3)
	ZERO2(V4, V5)
	ZERO2(V6, V7)

loop:
	BACKWARD_PAIRS(BACKWARD_STEP2X4, FMLA32)
	ADD  $96, R2
	ADD  $96, R3
	ADD  R15, R7
	ADD  R15, R8
	ADD  R15, R9
	ADD  R15, R10
	SUBS $1, R16
	BNE  loop
	ADD  R1, R0, R2
	BACKWARD_STORE2(TOTAL32, FMOVS, 2, 0, 0, F0, F1)
	BACKWARD_STORE2(TOTAL32, FMOVS, 2, 1, 2, F2, F3)
	BACKWARD_STORE2(TOTAL32, FMOVS, 2, 2, 4, F4, F5)
	BACKWARD_STORE2(TOTAL32, FMOVS, 2, 3, 6, F6, F7)
	RET

TEXT ·backwardTile1x8x32(SB), NOSPLIT, $0-64
	MOVD dx+0(FP), R0
	MOVD sx+8(FP), R1
	MOVD dy+16(FP), R2
	MOVD sy+24(FP), R20
	MOVD w+32(FP), R21
	MOVD sw+40(FP), R15
	MOVD panels+48(FP), R16
	MOVD index+56(FP), R17
	LSL  $2, R1
	LSL  $2, R15
	WEIGHT_ROW(0, R7)
	WEIGHT_ROW(1, R8)
	WEIGHT_ROW(2, R9)
	WEIGHT_ROW(3, R10)
	WEIGHT_ROW(4, R11)
	WEIGHT_ROW(5, R12)
	WEIGHT_ROW(6, R13)
	WEIGHT_ROW(7, R14)
	ZERO2(V0, V1)
	ZERO2(V2, V3)
	ZERO2(V4, V5)
	ZERO2(V6, V7)

loop:
	BACKWARD_PAIRS(BACKWARD_STEP1X8, FMLA32)
	ADD  $96, R2
	ADD  R15, R7
	ADD  R15, R8
	ADD  R15, R9
	ADD  R15, R10
	ADD  R15, R11
	ADD  R15, R12
	ADD  R15, R13
	ADD  R15, R14
	SUBS $1, R16
	BNE  loop
	BACKWARD_STORE1(TOTAL32, FMOVS, 2, 0, 0, F0)
	BACKWARD_STORE1(TOTAL32, FMOVS, 2, 1, 1, F1)
	BACKWARD_STORE1(TOTAL32, FMOVS, 2, 2, 2, F2)
	BACKWARD_STORE1(TOTAL32, FMOVS, 2, 3, 3, F3)
	BACKWARD_STORE1(TOTAL32, FMOVS, 2, 4, 4, F4)
	BACKWARD_STORE1(TOTAL32, FMOVS, 2, 5, 5, F5)
	BACKWARD_STORE1(TOTAL32, FMOVS, 2, 6, 6, F6)
	BACKWARD_STORE1(TOTAL32, FMOVS, 2, 7, 7, F7)
	RET

TEXT ·backwardTile1x4x32(SB), NOSPLIT, $0-64
	MOVD dx+0(FP), R0
	MOVD sx+8(FP), R1
	MOVD dy+16(FP), R2
	MOVD sy+24(FP), R20
	MOVD w+32(FP), R21
	MOVD sw+40(FP), R15
	MOVD panels+48(FP), R16
	MOVD index+56(FP), R17
	LSL  $2, R1
	LSL  $2, R15
	WEIGHT_ROW(0, R7)
	WEIGHT_ROW(1, R8)
	WEIGHT_ROW(2, R9)
	WEIGHT_ROW(3, R10)
	ZERO2(V0, V1)
	ZERO2(V2, V3)

loop:
	BACKWARD_PAIRS(BACKWARD_STEP1X4, FMLA32)
	ADD  $96, R2
	ADD  R15, R7
	ADD  R15, R8
	ADD  R15, R9
	ADD  R15, R10
	SUBS $1, R16
	BNE  loop
	BACKWARD_STORE1(TOTAL32, FMOVS, 2, 0, 0, F0)
	BACKWARD_STORE1(TOTAL32, FMOVS, 2, 1, 1, F1)
	BACKWARD_STORE1(TOTAL32, FMOVS, 2, 2, 2, F2)
	BACKWARD_STORE1(TOTAL32, FMOVS, 2, 3, 3, F3)
	RET

TEXT ·backwardTile4x6x64(SB), NOSPLIT, $0-64
	MOVD dx+0(FP), R0
	MOVD sx+8(FP), R1
	MOVD dy+16(FP), R2
	MOVD sy+24(FP), R20
	MOVD w+32(FP), R21
	MOVD sw+40(FP), R15
	MOVD panels+48(FP), R16
	MOVD index+56(FP), R17
	LSL  $3, R1
	LSL  $3, R15
	LSL  $3, R20
	ADD  R20, R2, R3
	ADD  R20, R3, R4
	ADD  R20, R4, R5
	WEIGHT_ROW(0, R7)
	WEIGHT_ROW(1, R8)
	WEIGHT_ROW(2, R9)
	WEIGHT_ROW(3, R10)
	WEIGHT_ROW(4, R11)
	WEIGHT_ROW(5, R12)
	ZERO2(V0, V1)
	ZERO2(V2, V3)
	ZERO2(V4, V5)
	ZERO2(V6, V7)
	ZERO2(V8, V9)
	ZERO2(V10, V11)
	ZERO2(V12, V13)
	ZERO2(V14, V15)
	ZERO2(V16, V17)
	ZERO2(V18, V19)
	ZERO2(V20, V21)
	ZERO2(V22, V23)

loop:
	BACKWARD_SINGLES(BACKWARD_STEP4X6, FMLA64)
	ADD  $96, R2
	ADD  $96, R3
	ADD  $96, R4
	ADD  $96, R5
	ADD  R15, R7
	ADD  R15, R8
	ADD  R15, R9
	ADD  R15, R10
	ADD  R15, R11
	ADD  R15, R12
	SUBS $1, R16
	BNE  loop
	ADD  R1, R0, R2
	ADD  R1, R2, R3
	ADD  R1, R3, R4
	BACKWARD_STORE4(TOTAL64, FMOVD, 3, 0, 0, F0, F1, F2, F3)
	BACKWARD_STORE4(TOTAL64, FMOVD, 3, 1, 4, F4, F5, F6, F7)
	BACKWARD_STORE4(TOTAL64, FMOVD, 3, 2, 8, F8, F9, F10, F11)
	BACKWARD_STORE4(TOTAL64, FMOVD, 3, 3, 12, F12, F13, F14, F15)
	BACKWARD_STORE4(TOTAL64, FMOVD, 3, 4, 16, F16, F17, F18, F19)
	BACKWARD_STORE4(TOTAL64, FMOVD, 3, 5, 20, F20, F21, F22, F23)
	RET

TEXT ·backwardTile5x4x64(SB), NOSPLIT, $0-64
	MOVD dx+0(FP), R0
	MOVD sx+8(FP), R1
	MOVD dy+16(FP), R2
	MOVD sy+24(FP), R20
	MOVD w+32(FP), R21
	MOVD sw+40(FP), R15
	MOVD panels+48(FP), R16
	MOVD index+56(FP), R17
	LSL  $3, R1
	LSL  $3, R15
	LSL  $3, R20
	ADD  R20, R2, R3
	ADD  R20, R3, R4
	ADD  R20, R4, R5
	ADD  R20, R5, R6
	WEIGHT_ROW(0, R7)
	WEIGHT_ROW(1, R8)
	WEIGHT_ROW(2, R9)
	WEIGHT_ROW(3, R10)
	ZERO2(V0, V1)
	ZERO2(V2, V3)
	ZERO2(V4, V5)
	ZERO2(V6, V7)
	ZERO2(V8, V9)
	ZERO2(V10, V11)
	ZERO2(V12, V13)
	ZERO2(V14, V15)
	ZERO2(V16, V17)
	ZERO2(V18, V19)

loop:
	BACKWARD_SINGLES(BACKWARD_STEP5X4, FMLA64)
	ADD  $96, R2
	ADD  $96, R3
	ADD  $96, R4
	ADD  $96, R5
	ADD  $96, R6
	ADD  R15, R7
	ADD  R15, R8
	ADD  R15, R9
	ADD  R15, R10
	SUBS $1, R16
	BNE  loop
	ADD  R1, R0, R2
	ADD  R1, R2, R3
	ADD  R1, R3, R4
	ADD  R1, R4, R5
	BACKWARD_STORE5(TOTAL64, FMOVD, 3, 0, 0, F0, F1, F2, F3, F4)
	BACKWARD_STORE5(TOTAL64, FMOVD, 3, 1, 5, F5, F6, F7, F8, F9)
	BACKWARD_STORE5(TOTAL64, FMOVD, 3, 2, 10, F10, F11, F12, F13, F14)
	BACKWARD_STORE5(TOTAL64, FMOVD, 3, 3, 15, F15, F16, F17, F18, F19)
	RET

TEXT ·backwardTile2x6x64(SB), NOSPLIT, $0-64
	MOVD dx+0(FP), R0
	MOVD sx+8(FP), R1
	MOVD dy+16(FP), R2
	MOVD sy+24(FP), R20
	MOVD w+32(FP), R21
	MOVD sw+40(FP), R15
	MOVD panels+48(FP), R16
	MOVD index+56(FP), R17
	LSL  $3, R1
	LSL  $3, R15
	LSL  $3, R20
	ADD  R20, R2, R3
	WEIGHT_ROW(0, R7)
	WEIGHT_ROW(1, R8)
	WEIGHT_ROW(2, R9)
	WEIGHT_ROW(3, R10)
	WEIGHT_ROW(4, R11)
	WEIGHT_ROW(5, R12)
	ZERO2(V0, V1)
	ZERO2(V2, V3)
	ZERO2(V4, V5)
	ZERO2(V6, V7)
	ZERO2(V8, V9)
	ZERO2(V10, V11)

loop:
	BACKWARD_PAIRS(BACKWARD_STEP2X6, FMLA64)
	ADD  $96, R2
	ADD  $96, R3
	ADD  R15, R7
	ADD  R15, R8
	ADD  R15, R9
	ADD  R15, R10
	ADD  R15, R11
	ADD  R15, R12
	SUBS $1, R16
	BNE  loop
	ADD  R1, R0, R2
	BACKWARD_STORE2(TOTAL64, FMOVD, 3, 0, 0, F0, F1)
	BACKWARD_STORE2(TOTAL64, FMOVD, 3, 1, 2, F2, F3)
	BACKWARD_STORE2(TOTAL64, FMOVD, 3, 2, 4, F4, F5)
	BACKWARD_STORE2(TOTAL64, FMOVD, 3, 3, 6, F6, F7)
	BACKWARD_STORE2(TOTAL64, FMOVD, 3, 4, 8, F8, F9)
	BACKWARD_STORE2(TOTAL64, FMOVD, 3, 5, 10, F10, F11)
	RET

TEXT ·backwardTile2x5x64(SB), NOSPLIT, $0-64
	MOVD dx+0(FP), R0
	MOVD sx+8(FP), R1
	MOVD dy+16(FP), R2
	MOVD sy+24(FP), R20
	MOVD w+32(FP), R21
	MOVD sw+40(FP), R15
	MOVD panels+48(FP), R16
	MOVD index+56(FP), R17
	LSL  $3, R1
	LSL  $3, R15
	LSL  $3, R20
	ADD  R20, R2, R3
	WEIGHT_ROW(0, R7)
	WEIGHT_ROW(1, R8)
	WEIGHT_ROW(2, R9)
	WEIGHT_ROW(3, R10)
	WEIGHT_ROW(4, R11)
	ZERO2(V0, V1)
	ZERO2(V2, V3)
	ZERO2(V4, V5)
	ZERO2(V6, V7)
	ZERO2(V8, V9)

loop:
	BACKWARD_PAIRS(BACKWARD_STEP2X5, FMLA64)
	ADD  $96, R2
	ADD  $96, R3
	ADD  R15, R7
	ADD  R15, R8
	ADD  R15, R9
	ADD  R15, R10
	ADD  R15, R11
	SUBS $1, R16
	BNE  loop
	ADD  R1, R0, R2
	BACKWARD_STORE2(TOTAL64, FMOVD, 3, 0, 0, F0, F1)
	BACKWARD_STORE2(TOTAL64, FMOVD, 3, 1, 2, F2, F3)
	BACKWARD_STORE2(TOTAL64, FMOVD, 3, 2, 4, F4, F5)
	BACKWARD_STORE2(TOTAL64, FMOVD, 3, 3, 6, F6, F7)
	BACKWARD_STORE2(TOTAL64, FMOVD, 3, 4, 8, F8, F9)
	RET

TEXT ·backwardTile2x4x64(SB), NOSPLIT, $0-64
	MOVD dx+0(FP), R0
	MOVD sx+8(FP), R1
	MOVD dy+16(FP), R2
	MOVD sy+24(FP), R20
	MOVD w+32(FP), R21
	MOVD sw+40(FP), R15
	MOVD panels+48(FP), R16
	MOVD index+56(FP), R17
	LSL  $3, R1
	LSL  $3, R15
	LSL  $3, R20
	ADD  R20, R2, R3
	WEIGHT_ROW(0, R7)
	WEIGHT_ROW(1, R8)
	WEIGHT_ROW(2, R9)
	WEIGHT_ROW(3, R10)
	ZERO2(V0, V1)
	ZERO2(V2, V3)
	ZERO2(V4, V5)
	ZERO2(V6, V7)

loop:
	BACKWARD_PAIRS(BACKWARD_STEP2X4, FMLA64)
	ADD  $96, R2
	ADD  $96, R3
	ADD  R15, R7
	ADD  R15, R8
	ADD  R15, R9
	ADD  R15, R10
	SUBS $1, R16
	BNE  loop
	ADD  R1, R0, R2
	BACKWARD_STORE2(TOTAL64, FMOVD, 3, 0, 0, F0, F1)
	BACKWARD_STORE2(TOTAL64, FMOVD, 3, 1, 2, F2, F3)
	BACKWARD_STORE2(TOTAL64, FMOVD, 3, 2, 4, F4, F5)
	BACKWARD_STORE2(TOTAL64, FMOVD, 3, 3, 6, F6, F7)
	RET

TEXT ·backwardTile1x8x64(SB), NOSPLIT, $0-64
	MOVD dx+0(FP), R0
	MOVD sx+8(FP), R1
	MOVD dy+16(FP), R2
	MOVD sy+24(FP), R20
	MOVD w+32(FP), R21
	MOVD sw+40(FP), R15
	MOVD panels+48(FP), R16
	MOVD index+56(FP), R17
	LSL  $3, R1
	LSL  $3, R15
	WEIGHT_ROW(0, R7)
	WEIGHT_ROW(1, R8)
	WEIGHT_ROW(2, R9)
	WEIGHT_ROW(3, R10)
	WEIGHT_ROW(4, R11)
	WEIGHT_ROW(5, R12)
	WEIGHT_ROW(6, R13)
	WEIGHT_ROW(7, R14)
	ZERO2(V0, V1)
	ZERO2(V2, V3)
	ZERO2(V4, V5)
	ZERO2(V6, V7)

loop:
	BACKWARD_PAIRS(BACKWARD_STEP1X8, FMLA64)
	ADD  $96, R2
	ADD  R15, R7
	ADD  R15, R8
	ADD  R15, R9
	ADD  R15, R10
	ADD  R15, R11
	ADD  R15, R12
	ADD  R15, R13
	ADD  R15, R14
	SUBS $1, R16
	BNE  loop
	BACKWARD_STORE1(TOTAL64, FMOVD, 3, 0, 0, F0)
	BACKWARD_STORE1(TOTAL64, FMOVD, 3, 1, 1, F1)
	BACKWARD_STORE1(TOTAL64, FMOVD, 3, 2, 2, F2)
	BACKWARD_STORE1(TOTAL64, FMOVD, 3, 3, 3, F3)
	BACKWARD_STORE1(TOTAL64, FMOVD, 3, 4, 4, F4)
	BACKWARD_STORE1(TOTAL64, FMOVD, 3, 5, 5, F5)
	BACKWARD_STORE1(TOTAL64, FMOVD, 3, 6, 6, F6)
	BACKWARD_STORE1(TOTAL64, FMOVD, 3, 7, 7, F7)
	RET

TEXT ·backwardTile1x4x64(SB), NOSPLIT, $0-64
	MOVD dx+0(FP), R0
	MOVD sx+8(FP), R1
	MOVD dy+16(FP), R2
	MOVD sy+24(FP), R20
	MOVD w+32(FP), R21
	MOVD sw+40(FP), R15
	MOVD panels+48(FP), R16
	MOVD index+56(FP), R17
	LSL  $3, R1
	LSL  $3, R15
	WEIGHT_ROW(0, R7)
	WEIGHT_ROW(1, R8)
	WEIGHT_ROW(2, R9)
	WEIGHT_ROW(3, R10)
	ZERO2(V0, V1)
	ZERO2(V2, V3)

loop:
	BACKWARD_PAIRS(BACKWARD_STEP1X4, FMLA64)
	ADD  $96, R2
	ADD  R15, R7
	ADD  R15, R8
	ADD  R15, R9
	ADD  R15, R10
	SUBS $1, R16
	BNE  loop
	BACKWARD_STORE1(TOTAL64, FMOVD, 3, 0, 0, F0)
	BACKWARD_STORE1(TOTAL64, FMOVD, 3, 1, 1, F1)
	BACKWARD_STORE1(TOTAL64, FMOVD, 3, 2, 2, F2)
	BACKWARD_STORE1(TOTAL64, FMOVD, 3, 3, 3, F3)
	RET

// func updateTile(w, x *T, sx int, delta *T, n, groups int)
//
// V0 … V23 hold four inputs × one panel of weights.

#define UPDATE_GROUP_LOAD \
	LOAD_ROW(R0, F0, F1, F2, F3, F4, F5); \
	ADD $96, R0, R8; \
	LOAD_ROW(R8, F6, F7, F8, F9, F10, F11); \
	ADD $192, R0, R9; \
	LOAD_ROW(R9, F12, F13, F14, F15, F16, F17); \
	ADD $288, R0, R10; \
	LOAD_ROW(R10, F18, F19, F20, F21, F22, F23)

#define UPDATE_GROUP_STORE \
	STORE_ROW(R0, F0, F1, F2, F3, F4, F5); \
	STORE_ROW(R8, F6, F7, F8, F9, F10, F11); \
	STORE_ROW(R9, F12, F13, F14, F15, F16, F17); \
	STORE_ROW(R10, F18, F19, F20, F21, F22, F23)

TEXT ·updateTile32(SB), NOSPLIT, $0-48
	MOVD w+0(FP), R0
	MOVD x+8(FP), R1
	MOVD sx+16(FP), R2
	MOVD delta+24(FP), R3
	MOVD n+32(FP), R4
	MOVD groups+40(FP), R5
	LSL  $2, R2

group:
	UPDATE_GROUP_LOAD
	MOVD R1, R11
	MOVD R3, R12
	MOVD R4, R13

sample:
	FMOVQ (R11), F24
	LOAD_ROW(R12, F26, F27, F28, F29, F30, F31)
	ADD  R2, R11
	ADD  $96, R12
	FMLA_ROW(FMLA_ELEMENT32, 0, 24, 0)
	FMLA_ROW(FMLA_ELEMENT32, 6, 24, 1)
	FMLA_ROW(FMLA_ELEMENT32, 12, 24, 2)
	FMLA_ROW(FMLA_ELEMENT32, 18, 24, 3)
	SUBS $1, R13
	BNE  sample
	UPDATE_GROUP_STORE
	ADD  $384, R0
	ADD  $16, R1
	SUBS $1, R5
	BNE  group
	RET

TEXT ·updateTile64(SB), NOSPLIT, $0-48
	MOVD w+0(FP), R0
	MOVD x+8(FP), R1
	MOVD sx+16(FP), R2
	MOVD delta+24(FP), R3
	MOVD n+32(FP), R4
	MOVD groups+40(FP), R5
	LSL  $3, R2

group:
	UPDATE_GROUP_LOAD
	MOVD R1, R11
	MOVD R3, R12
	MOVD R4, R13

sample:
	FLDPQ (R11), (F24, F25)
	LOAD_ROW(R12, F26, F27, F28, F29, F30, F31)
	ADD  R2, R11
	ADD  $96, R12
	FMLA_ROW(FMLA_ELEMENT64, 0, 24, 0)
	FMLA_ROW(FMLA_ELEMENT64, 6, 24, 1)
	FMLA_ROW(FMLA_ELEMENT64, 12, 25, 0)
	FMLA_ROW(FMLA_ELEMENT64, 18, 25, 1)
	SUBS $1, R13
	BNE  sample
	UPDATE_GROUP_STORE
	ADD  $384, R0
	ADD  $32, R1
	SUBS $1, R5
	BNE  group
	RET

// func updateRow(w *T, sw int, x *T, sx int, delta *T, live *uint32, inputs int)
//
// One input after the other, over the samples whose bit is set in its mask R9.

// R10 is the lowest sample in the mask, V24 its input.
#define UPDATE_SAMPLE(LOAD) \
	RBIT R9, R10; \
	CLZ  R10, R10; \
	MUL  R3, R10, R11; \
	LOAD (R2)(R11), F24

#define UPDATE_NEXT_SAMPLE \
	SUB  $1, R9, R11; \
	ANDS R11, R9, R9

#define UPDATE_NEXT_INPUT(size) \
	ADD  $96, R0; \
	ADD  size, R2; \
	SUBS $1, R6

TEXT ·updateRow1x32(SB), NOSPLIT, $0-56
	MOVD w+0(FP), R0
	MOVD sw+8(FP), R1
	MOVD x+16(FP), R2
	MOVD sx+24(FP), R3
	MOVD delta+32(FP), R4
	MOVD live+40(FP), R5
	MOVD inputs+48(FP), R6
	LSL  $2, R1
	LSL  $2, R3

input:
	MOVWU.P 4(R5), R9
	CBZ  R9, next
	LOAD_ROW(R0, F0, F1, F2, F3, F4, F5)

sample:
	UPDATE_SAMPLE(FMOVS)
	ADD  R10<<1, R10, R12
	ADD  R12<<5, R4, R12
	LOAD_ROW(R12, F26, F27, F28, F29, F30, F31)
	FMLA_ROW(FMLA_ELEMENT32, 0, 24, 0)
	UPDATE_NEXT_SAMPLE
	BNE  sample
	STORE_ROW(R0, F0, F1, F2, F3, F4, F5)

next:
	UPDATE_NEXT_INPUT($4)
	BNE  input
	RET

TEXT ·updateRow2x32(SB), NOSPLIT, $0-56
	MOVD w+0(FP), R0
	MOVD sw+8(FP), R1
	MOVD x+16(FP), R2
	MOVD sx+24(FP), R3
	MOVD delta+32(FP), R4
	MOVD live+40(FP), R5
	MOVD inputs+48(FP), R6
	LSL  $2, R1
	LSL  $2, R3

input:
	MOVWU.P 4(R5), R9
	CBZ  R9, next
	ADD  R1, R0, R7
	LOAD_ROW(R0, F0, F1, F2, F3, F4, F5)
	LOAD_ROW(R7, F6, F7, F8, F9, F10, F11)

sample:
	UPDATE_SAMPLE(FMOVS)
	ADD  R10<<1, R10, R12
	ADD  R12<<6, R4, R12
	LOAD_ROW(R12, F26, F27, F28, F29, F30, F31)
	FMLA_ROW(FMLA_ELEMENT32, 0, 24, 0)
	ADD  $96, R12
	LOAD_ROW(R12, F26, F27, F28, F29, F30, F31)
	FMLA_ROW(FMLA_ELEMENT32, 6, 24, 0)
	UPDATE_NEXT_SAMPLE
	BNE  sample
	STORE_ROW(R0, F0, F1, F2, F3, F4, F5)
	STORE_ROW(R7, F6, F7, F8, F9, F10, F11)

next:
	UPDATE_NEXT_INPUT($4)
	BNE  input
	RET

TEXT ·updateRow3x32(SB), NOSPLIT, $0-56
	MOVD w+0(FP), R0
	MOVD sw+8(FP), R1
	MOVD x+16(FP), R2
	MOVD sx+24(FP), R3
	MOVD delta+32(FP), R4
	MOVD live+40(FP), R5
	MOVD inputs+48(FP), R6
	LSL  $2, R1
	LSL  $2, R3

input:
	MOVWU.P 4(R5), R9
	CBZ  R9, next
	ADD  R1, R0, R7
	ADD  R1, R7, R8
	LOAD_ROW(R0, F0, F1, F2, F3, F4, F5)
	LOAD_ROW(R7, F6, F7, F8, F9, F10, F11)
	LOAD_ROW(R8, F12, F13, F14, F15, F16, F17)

sample:
	UPDATE_SAMPLE(FMOVS)
	ADD  R10<<3, R10, R12
	ADD  R12<<5, R4, R12
	LOAD_ROW(R12, F26, F27, F28, F29, F30, F31)
	FMLA_ROW(FMLA_ELEMENT32, 0, 24, 0)
	ADD  $96, R12
	LOAD_ROW(R12, F26, F27, F28, F29, F30, F31)
	FMLA_ROW(FMLA_ELEMENT32, 6, 24, 0)
	ADD  $96, R12
	LOAD_ROW(R12, F26, F27, F28, F29, F30, F31)
	FMLA_ROW(FMLA_ELEMENT32, 12, 24, 0)
	UPDATE_NEXT_SAMPLE
	BNE  sample
	STORE_ROW(R0, F0, F1, F2, F3, F4, F5)
	STORE_ROW(R7, F6, F7, F8, F9, F10, F11)
	STORE_ROW(R8, F12, F13, F14, F15, F16, F17)

next:
	UPDATE_NEXT_INPUT($4)
	BNE  input
	RET

TEXT ·updateRow1x64(SB), NOSPLIT, $0-56
	MOVD w+0(FP), R0
	MOVD sw+8(FP), R1
	MOVD x+16(FP), R2
	MOVD sx+24(FP), R3
	MOVD delta+32(FP), R4
	MOVD live+40(FP), R5
	MOVD inputs+48(FP), R6
	LSL  $3, R1
	LSL  $3, R3

input:
	MOVWU.P 4(R5), R9
	CBZ  R9, next
	LOAD_ROW(R0, F0, F1, F2, F3, F4, F5)

sample:
	UPDATE_SAMPLE(FMOVD)
	ADD  R10<<1, R10, R12
	ADD  R12<<5, R4, R12
	LOAD_ROW(R12, F26, F27, F28, F29, F30, F31)
	FMLA_ROW(FMLA_ELEMENT64, 0, 24, 0)
	UPDATE_NEXT_SAMPLE
	BNE  sample
	STORE_ROW(R0, F0, F1, F2, F3, F4, F5)

next:
	UPDATE_NEXT_INPUT($8)
	BNE  input
	RET

TEXT ·updateRow2x64(SB), NOSPLIT, $0-56
	MOVD w+0(FP), R0
	MOVD sw+8(FP), R1
	MOVD x+16(FP), R2
	MOVD sx+24(FP), R3
	MOVD delta+32(FP), R4
	MOVD live+40(FP), R5
	MOVD inputs+48(FP), R6
	LSL  $3, R1
	LSL  $3, R3

input:
	MOVWU.P 4(R5), R9
	CBZ  R9, next
	ADD  R1, R0, R7
	LOAD_ROW(R0, F0, F1, F2, F3, F4, F5)
	LOAD_ROW(R7, F6, F7, F8, F9, F10, F11)

sample:
	UPDATE_SAMPLE(FMOVD)
	ADD  R10<<1, R10, R12
	ADD  R12<<6, R4, R12
	LOAD_ROW(R12, F26, F27, F28, F29, F30, F31)
	FMLA_ROW(FMLA_ELEMENT64, 0, 24, 0)
	ADD  $96, R12
	LOAD_ROW(R12, F26, F27, F28, F29, F30, F31)
	FMLA_ROW(FMLA_ELEMENT64, 6, 24, 0)
	UPDATE_NEXT_SAMPLE
	BNE  sample
	STORE_ROW(R0, F0, F1, F2, F3, F4, F5)
	STORE_ROW(R7, F6, F7, F8, F9, F10, F11)

next:
	UPDATE_NEXT_INPUT($8)
	BNE  input
	RET

TEXT ·updateRow3x64(SB), NOSPLIT, $0-56
	MOVD w+0(FP), R0
	MOVD sw+8(FP), R1
	MOVD x+16(FP), R2
	MOVD sx+24(FP), R3
	MOVD delta+32(FP), R4
	MOVD live+40(FP), R5
	MOVD inputs+48(FP), R6
	LSL  $3, R1
	LSL  $3, R3

input:
	MOVWU.P 4(R5), R9
	CBZ  R9, next
	ADD  R1, R0, R7
	ADD  R1, R7, R8
	LOAD_ROW(R0, F0, F1, F2, F3, F4, F5)
	LOAD_ROW(R7, F6, F7, F8, F9, F10, F11)
	LOAD_ROW(R8, F12, F13, F14, F15, F16, F17)

sample:
	UPDATE_SAMPLE(FMOVD)
	ADD  R10<<3, R10, R12
	ADD  R12<<5, R4, R12
	LOAD_ROW(R12, F26, F27, F28, F29, F30, F31)
	FMLA_ROW(FMLA_ELEMENT64, 0, 24, 0)
	ADD  $96, R12
	LOAD_ROW(R12, F26, F27, F28, F29, F30, F31)
	FMLA_ROW(FMLA_ELEMENT64, 6, 24, 0)
	ADD  $96, R12
	LOAD_ROW(R12, F26, F27, F28, F29, F30, F31)
	FMLA_ROW(FMLA_ELEMENT64, 12, 24, 0)
	UPDATE_NEXT_SAMPLE
	BNE  sample
	STORE_ROW(R0, F0, F1, F2, F3, F4, F5)
	STORE_ROW(R7, F6, F7, F8, F9, F10, F11)
	STORE_ROW(R8, F12, F13, F14, F15, F16, F17)

next:
	UPDATE_NEXT_INPUT($8)
	BNE  input
	RET

// func packDelta(dst *T, sd int, bias, dy *T, sy int, alpha T, n int)

#define PACK_SAMPLE(FMUL, FADD) \
	LOAD_ROW(R3, F26, F27, F28, F29, F30, F31); \
	FMUL(26, 26, 24); FMUL(27, 27, 24); FMUL(28, 28, 24); \
	FMUL(29, 29, 24); FMUL(30, 30, 24); FMUL(31, 31, 24); \
	STORE_ROW(R0, F26, F27, F28, F29, F30, F31); \
	FADD(0, 0, 26); FADD(1, 1, 27); FADD(2, 2, 28); \
	FADD(3, 3, 29); FADD(4, 4, 30); FADD(5, 5, 31); \
	ADD R1, R0; \
	ADD R4, R3

TEXT ·packDelta32(SB), NOSPLIT, $0-56
	MOVD  dst+0(FP), R0
	MOVD  sd+8(FP), R1
	MOVD  bias+16(FP), R2
	MOVD  dy+24(FP), R3
	MOVD  sy+32(FP), R4
	FMOVS alpha+40(FP), F24
	MOVD  n+48(FP), R5
	LSL   $2, R1
	LSL   $2, R4
	VDUP  V24.S[0], V24.S4
	LOAD_ROW(R2, F0, F1, F2, F3, F4, F5)

loop:
	PACK_SAMPLE(FMUL32, FADD32)
	SUBS  $1, R5
	BNE   loop
	STORE_ROW(R2, F0, F1, F2, F3, F4, F5)
	RET

TEXT ·packDelta64(SB), NOSPLIT, $0-56
	MOVD  dst+0(FP), R0
	MOVD  sd+8(FP), R1
	MOVD  bias+16(FP), R2
	MOVD  dy+24(FP), R3
	MOVD  sy+32(FP), R4
	FMOVD alpha+40(FP), F24
	MOVD  n+48(FP), R5
	LSL   $3, R1
	LSL   $3, R4
	VDUP  V24.D[0], V24.D2
	LOAD_ROW(R2, F0, F1, F2, F3, F4, F5)

loop:
	PACK_SAMPLE(FMUL64, FADD64)
	SUBS  $1, R5
	BNE   loop
	STORE_ROW(R2, F0, F1, F2, F3, F4, F5)
	RET

// func gate32(dx, gate *float32, n int)
TEXT ·gate32(SB), NOSPLIT, $0-24
	MOVD dx+0(FP), R0
	MOVD gate+8(FP), R1
	MOVD n+16(FP), R2

loop:
	FLDPQ.P 32(R1), (F0, F1)
	FLDPQ   (R0), (F2, F3)
	POSITIVE32(0, 0)
	POSITIVE32(1, 1)
	VAND    V0.B16, V2.B16, V2.B16
	VAND    V1.B16, V3.B16, V3.B16
	FSTPQ.P (F2, F3), 32(R0)
	SUBS    $1, R2
	BNE     loop
	RET

// func gate64(dx, gate *float64, n int)
TEXT ·gate64(SB), NOSPLIT, $0-24
	MOVD dx+0(FP), R0
	MOVD gate+8(FP), R1
	MOVD n+16(FP), R2

loop:
	FLDPQ.P 32(R1), (F0, F1)
	FLDPQ   (R0), (F2, F3)
	POSITIVE64(0, 0)
	POSITIVE64(1, 1)
	VAND    V0.B16, V2.B16, V2.B16
	VAND    V1.B16, V3.B16, V3.B16
	FSTPQ.P (F2, F3), 32(R0)
	SUBS    $1, R2
	BNE     loop
	RET

// Vector operations: n counts pairs of vectors, four pairs a round.

#define AXPY8(FMLA) \
	FLDPQ (R0), (F0, F1); FLDPQ 32(R0), (F2, F3); FLDPQ 64(R0), (F4, F5); FLDPQ 96(R0), (F6, F7); \
	FLDPQ (R1), (F16, F17); FLDPQ 32(R1), (F18, F19); FLDPQ 64(R1), (F20, F21); FLDPQ 96(R1), (F22, F23); \
	FMLA(0, 16, 24); FMLA(1, 17, 24); FMLA(2, 18, 24); FMLA(3, 19, 24); \
	FMLA(4, 20, 24); FMLA(5, 21, 24); FMLA(6, 22, 24); FMLA(7, 23, 24); \
	FSTPQ (F0, F1), (R0); FSTPQ (F2, F3), 32(R0); FSTPQ (F4, F5), 64(R0); FSTPQ (F6, F7), 96(R0); \
	ADD $128, R0; \
	ADD $128, R1

#define AXPY2(FMLA) \
	FLDPQ (R0), (F0, F1); \
	FLDPQ.P 32(R1), (F16, F17); \
	FMLA(0, 16, 24); FMLA(1, 17, 24); \
	FSTPQ.P (F0, F1), 32(R0)

#define SCALE8(FMUL) \
	FLDPQ (R0), (F0, F1); FLDPQ 32(R0), (F2, F3); FLDPQ 64(R0), (F4, F5); FLDPQ 96(R0), (F6, F7); \
	FMUL(0, 0, 24); FMUL(1, 1, 24); FMUL(2, 2, 24); FMUL(3, 3, 24); \
	FMUL(4, 4, 24); FMUL(5, 5, 24); FMUL(6, 6, 24); FMUL(7, 7, 24); \
	FSTPQ (F0, F1), (R0); FSTPQ (F2, F3), 32(R0); FSTPQ (F4, F5), 64(R0); FSTPQ (F6, F7), 96(R0); \
	ADD $128, R0

#define SCALE2(FMUL) \
	FLDPQ (R0), (F0, F1); \
	FMUL(0, 0, 24); FMUL(1, 1, 24); \
	FSTPQ.P (F0, F1), 32(R0)

// func axpy32(y *float32, a float32, x *float32, n int)
TEXT ·axpy32(SB), NOSPLIT, $0-32
	MOVD  y+0(FP), R0
	FMOVS a+8(FP), F24
	MOVD  x+16(FP), R1
	MOVD  n+24(FP), R2
	VDUP  V24.S[0], V24.S4
	SUBS  $4, R2
	BLT   tail

loop:
	AXPY8(FMLA32)
	SUBS  $4, R2
	BGE   loop

tail:
	ADDS  $4, R2
	BEQ   done

single:
	AXPY2(FMLA32)
	SUBS  $1, R2
	BNE   single

done:
	RET

// func scale32(x *float32, a float32, n int)
TEXT ·scale32(SB), NOSPLIT, $0-24
	MOVD  x+0(FP), R0
	FMOVS a+8(FP), F24
	MOVD  n+16(FP), R2
	VDUP  V24.S[0], V24.S4
	SUBS  $4, R2
	BLT   tail

loop:
	SCALE8(FMUL32)
	SUBS  $4, R2
	BGE   loop

tail:
	ADDS  $4, R2
	BEQ   done

single:
	SCALE2(FMUL32)
	SUBS  $1, R2
	BNE   single

done:
	RET

// func axpy64(y *float64, a float64, x *float64, n int)
TEXT ·axpy64(SB), NOSPLIT, $0-32
	MOVD  y+0(FP), R0
	FMOVD a+8(FP), F24
	MOVD  x+16(FP), R1
	MOVD  n+24(FP), R2
	VDUP  V24.D[0], V24.D2
	SUBS  $4, R2
	BLT   tail

loop:
	AXPY8(FMLA64)
	SUBS  $4, R2
	BGE   loop

tail:
	ADDS  $4, R2
	BEQ   done

single:
	AXPY2(FMLA64)
	SUBS  $1, R2
	BNE   single

done:
	RET

// func scale64(x *float64, a float64, n int)
TEXT ·scale64(SB), NOSPLIT, $0-24
	MOVD  x+0(FP), R0
	FMOVD a+8(FP), F24
	MOVD  n+16(FP), R2
	VDUP  V24.D[0], V24.D2
	SUBS  $4, R2
	BLT   tail

loop:
	SCALE8(FMUL64)
	SUBS  $4, R2
	BGE   loop

tail:
	ADDS  $4, R2
	BEQ   done

single:
	SCALE2(FMUL64)
	SUBS  $1, R2
	BNE   single

done:
	RET

// func evenPowers(sums *[4]float64, x *T, n int)
//
// Eight elements in V16 … V19, their squares in V20 … V23 and fourth powers in
// V24 … V27; V0 … V15 are the sums, four for each power.

#define POWERS(v) \
	FMUL64(20+v, 16+v, 16+v); \
	FMLA64(v, 16+v, 16+v); \
	FMUL64(24+v, 20+v, 20+v); \
	FMLA64(4+v, 20+v, 20+v); \
	FMLA64(8+v, 20+v, 24+v); \
	FMLA64(12+v, 24+v, 24+v)

#define POWER_SUM(v) \
	FADD64(v, v, v+1); \
	FADD64(v+2, v+2, v+3); \
	FADD64(v, v, v+2); \
	TOTAL64(v)

#define POWERS_ZERO \
	ZERO2(V0, V1); ZERO2(V2, V3); ZERO2(V4, V5); ZERO2(V6, V7); \
	ZERO2(V8, V9); ZERO2(V10, V11); ZERO2(V12, V13); ZERO2(V14, V15)

#define POWERS_STORE \
	POWER_SUM(0); POWER_SUM(4); POWER_SUM(8); POWER_SUM(12); \
	FMOVD F0, (R0); FMOVD F4, 8(R0); FMOVD F8, 16(R0); FMOVD F12, 24(R0)

TEXT ·evenPowers32(SB), NOSPLIT, $0-24
	MOVD sums+0(FP), R0
	MOVD x+8(FP), R1
	MOVD n+16(FP), R2
	POWERS_ZERO

loop:
	FLDPQ.P 32(R1), (F28, F29)
	WIDEN_LOW(16, 28)
	WIDEN_HIGH(17, 28)
	WIDEN_LOW(18, 29)
	WIDEN_HIGH(19, 29)
	POWERS(0)
	POWERS(1)
	POWERS(2)
	POWERS(3)
	SUBS $1, R2
	BNE  loop
	POWERS_STORE
	RET

TEXT ·evenPowers64(SB), NOSPLIT, $0-24
	MOVD sums+0(FP), R0
	MOVD x+8(FP), R1
	MOVD n+16(FP), R2
	POWERS_ZERO

loop:
	FLDPQ.P 32(R1), (F16, F17)
	FLDPQ.P 32(R1), (F18, F19)
	POWERS(0)
	POWERS(1)
	POWERS(2)
	POWERS(3)
	SUBS $1, R2
	BNE  loop
	POWERS_STORE
	RET

// func fmaPeak(n int)
//
// Twenty-four independent chains: enough for four pipes of latency five.

#define PEAK_ROW(FMLA, v) \
	FMLA(v, 30, 31); FMLA(v+1, 30, 31); FMLA(v+2, 30, 31); FMLA(v+3, 30, 31); FMLA(v+4, 30, 31); FMLA(v+5, 30, 31)

#define PEAK_ZERO \
	ZERO2(V0, V1); ZERO2(V2, V3); ZERO2(V4, V5); ZERO2(V6, V7); ZERO2(V8, V9); ZERO2(V10, V11); \
	ZERO2(V12, V13); ZERO2(V14, V15); ZERO2(V16, V17); ZERO2(V18, V19); ZERO2(V20, V21); ZERO2(V22, V23); \
	ZERO2(V30, V31)

TEXT ·fmaPeak32(SB), NOSPLIT, $0-8
	MOVD n+0(FP), R0
	PEAK_ZERO

loop:
	PEAK_ROW(FMLA32, 0)
	PEAK_ROW(FMLA32, 6)
	PEAK_ROW(FMLA32, 12)
	PEAK_ROW(FMLA32, 18)
	SUBS $1, R0
	BNE  loop
	RET

TEXT ·fmaPeak64(SB), NOSPLIT, $0-8
	MOVD n+0(FP), R0
	PEAK_ZERO

loop:
	PEAK_ROW(FMLA64, 0)
	PEAK_ROW(FMLA64, 6)
	PEAK_ROW(FMLA64, 12)
	PEAK_ROW(FMLA64, 18)
	SUBS $1, R0
	BNE  loop
	RET
