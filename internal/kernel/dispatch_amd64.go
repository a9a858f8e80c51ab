//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

//go:generate go run -C _asm . -out ../tiles_amd64.s -stubs ../stubs_amd64.go -pkg kernel

// simd chooses the tiles in assembly. It is a variable for the tests alone.
var simd = haveSIMD

var haveSIMD = cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasBMI1 && cpu.X86.HasPOPCNT

// skipZeros lets the products leave out exact zeros. It is a variable for the
// benchmarks alone.
var skipZeros = true

const simdName = "avx2"
