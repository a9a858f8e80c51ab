// Vector instructions that the assembler for arm64 does not know.
//
// Registers are numbers in these macros, destination first, so that others can
// count through them; for that alone VFMLA and some others that it knows are among
// them.

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
#define GREATER32(d, n, m) WORD $(0x6EA0E400 | (m)<<16 | (n)<<5 | (d)) // FCMGT; a NaN is not greater
#define ADD_INTEGERS(d, n, m) WORD $(0x4EA08400 | (m)<<16 | (n)<<5 | (d))
#define MOVE(d, n) WORD $(0x4EA01C00 | (n)<<16 | (n)<<5 | (d))
#define ZERO(d) WORD $(0x6E201C00 | (d)<<16 | (d)<<5 | (d))
#define CHOOSE(d, n, m) WORD $(0x6EA01C00 | (m)<<16 | (n)<<5 | (d)) // d = n where the mask m is set
