//go:build arm64 && !purego

#include "textflag.h"
#include "neon_arm64.h"

// The loops of the fused convolution with pooling, float32. Eight channels are two
// vectors. Offsets in images count elements, all other distances bytes.

#define ZERO4(v) ZERO(v); ZERO(v+1); ZERO(v+2); ZERO(v+3)
#define ZERO12(v) ZERO4(v); ZERO4(v+4); ZERO4(v+8)

// func convWindows(y *float32, offset *int32, x *float32, w *float32, bias *float32, step *[4]int32, row int, pixel int, out int, n int, at int)
//
// V0 … V15 hold the four pixels of a window × sixteen outputs, V24 … V27 the steps
// to the pixels.

// A round takes one element of a row of the patch: its weights in V16 … V19, the
// input under each of the four pixels in V20 … V23.
#define WINDOW_PIXEL(v, x) \
	FMLA_ELEMENT32(v, 16, x, 0); FMLA_ELEMENT32(v+1, 17, x, 0); \
	FMLA_ELEMENT32(v+2, 18, x, 0); FMLA_ELEMENT32(v+3, 19, x, 0)

#define WINDOW_ROUND(off) \
	FLDPQ (off)(R11), (F16, F17); \
	FLDPQ (off+32)(R11), (F18, F19); \
	FMOVS.P 4(R14), F20; FMOVS.P 4(R15), F21; FMOVS.P 4(R16), F22; FMOVS.P 4(R17), F23; \
	WINDOW_PIXEL(0, 20); WINDOW_PIXEL(4, 21); WINDOW_PIXEL(8, 22); WINDOW_PIXEL(12, 23)

// V(v) and its place V(p) become those of the larger of two pixels, the first one
// unless the other one is greater.
#define LARGER(v, p, other, place) \
	GREATER32(29, other, v); \
	CHOOSE(v, other, 29); \
	CHOOSE(p, place, 29)

// Four outputs: their places go to V(p).
#define POOL(v, p) \
	MOVE(p, 24); \
	LARGER(v, p, v+4, 25); \
	MOVE(30, 26); \
	LARGER(v+8, 30, v+12, 27); \
	LARGER(v, p, v+8, 30); \
	ADD_INTEGERS(p, p, 28); \
	FMAX32(v, v, 31)

TEXT ·convWindows(SB), NOSPLIT, $0-88
	MOVD y+0(FP), R0
	MOVD offset+8(FP), R1
	MOVD x+16(FP), R2
	MOVD w+24(FP), R3
	MOVD bias+32(FP), R4
	MOVD step+40(FP), R5
	MOVD row+48(FP), R6
	MOVD pixel+56(FP), R7
	MOVD out+64(FP), R8
	MOVD n+72(FP), R9
	MOVD at+80(FP), R10
	VLD4R (R5), [V24.S4, V25.S4, V26.S4, V27.S4]
	ZERO(31)

window:
	MOVD  R3, R11
	FLDPQ (R4), (F0, F1)
	FLDPQ 32(R4), (F2, F3)
	MOVE(4, 0); MOVE(5, 1); MOVE(6, 2); MOVE(7, 3)
	MOVE(8, 0); MOVE(9, 1); MOVE(10, 2); MOVE(11, 3)
	MOVE(12, 0); MOVE(13, 1); MOVE(14, 2); MOVE(15, 3)
	MOVD  R2, R12
	MOVD  $3, R13

line:
	MOVD R12, R14
	ADD  R7, R14, R15
	ADD  R6, R12
	MOVD R12, R16
	ADD  R7, R16, R17
	// Three elements for every channel.
	LSR  $2, R7, R19

three:
	WINDOW_ROUND(0)
	WINDOW_ROUND(64)
	WINDOW_ROUND(128)
	ADD  $192, R11
	SUBS $1, R19
	BNE  three
	SUBS $1, R13
	BNE  line

	VDUP  R10, V28.S4
	POOL(0, 16)
	POOL(1, 17)
	POOL(2, 18)
	POOL(3, 19)
	FSTPQ (F0, F1), (R0)
	FSTPQ (F2, F3), 32(R0)
	FSTPQ (F16, F17), (R1)
	FSTPQ (F18, F19), 32(R1)
	ADD   R8, R0
	ADD   R8, R1
	ADD   R7<<1, R2
	ADD   R7>>1, R10
	SUBS  $1, R9
	BNE   window
	RET

// func convPatches8(sum *float32, alpha float32, x *float32, dy *float32, offset *int32, stride int, row int, pixel int, image int, windows int, samples int, outs int)
//
// V0 … V17 hold the gradient of one output for eight channels.

// to = the first pixel of the patch of an output
#define PATCH(off, to) \
	MOVW off(R10), to; \
	ADD  to<<2, R8, to

// Three pixels of eight channels from R13 on.
#define PATCH_ROW8(v) \
	ADD   R5, R13, R14; \
	ADD   R5, R14, R15; \
	FLDPQ (R13), (F20, F21); \
	FLDPQ (R14), (F22, F23); \
	FLDPQ (R15), (F24, F25); \
	FMLA_ELEMENT32(v, 20, 18, 0); FMLA_ELEMENT32(v+1, 21, 18, 0); \
	FMLA_ELEMENT32(v+2, 22, 18, 0); FMLA_ELEMENT32(v+3, 23, 18, 0); \
	FMLA_ELEMENT32(v+4, 24, 18, 0); FMLA_ELEMENT32(v+5, 25, 18, 0)

// Adds alpha times the gradient of a row to the sum.
#define SUM_ROW8(v) \
	FLDPQ (R0), (F20, F21); \
	FLDPQ 32(R0), (F22, F23); \
	FLDPQ 64(R0), (F24, F25); \
	FMLA_ELEMENT32(20, v, 19, 0); FMLA_ELEMENT32(21, v+1, 19, 0); \
	FMLA_ELEMENT32(22, v+2, 19, 0); FMLA_ELEMENT32(23, v+3, 19, 0); \
	FMLA_ELEMENT32(24, v+4, 19, 0); FMLA_ELEMENT32(25, v+5, 19, 0); \
	FSTPQ (F20, F21), (R0); \
	FSTPQ (F22, F23), 32(R0); \
	FSTPQ (F24, F25), 64(R0); \
	ADD   $96, R0

TEXT ·convPatches8(SB), NOSPLIT, $0-96
	MOVD  sum+0(FP), R0
	FMOVS alpha+8(FP), F19
	MOVD  dy+24(FP), R1
	MOVD  offset+32(FP), R2
	MOVD  stride+40(FP), R3
	MOVD  row+48(FP), R4
	MOVD  pixel+56(FP), R5
	MOVD  image+64(FP), R6
	MOVD  outs+88(FP), R7

output:
	MOVD x+16(FP), R8
	MOVD R1, R9
	MOVD R2, R10
	MOVD samples+80(FP), R11
	ZERO12(0)
	ZERO4(12)
	ZERO(16)
	ZERO(17)

sample:
	MOVD windows+72(FP), R12

patch:
	PATCH(0, R13)
	FMOVS (R9), F18
	ADD   R4, R13, R16
	PATCH_ROW8(0)
	ADD   R4, R16, R17
	MOVD  R16, R13
	PATCH_ROW8(6)
	MOVD  R17, R13
	PATCH_ROW8(12)
	ADD   R3, R9
	ADD   R3, R10
	SUBS  $1, R12
	BNE   patch
	ADD   R6, R8
	SUBS  $1, R11
	BNE   sample
	SUM_ROW8(0)
	SUM_ROW8(6)
	SUM_ROW8(12)
	ADD   $4, R1
	ADD   $4, R2
	SUBS  $1, R7
	BNE   output
	RET

// func convPatches3(sum *float32, alpha float32, x *float32, dy *float32, offset *int32, stride int, row int, pixel int, image int, windows int, samples int, outs int)
//
// A row of a patch of three channels is nine adjacent elements: two vectors and one
// more. V0 … V8 hold the gradient of one output, V9 … V17 that of the next one;
// V18 and V26 are their deltas.

#define PATCH_ROW3(v, from, d) \
	FLDPQ (from), (F20, F21); \
	FMOVS 32(from), F22; \
	FMLA_ELEMENT32(v, 20, d, 0); FMLA_ELEMENT32(v+1, 21, d, 0); FMLA_ELEMENT32(v+2, 22, d, 0)

#define SUM_ROW3(v) \
	FLDPQ (R0), (F20, F21); \
	FMOVS 32(R0), F22; \
	FMLA_ELEMENT32(20, v, 19, 0); FMLA_ELEMENT32(21, v+1, 19, 0); FMLA_ELEMENT32(22, v+2, 19, 0); \
	FSTPQ (F20, F21), (R0); \
	FMOVS F22, 32(R0); \
	ADD   $36, R0

TEXT ·convPatches3(SB), NOSPLIT, $0-96
	MOVD  sum+0(FP), R0
	FMOVS alpha+8(FP), F19
	MOVD  dy+24(FP), R1
	MOVD  offset+32(FP), R2
	MOVD  stride+40(FP), R3
	MOVD  row+48(FP), R4
	MOVD  image+64(FP), R6
	MOVD  outs+88(FP), R7

output:
	MOVD x+16(FP), R8
	MOVD R1, R9
	MOVD R2, R10
	MOVD samples+80(FP), R11
	ZERO12(0)
	ZERO4(12)
	ZERO(16)
	ZERO(17)

sample:
	MOVD windows+72(FP), R12

patch:
	PATCH(0, R13)
	PATCH(4, R16)
	FMOVS (R9), F18
	FMOVS 4(R9), F26
	ADD   R4, R13, R14
	ADD   R4, R14, R15
	PATCH_ROW3(0, R13, 18)
	PATCH_ROW3(3, R14, 18)
	PATCH_ROW3(6, R15, 18)
	ADD   R4, R16, R14
	ADD   R4, R14, R15
	PATCH_ROW3(9, R16, 26)
	PATCH_ROW3(12, R14, 26)
	PATCH_ROW3(15, R15, 26)
	ADD   R3, R9
	ADD   R3, R10
	SUBS  $1, R12
	BNE   patch
	ADD   R6, R8
	SUBS  $1, R11
	BNE   sample
	SUM_ROW3(0)
	SUM_ROW3(3)
	SUM_ROW3(6)
	SUM_ROW3(9)
	SUM_ROW3(12)
	SUM_ROW3(15)
	ADD   $8, R1
	ADD   $8, R2
	SUBS  $2, R7
	BNE   output
	RET

// func convSpread8(dx *float32, w *float32, record *byte, size int, dist int, row int, pixel int, n int)
//
// V0 … V23 hold the 3×4 pixels of two positions side by side. R9 goes through the
// deltas of a record, R10 is the end of those of a position.

#define SPREAD_TAP(off, v) \
	FLDPQ off(R11), (F25, F26); \
	FMLA_ELEMENT32(v, 25, 24, 0); FMLA_ELEMENT32(v+1, 26, 24, 0)

#define SPREAD_POSITION(q, side, output, end) \
	MOVW  (4+4*q)(R2), R10; \
	ADD   R2, R10; \
	CMP   R10, R9; \
	BEQ   end; \
output: \
	MOVW    (R9)(R4), R11; \
	ADD     R1, R11; \
	FMOVS.P 4(R9), F24; \
	SPREAD_TAP(0, 2*side); SPREAD_TAP(32, 2*side+2); SPREAD_TAP(64, 2*side+4); \
	SPREAD_TAP(96, 2*side+8); SPREAD_TAP(128, 2*side+10); SPREAD_TAP(160, 2*side+12); \
	SPREAD_TAP(192, 2*side+16); SPREAD_TAP(224, 2*side+18); SPREAD_TAP(256, 2*side+20); \
	CMP     R10, R9; \
	BNE     output; \
end:

#define SPREAD_PIXEL(v) \
	FLDPQ (R13), (F25, F26); \
	FADD32(25, 25, v); \
	FADD32(26, 26, v+1); \
	FSTPQ (F25, F26), (R13); \
	ADD   R6, R13

#define SPREAD_ROW(v) \
	MOVD R12, R13; \
	SPREAD_PIXEL(v); \
	SPREAD_PIXEL(v+2); \
	SPREAD_PIXEL(v+4); \
	SPREAD_PIXEL(v+6); \
	ADD  R5, R12

#define SPREAD_ROWS \
	MOVD R8, R12; \
	SPREAD_ROW(0); \
	SPREAD_ROW(8); \
	SPREAD_ROW(16); \
	ADD  R5, R8

TEXT ·convSpread8(SB), NOSPLIT, $0-64
	MOVD dx+0(FP), R0
	MOVD w+8(FP), R1
	MOVD record+16(FP), R2
	MOVD size+24(FP), R3
	MOVD dist+32(FP), R4
	MOVD row+40(FP), R5
	MOVD pixel+48(FP), R6
	MOVD n+56(FP), R7

window:
	MOVW (R2), R8
	ADD  R0, R8
	ADD  $32, R2, R9
	ZERO12(0)
	ZERO12(12)
	SPREAD_POSITION(0, 0, output0, end0)
	SPREAD_POSITION(1, 1, output1, end1)
	SPREAD_ROWS
	ZERO12(0)
	ZERO12(12)
	SPREAD_POSITION(2, 0, output2, end2)
	SPREAD_POSITION(3, 1, output3, end3)
	SPREAD_ROWS
	ADD  R3, R2
	SUBS $1, R7
	BNE  window
	RET

// func convSpreadImage(dx *float32, w *float32, dy *float32, offset *int32, row int, n int, outs int, at int)
//
// V0 … V11 hold a window, a row of its pixels in three of them.

#define IMAGE_FOUR(v) \
	FMLA_ELEMENT32(v, 16, 12, 0); FMLA_ELEMENT32(v+1, 17, 12, 0); \
	FMLA_ELEMENT32(v+2, 18, 12, 0); FMLA_ELEMENT32(v+3, 19, 12, 0)

#define IMAGE_ROW(v) \
	FLDPQ (R13), (F16, F17); \
	FMOVQ 32(R13), F18; \
	FADD32(16, 16, v); \
	FADD32(17, 17, v+1); \
	FADD32(18, 18, v+2); \
	FSTPQ (F16, F17), (R13); \
	FMOVQ F18, 32(R13); \
	ADD   R4, R13

TEXT ·convSpreadImage(SB), NOSPLIT, $0-64
	MOVD dx+0(FP), R0
	MOVD w+8(FP), R1
	MOVD dy+16(FP), R2
	MOVD offset+24(FP), R3
	MOVD row+32(FP), R4
	MOVD n+40(FP), R5
	MOVD at+56(FP), R7
	// From the offset in the window, {0, 3} in the upper row and {row, row+3} below,
	// to that of the weights: 64 bytes an element, less what the row has too much.
	LSL  $4, R4, R8
	SUB  $384, R8

window:
	ZERO12(0)
	MOVD R1, R9
	MOVD outs+48(FP), R10

output:
	MOVW.P  4(R3), R11
	SUB     R7, R11
	CMP     $3, R11
	CSEL    GT, R8, ZR, R12
	LSL     $6, R11
	SUB     R12, R11
	ADD     R9, R11
	FMOVS.P 4(R2), F12
	FLDPQ   (R11), (F16, F17)
	FLDPQ   32(R11), (F18, F19)
	IMAGE_FOUR(0)
	FLDPQ   64(R11), (F16, F17)
	FLDPQ   96(R11), (F18, F19)
	IMAGE_FOUR(4)
	FLDPQ   128(R11), (F16, F17)
	FLDPQ   160(R11), (F18, F19)
	IMAGE_FOUR(8)
	ADD     $768, R9
	SUBS    $1, R10
	BNE     output

	MOVD R0, R13
	IMAGE_ROW(0)
	IMAGE_ROW(3)
	IMAGE_ROW(6)
	IMAGE_ROW(9)
	ADD  $24, R0
	ADD  $6, R7
	SUBS $1, R5
	BNE  window
	RET

// func convColumnSums(sum *float32, alpha float32, dy *float32, stride int, n int, vectors int)
TEXT ·convColumnSums(SB), NOSPLIT, $0-48
	MOVD  sum+0(FP), R0
	FMOVS alpha+8(FP), F19
	MOVD  dy+16(FP), R1
	MOVD  stride+24(FP), R2
	MOVD  n+32(FP), R3
	MOVD  vectors+40(FP), R4

column:
	ZERO(0)
	ZERO(1)
	MOVD  R1, R5
	MOVD  R3, R6

row:
	FLDPQ (R5), (F20, F21)
	FADD32(0, 0, 20)
	FADD32(1, 1, 21)
	ADD   R2, R5
	SUBS  $1, R6
	BNE   row
	FLDPQ (R0), (F20, F21)
	FMLA_ELEMENT32(20, 0, 19, 0)
	FMLA_ELEMENT32(21, 1, 19, 0)
	FSTPQ.P (F20, F21), 32(R0)
	ADD   $32, R1
	SUBS  $1, R4
	BNE   column
	RET
