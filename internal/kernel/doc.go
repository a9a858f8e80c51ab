// Package kernel holds the arithmetic that training and measuring spend their
// time in: the three products of a dense layer on weights that stay packed for
// good, convolutions and pooling, a general matrix product, and vector operations.
//
// Every operation exists in portable Go and, where the processor allows it, in
// assembly; which one runs is decided once, at program start, and Name tells.
// Build tag purego removes the assembly. The assembly sees whole tiles of
// padded data; loops over tiles, edges and the choice between dense and sparse
// tiles are Go.
//
// Arguments that are too short are the caller's bug and panic with a fixed
// string. Nothing allocates but the constructors and the first calls of Gemm and
// ConvPool.Forward, which keep their scratch for the next ones. What the kernels reach, and what was
// tried, is in performance.md.
package kernel

// Float is the set of element types that every kernel supports.
type Float interface{ float32 | float64 }

// RowBlock is the number of samples in a tile. Callers that need a sample's
// result to be independent of its batch, bit for bit, pad batches with zero
// rows to a multiple of it.
const RowBlock = 4
