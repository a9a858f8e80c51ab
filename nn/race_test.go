//go:build race

package nn

// The race detector makes sync.Pool forget at random, in the kernels.
const poolForgets = true
