//go:build !race

package nn

const poolForgets = false
