//go:build (amd64 || arm64) && !purego

package kernel

// simd chooses the tiles in assembly. It is a variable for the tests alone.
var simd = haveSIMD

// skipZeros lets the products leave out exact zeros. It is a variable for the
// benchmarks alone.
var skipZeros = true
