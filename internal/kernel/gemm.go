package kernel

import "sync"

// Gemm computes C = alpha op(A) op(B) + beta C, where op transposes where the
// flag says so. C is m×n, op(A) m×k and op(B) k×n, all row-major with the row
// strides lda, ldb, ldc of the matrices as they are stored. With beta = 0 the
// old C is not read. C must not overlap A or B. It panics if a stride is shorter
// than a row or a slice too short for its matrix.
func Gemm[T Float](transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	rowsA, colsA, rowsB, colsB := m, k, k, n
	if transA {
		rowsA, colsA = k, m
	}
	if transB {
		rowsB, colsB = n, k
	}
	if m < 0 || n < 0 || k < 0 || !fits(len(a), rowsA, colsA, lda) || !fits(len(b), rowsB, colsB, ldb) || !fits(len(c), m, n, ldc) {
		panic("kernel: Gemm: slice or stride too short")
	}
	if m == 0 || n == 0 {
		return
	}
	for i := range m {
		row := c[i*ldc : i*ldc+n]
		switch beta {
		case 0:
			clear(row)
		case 1:
		default:
			Scale(row, beta)
		}
	}
	if k == 0 || alpha == 0 {
		return
	}
	s := getScratch[T]()
	width := PanelWidth[T]()
	for l := 0; l < k; l += gemmDepth {
		depth := min(gemmDepth, k-l)
		for j := 0; j < n; j += gemmPanels * width {
			cols := min(gemmPanels*width, n-j)
			s.packB(b, ldb, transB, l, depth, j, cols, alpha)
			for i := 0; i < m; i += gemmRows {
				rows := min(gemmRows, m-i)
				x, sx := s.rowsA(a, lda, transA, i, rows, l, depth)
				s.block(c[i*ldc+j:], ldc, x, sx, rows, cols, depth)
			}
		}
	}
	putScratch(s)
}

func fits(length, rows, cols, stride int) bool {
	return rows == 0 || cols == 0 || stride >= cols && length >= (rows-1)*stride+cols
}

// Sizes of the blocks: a panel of B of gemmDepth rows takes 18 KiB of the first
// cache beside four rows of A, and the panels and rows of a block 200 + 100 KiB
// of the second.
const (
	gemmDepth  = 192
	gemmPanels = 11
	gemmRows   = 64
)

// gemmScratch holds the packed panels alpha·op(B), a block of op(A) where it is
// transposed or has fewer rows than a tile, and a tile for the edges of C.
type gemmScratch[T Float] struct {
	b, a, edge []T
}

var scratch32, scratch64 sync.Pool

func scratchPool[T Float]() *sync.Pool {
	if PanelWidth[T]() == PanelWidth[float32]() {
		return &scratch32
	}
	return &scratch64
}

func getScratch[T Float]() *gemmScratch[T] {
	if s, ok := scratchPool[T]().Get().(*gemmScratch[T]); ok {
		return s
	}
	width := PanelWidth[T]()
	return &gemmScratch[T]{
		b:    aligned[T](gemmDepth * gemmPanels * width),
		a:    aligned[T](gemmRows * gemmDepth),
		edge: aligned[T](RowBlock * width),
	}
}

func putScratch[T Float](s *gemmScratch[T]) { scratchPool[T]().Put(s) }

// packB writes alpha·op(B) of depth rows from l on and cols columns from j on
// as panels [cols/width][depth][width], the last one padded with zeros.
func (s *gemmScratch[T]) packB(b []T, ldb int, trans bool, l, depth, j, cols int, alpha T) {
	width := PanelWidth[T]()
	for p := 0; p < cols; p += width {
		panel := s.b[p*depth : (p+width)*depth]
		n := min(width, cols-p)
		if n < width {
			clear(panel)
		}
		if trans {
			for q := range n {
				for i, v := range b[(j+p+q)*ldb+l : (j+p+q)*ldb+l+depth] {
					panel[i*width+q] = alpha * v
				}
			}
			continue
		}
		for i := range depth {
			dst := panel[i*width : i*width+n]
			src := b[(l+i)*ldb+j+p:][:n]
			for q, v := range src {
				dst[q] = alpha * v
			}
		}
	}
}

// rowsA returns rows of op(A) with their stride: A itself where it can be used
// as it lies, otherwise a copy with at least as many rows as a tile.
func (s *gemmScratch[T]) rowsA(a []T, lda int, trans bool, i, rows, l, depth int) ([]T, int) {
	if !trans && rows%RowBlock == 0 {
		return a[i*lda+l:], lda
	}
	for r := range (rows + RowBlock - 1) / RowBlock * RowBlock {
		dst := s.a[r*gemmDepth : r*gemmDepth+depth]
		switch {
		case r >= rows:
			clear(dst)
		case trans:
			for q := range dst {
				dst[q] = a[(l+q)*lda+i+r]
			}
		default:
			copy(dst, a[(i+r)*lda+l:][:depth])
		}
	}
	return s.a, gemmDepth
}

// block adds x·B to a block of C, tile by tile.
func (s *gemmScratch[T]) block(c []T, ldc int, x []T, sx, rows, cols, depth int) {
	width := PanelWidth[T]()
	for p := 0; p < cols; p += width {
		panel := s.b[p*depth : (p+width)*depth]
		for r := 0; r < rows; r += RowBlock {
			h, n := min(RowBlock, rows-r), min(width, cols-p)
			if h == RowBlock && n == width {
				addTile(c[r*ldc+p:], ldc, x[r*sx:], sx, panel, depth)
				continue
			}
			for i := range h {
				copy(s.edge[i*width:], c[(r+i)*ldc+p:][:n])
			}
			addTile(s.edge, width, x[r*sx:], sx, panel, depth)
			for i := range h {
				copy(c[(r+i)*ldc+p:][:n], s.edge[i*width:])
			}
		}
	}
}

// addTile computes c += x·panel for one tile.
func addTile[T Float](c []T, ldc int, x []T, sx int, panel []T, depth int) {
	if simd {
		forwardTile(&c[0], ldc, &x[0], sx, &panel[0], depth, &c[0], ldc, false)
		return
	}
	width := PanelWidth[T]()
	for j := 0; j < width; j += 2 {
		forwardBlock(c[j:], ldc, x, sx, panel[j:], width, depth, c[j:], ldc)
	}
}
