package kernel

// Name says which implementation runs: "avx2", "neon" or "portable".
func Name() string {
	if simd {
		return simdName
	}
	return "portable"
}

// A row of packed deltas and the mask of live samples hold up to maskBits
// samples; tiles span up to maxPanels panels.
const (
	maskBits  = 32
	maxPanels = 3
	// maskChunks: the masks of so many chunks of samples are kept.
	maskChunks = 2
)
