//go:build race

package kernel

// The race detector makes sync.Pool forget at random.
const poolForgets = true
