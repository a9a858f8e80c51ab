//go:build amd64 && !purego

package kernel

func setWinograd(on bool) { winograd = on }
