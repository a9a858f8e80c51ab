package stability

import "sobolev/internal/parallel"

// blockRows divides the chunks of rows that workers take: whole blocks of kernel.Gemm, so
// that every element is the same sum wherever a chunk begins.
const blockRows = 64

// eachChunk calls f with ranges that make up the rows 0 … rows−1, on up to the given
// number of goroutines. f owns what belongs to its rows. Chunks are large, two for every
// worker: each packs the other factor of its product anew.
func eachChunk(workers, rows int, f func(from, to int)) {
	size := (rows/(2*max(1, workers)) + blockRows) / blockRows * blockRows
	if workers <= 1 || rows <= size {
		f(0, rows)
		return
	}
	parallel.Each(workers, (rows+size-1)/size, func(_, chunk int) {
		f(chunk*size, min((chunk+1)*size, rows))
	})
}
