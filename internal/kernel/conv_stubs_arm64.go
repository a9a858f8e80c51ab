//go:build arm64 && !purego

package kernel

// The functions of conv_arm64.s, with the names and arguments of those on amd64.

// convWindows computes 16 outputs of n pooling windows that lie side by side.
// step holds the offsets of the four patches in a window, in elements; at is the offset of the first window;
// row, pixel and out are the distances between rows and pixels of x and pixels of y, in bytes.
//
//go:noescape
func convWindows(y *float32, offset *int32, x *float32, w *float32, bias *float32, step *[4]int32, row int, pixel int, out int, n int, at int)

// convPatches8 adds alpha·Σ dy·patch to sum, [outs][3][3][8], over the windows of all samples.
// dy and offset have stride bytes from window to window; row, pixel and image are the distances in the images in bytes.
//
//go:noescape
func convPatches8(sum *float32, alpha float32, x *float32, dy *float32, offset *int32, stride int, row int, pixel int, image int, windows int, samples int, outs int)

// convPatches3 adds alpha·Σ dy·patch to sum, [outs][3][9], over the windows of all samples; outs is even.
// dy and offset have stride bytes from window to window; row, pixel and image are the distances in the images in bytes.
//
//go:noescape
func convPatches3(sum *float32, alpha float32, x *float32, dy *float32, offset *int32, stride int, row int, pixel int, image int, windows int, samples int, outs int)

// convSpread8 adds to dx the patches dy·w of n windows with records, w being [outs][3][3][8].
//
//go:noescape
func convSpread8(dx *float32, w *float32, record *byte, size int, dist int, row int, pixel int, n int)

// convSpreadImage adds to dx, an image of three channels, the patches dy·w of n windows that lie side by side.
// w is [outs][4][4][4][3]: by the position of the maximum, a patch among the pixels of its window. outs is a multiple
// of 16; at is the offset of the first window, where dx starts; row is the distance between rows in bytes.
//
//go:noescape
func convSpreadImage(dx *float32, w *float32, dy *float32, offset *int32, row int, n int, outs int, at int)

// convColumnSums adds alpha·Σ dy over n rows, stride bytes apart, to sum; columns are counted in vectors of eight.
//
//go:noescape
func convColumnSums(sum *float32, alpha float32, dy *float32, stride int, n int, vectors int)
