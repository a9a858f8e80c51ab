//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

//go:generate go run -C _asm . -out ../tiles_amd64.s -stubs ../stubs_amd64.go -pkg kernel

var haveSIMD = cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasBMI1 && cpu.X86.HasPOPCNT

const simdName = "avx2"
