//go:build !race

package kernel

const poolForgets = false
