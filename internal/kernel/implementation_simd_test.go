//go:build (amd64 || arm64) && !purego

package kernel

func setSIMD(on bool) { simd = on }

func setSkipZeros(on bool) { skipZeros = on }
