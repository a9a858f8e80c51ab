//go:build arm64 && !purego

package kernel

// The functions of tiles_arm64.s, with the names and arguments of those on amd64.

// forwardTile32 computes four rows of one panel, y = init + x·w over n inputs.
//
//go:noescape
func forwardTile32(y *float32, sy int, x *float32, sx int, w *float32, n int, init *float32, si int, relu bool)

// forwardLive2x2x32 computes groups of 2 rows for 2 panels, sw elements apart,
// over the count[g] inputs listed in row g of live.
//
//go:noescape
func forwardLive2x2x32(y *float32, sy int, x *float32, sx int, w *float32, sw int, live *uint16, sl int, count *int, groups int, init *float32, si int, relu bool)

// forwardLive2x1x32 computes groups of 2 rows for one panel, sw elements apart,
// over the count[g] inputs listed in row g of live.
//
//go:noescape
func forwardLive2x1x32(y *float32, sy int, x *float32, sx int, w *float32, sw int, live *uint16, sl int, count *int, groups int, init *float32, si int, relu bool)

// forwardLive1x2x32 computes groups of one row for 2 panels, sw elements apart,
// over the count[g] inputs listed in row g of live.
//
//go:noescape
func forwardLive1x2x32(y *float32, sy int, x *float32, sx int, w *float32, sw int, live *uint16, sl int, count *int, groups int, init *float32, si int, relu bool)

// forwardLive1x1x32 computes groups of one row for one panel, sw elements apart,
// over the count[g] inputs listed in row g of live.
//
//go:noescape
func forwardLive1x1x32(y *float32, sy int, x *float32, sx int, w *float32, sw int, live *uint16, sl int, count *int, groups int, init *float32, si int, relu bool)

// backwardTile4x6x32 computes dx = dy·w of 4 samples for the 6 inputs listed in index;
// the panels of w are sw elements apart.
//
//go:noescape
func backwardTile4x6x32(dx *float32, sx int, dy *float32, sy int, w *float32, sw int, panels int, index *uint16)

// backwardTile5x4x32 computes dx = dy·w of 5 samples for the 4 inputs listed in index;
// the panels of w are sw elements apart.
//
//go:noescape
func backwardTile5x4x32(dx *float32, sx int, dy *float32, sy int, w *float32, sw int, panels int, index *uint16)

// backwardTile2x6x32 computes dx = dy·w of 2 samples for the 6 inputs listed in index;
// the panels of w are sw elements apart.
//
//go:noescape
func backwardTile2x6x32(dx *float32, sx int, dy *float32, sy int, w *float32, sw int, panels int, index *uint16)

// backwardTile2x5x32 computes dx = dy·w of 2 samples for the 5 inputs listed in index;
// the panels of w are sw elements apart.
//
//go:noescape
func backwardTile2x5x32(dx *float32, sx int, dy *float32, sy int, w *float32, sw int, panels int, index *uint16)

// backwardTile2x4x32 computes dx = dy·w of 2 samples for the 4 inputs listed in index;
// the panels of w are sw elements apart.
//
//go:noescape
func backwardTile2x4x32(dx *float32, sx int, dy *float32, sy int, w *float32, sw int, panels int, index *uint16)

// backwardTile1x8x32 computes dx = dy·w of one sample for the 8 inputs listed in index;
// the panels of w are sw elements apart.
//
//go:noescape
func backwardTile1x8x32(dx *float32, sx int, dy *float32, sy int, w *float32, sw int, panels int, index *uint16)

// backwardTile1x4x32 computes dx = dy·w of one sample for the 4 inputs listed in index;
// the panels of w are sw elements apart.
//
//go:noescape
func backwardTile1x4x32(dx *float32, sx int, dy *float32, sy int, w *float32, sw int, panels int, index *uint16)

// updateTile32 adds xᵀ·delta over n samples to groups times four rows of a panel; delta is n×panel, packed.
//
//go:noescape
func updateTile32(w *float32, x *float32, sx int, delta *float32, n int, groups int)

// updateRow1x32 adds x·delta to one panel, sw elements apart, for every sample in the masks live;
// delta is n×1 panel, packed.
//
//go:noescape
func updateRow1x32(w *float32, sw int, x *float32, sx int, delta *float32, live *uint32, inputs int)

// updateRow2x32 adds x·delta to 2 panels, sw elements apart, for every sample in the masks live;
// delta is n×2 panels, packed.
//
//go:noescape
func updateRow2x32(w *float32, sw int, x *float32, sx int, delta *float32, live *uint32, inputs int)

// updateRow3x32 adds x·delta to 3 panels, sw elements apart, for every sample in the masks live;
// delta is n×3 panels, packed.
//
//go:noescape
func updateRow3x32(w *float32, sw int, x *float32, sx int, delta *float32, live *uint32, inputs int)

// packDelta32 writes alpha·dy of one panel and n samples to dst and adds it to bias.
//
//go:noescape
func packDelta32(dst *float32, sd int, bias *float32, dy *float32, sy int, alpha float32, n int)

// gate32 sets dx to zero where gate is not positive; n counts pairs of vectors.
//
//go:noescape
func gate32(dx *float32, gate *float32, n int)

// axpy32 adds a·x to y; n counts pairs of vectors.
//
//go:noescape
func axpy32(y *float32, a float32, x *float32, n int)

// scale32 multiplies x by a; n counts pairs of vectors.
//
//go:noescape
func scale32(x *float32, a float32, n int)

// dot32 sets sums to Σ x·y, lane by lane of two vectors; n counts pairs of vectors.
//
//go:noescape
func dot32(sums *[8]float32, x *float32, y *float32, n int)

// evenPowers32 sets sums to Σx², Σx⁴, Σx⁶, Σx⁸ in float64; n counts groups of eight elements.
//
//go:noescape
func evenPowers32(sums *[4]float64, x *float32, n int)

// fmaPeak32 runs n rounds of twelve pairs of multiply-adds on vectors of 16 bytes.
//
//go:noescape
func fmaPeak32(n int)

// forwardTile64 computes four rows of one panel, y = init + x·w over n inputs.
//
//go:noescape
func forwardTile64(y *float64, sy int, x *float64, sx int, w *float64, n int, init *float64, si int, relu bool)

// forwardLive2x2x64 computes groups of 2 rows for 2 panels, sw elements apart,
// over the count[g] inputs listed in row g of live.
//
//go:noescape
func forwardLive2x2x64(y *float64, sy int, x *float64, sx int, w *float64, sw int, live *uint16, sl int, count *int, groups int, init *float64, si int, relu bool)

// forwardLive2x1x64 computes groups of 2 rows for one panel, sw elements apart,
// over the count[g] inputs listed in row g of live.
//
//go:noescape
func forwardLive2x1x64(y *float64, sy int, x *float64, sx int, w *float64, sw int, live *uint16, sl int, count *int, groups int, init *float64, si int, relu bool)

// forwardLive1x2x64 computes groups of one row for 2 panels, sw elements apart,
// over the count[g] inputs listed in row g of live.
//
//go:noescape
func forwardLive1x2x64(y *float64, sy int, x *float64, sx int, w *float64, sw int, live *uint16, sl int, count *int, groups int, init *float64, si int, relu bool)

// forwardLive1x1x64 computes groups of one row for one panel, sw elements apart,
// over the count[g] inputs listed in row g of live.
//
//go:noescape
func forwardLive1x1x64(y *float64, sy int, x *float64, sx int, w *float64, sw int, live *uint16, sl int, count *int, groups int, init *float64, si int, relu bool)

// backwardTile4x6x64 computes dx = dy·w of 4 samples for the 6 inputs listed in index;
// the panels of w are sw elements apart.
//
//go:noescape
func backwardTile4x6x64(dx *float64, sx int, dy *float64, sy int, w *float64, sw int, panels int, index *uint16)

// backwardTile5x4x64 computes dx = dy·w of 5 samples for the 4 inputs listed in index;
// the panels of w are sw elements apart.
//
//go:noescape
func backwardTile5x4x64(dx *float64, sx int, dy *float64, sy int, w *float64, sw int, panels int, index *uint16)

// backwardTile2x6x64 computes dx = dy·w of 2 samples for the 6 inputs listed in index;
// the panels of w are sw elements apart.
//
//go:noescape
func backwardTile2x6x64(dx *float64, sx int, dy *float64, sy int, w *float64, sw int, panels int, index *uint16)

// backwardTile2x5x64 computes dx = dy·w of 2 samples for the 5 inputs listed in index;
// the panels of w are sw elements apart.
//
//go:noescape
func backwardTile2x5x64(dx *float64, sx int, dy *float64, sy int, w *float64, sw int, panels int, index *uint16)

// backwardTile2x4x64 computes dx = dy·w of 2 samples for the 4 inputs listed in index;
// the panels of w are sw elements apart.
//
//go:noescape
func backwardTile2x4x64(dx *float64, sx int, dy *float64, sy int, w *float64, sw int, panels int, index *uint16)

// backwardTile1x8x64 computes dx = dy·w of one sample for the 8 inputs listed in index;
// the panels of w are sw elements apart.
//
//go:noescape
func backwardTile1x8x64(dx *float64, sx int, dy *float64, sy int, w *float64, sw int, panels int, index *uint16)

// backwardTile1x4x64 computes dx = dy·w of one sample for the 4 inputs listed in index;
// the panels of w are sw elements apart.
//
//go:noescape
func backwardTile1x4x64(dx *float64, sx int, dy *float64, sy int, w *float64, sw int, panels int, index *uint16)

// updateTile64 adds xᵀ·delta over n samples to groups times four rows of a panel; delta is n×panel, packed.
//
//go:noescape
func updateTile64(w *float64, x *float64, sx int, delta *float64, n int, groups int)

// updateRow1x64 adds x·delta to one panel, sw elements apart, for every sample in the masks live;
// delta is n×1 panel, packed.
//
//go:noescape
func updateRow1x64(w *float64, sw int, x *float64, sx int, delta *float64, live *uint32, inputs int)

// updateRow2x64 adds x·delta to 2 panels, sw elements apart, for every sample in the masks live;
// delta is n×2 panels, packed.
//
//go:noescape
func updateRow2x64(w *float64, sw int, x *float64, sx int, delta *float64, live *uint32, inputs int)

// updateRow3x64 adds x·delta to 3 panels, sw elements apart, for every sample in the masks live;
// delta is n×3 panels, packed.
//
//go:noescape
func updateRow3x64(w *float64, sw int, x *float64, sx int, delta *float64, live *uint32, inputs int)

// packDelta64 writes alpha·dy of one panel and n samples to dst and adds it to bias.
//
//go:noescape
func packDelta64(dst *float64, sd int, bias *float64, dy *float64, sy int, alpha float64, n int)

// gate64 sets dx to zero where gate is not positive; n counts pairs of vectors.
//
//go:noescape
func gate64(dx *float64, gate *float64, n int)

// axpy64 adds a·x to y; n counts pairs of vectors.
//
//go:noescape
func axpy64(y *float64, a float64, x *float64, n int)

// scale64 multiplies x by a; n counts pairs of vectors.
//
//go:noescape
func scale64(x *float64, a float64, n int)

// dot64 sets sums to Σ x·y, lane by lane of two vectors; n counts pairs of vectors.
//
//go:noescape
func dot64(sums *[4]float64, x *float64, y *float64, n int)

// evenPowers64 sets sums to Σx², Σx⁴, Σx⁶, Σx⁸ in float64; n counts groups of eight elements.
//
//go:noescape
func evenPowers64(sums *[4]float64, x *float64, n int)

// fmaPeak64 runs n rounds of twelve pairs of multiply-adds on vectors of 16 bytes.
//
//go:noescape
func fmaPeak64(n int)
