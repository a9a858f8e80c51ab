//go:build arm64 && !purego

package kernel

// Every arm64 processor that Go supports has NEON.
const (
	haveSIMD = true
	simdName = "neon"
)
