//go:build (!amd64 && !arm64) || purego

package kernel

func setSIMD(bool) {}

func setSkipZeros(bool) {}
