package experiment

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// The purposes of random streams.
const (
	subsetPurpose = "subset"
	initPurpose   = "initialisation"
	orderPurpose  = "order"
	// The estimates of a solution's stability, and of a probe.
	stabilityPurpose = "stability"
	probePurpose     = "probe"
	forkPurpose      = "order after a fork"
)

// stream derives the seed of an independent random stream. It depends on the
// experiment's seed, the purpose and the repetition alone, never on η, B or the
// grid, so that all η of one repetition start from the same weights.
func stream(seed uint64, purpose string, repetition int) uint64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "sobolev/%d/%s/%d", seed, purpose, repetition))
	return binary.LittleEndian.Uint64(sum[:])
}

func generator(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(stream, ^stream)) }
