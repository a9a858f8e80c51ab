package dataset

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
)

// The header of an array is read here and not by a library: the one in reach
// (npyio) slices hostile headers out of range, believes their sizes, and does
// not complete short reads, which unpacking streams return.

// npyArray is one array of numbers of a NumPy file, positioned after its header.
type npyArray struct {
	name    string // "file.npz(x.npy)"
	r       io.Reader
	offset  int64 // bytes read so far
	typ     npyType
	fortran bool
	shape   []int
	total   int // product of shape
	reserve int // elements that the packed bytes make believable: memory for them may be taken at once
}

// npyType is a numeric element type.
type npyType struct {
	kind  byte // 'f', 'i', 'u'
	size  int
	order binary.ByteOrder
}

const (
	npyMagic     = "\x93NUMPY"
	maxNPYHeader = 64 << 10
	maxNPYDims   = 8
)

func (a *npyArray) full(buf []byte, what string) error {
	n, err := io.ReadFull(a.r, buf)
	a.offset += int64(n)
	if err != nil {
		return readError(err, a.name, a.offset, what)
	}
	return nil
}

// openNPY reads the header of an array.
func openNPY(r io.Reader, name string) (*npyArray, error) {
	a := &npyArray{name: name, r: r}
	var lead [8]byte
	if err := a.full(lead[:], "magic string"); err != nil {
		return nil, err
	}
	if string(lead[:6]) != npyMagic {
		return nil, malformed(name, 0, "starts with % x, want 93 4e 55 4d 50 59: not a NumPy array", lead[:6])
	}
	var length int
	switch lead[6] {
	case 1:
		var b [2]byte
		if err := a.full(b[:], "header length"); err != nil {
			return nil, err
		}
		length = int(binary.LittleEndian.Uint16(b[:]))
	case 2, 3:
		var b [4]byte
		if err := a.full(b[:], "header length"); err != nil {
			return nil, err
		}
		length = int(min(binary.LittleEndian.Uint32(b[:]), maxNPYHeader+1))
	default:
		return nil, unsupported(name, 6, "version %d of the NumPy format; versions 1 to 3 are read", lead[6])
	}
	if length > maxNPYHeader {
		return nil, malformed(name, a.offset, "a header of more than %d bytes", maxNPYHeader)
	}
	start := a.offset
	head := make([]byte, length)
	if err := a.full(head, "header"); err != nil {
		return nil, err
	}
	return a, a.parse(string(head), start)
}

// parse takes the header apart: a Python dictionary of exactly the keys descr,
// fortran_order and shape.
func (a *npyArray) parse(head string, start int64) error {
	dict, at, err := parsePyDict(head)
	if err != nil {
		return malformed(a.name, start+int64(at), "header: %v", err)
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if _, ok := dict[key]; !ok {
			return malformed(a.name, start, "header lacks the key %q", key)
		}
	}
	if len(dict) != 3 {
		return malformed(a.name, start, "header has %d keys, want descr, fortran_order and shape", len(dict))
	}
	descr, ok := dict["descr"].(string)
	if !ok {
		return unsupported(a.name, start, "a structured array; save plain numeric arrays with np.savez(x=..., y=...)")
	}
	if a.typ, err = parseDescr(descr, a.name, start); err != nil {
		return err
	}
	if a.fortran, ok = dict["fortran_order"].(bool); !ok {
		return malformed(a.name, start, "header: fortran_order is neither True nor False")
	}
	shape, ok := dict["shape"].([]int64)
	if !ok {
		return malformed(a.name, start, "header: shape is not a tuple of whole numbers")
	}
	if len(shape) > maxNPYDims {
		return unsupported(a.name, start, "%d dimensions; at most %d are read", len(shape), maxNPYDims)
	}
	a.total = 1
	for _, size := range shape {
		if size < 1 {
			return malformed(a.name, start, "shape %v has no elements", shape)
		}
		if size > int64(maxElements/a.total) {
			return unsupported(a.name, start, "shape %v has more than 2^30 elements", shape)
		}
		a.total *= int(size)
		a.shape = append(a.shape, int(size))
	}
	return nil
}

// parseDescr reads an element type such as "<f4" or "|u1".
func parseDescr(descr, name string, at int64) (npyType, error) {
	var t npyType
	if strings.HasSuffix(strings.TrimLeft(descr, "<>|="), "O") {
		return t, unsupported(name, at, "an array of Python objects (saved with dtype=object); save numeric arrays with np.savez(x=..., y=...)")
	}
	wrong := func() (npyType, error) {
		return npyType{}, unsupported(name, at, "elements of type %q; float32, float64 and whole numbers of 8 to 64 bits are read (convert with .astype)", descr)
	}
	if len(descr) != 3 {
		return wrong()
	}
	switch descr[0] {
	case '<', '|':
		t.order = binary.LittleEndian
	case '>':
		t.order = binary.BigEndian
	default:
		return wrong()
	}
	t.kind, t.size = descr[1], int(descr[2]-'0')
	switch descr[1:] {
	case "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8":
	default:
		return wrong()
	}
	if descr[0] == '|' && t.size > 1 {
		return wrong()
	}
	return t, nil
}

// whole reports whether the elements are whole numbers.
func (t npyType) whole() bool { return t.kind != 'f' }

// decode converts len(dst) elements. Whole numbers above 2⁵³ are rounded.
func (t npyType) decode(dst []float64, src []byte) {
	for i := range dst {
		b := src[i*t.size : (i+1)*t.size]
		var u uint64
		switch t.size {
		case 1:
			u = uint64(b[0])
		case 2:
			u = uint64(t.order.Uint16(b))
		case 4:
			u = uint64(t.order.Uint32(b))
		default:
			u = t.order.Uint64(b)
		}
		switch {
		case t.kind == 'f' && t.size == 4:
			dst[i] = float64(math.Float32frombits(uint32(u)))
		case t.kind == 'f':
			dst[i] = math.Float64frombits(u)
		case t.kind == 'i':
			shift := 64 - 8*t.size
			dst[i] = float64(int64(u<<shift) >> shift)
		default:
			dst[i] = float64(u)
		}
	}
}

// values reads all elements and hands them to put with their position in
// row-major order, whatever the order in the file. Then it checks that the
// stream ends, which makes the zip reader compare its checksum.
func (a *npyArray) values(ctx context.Context, put func(at int, v float64) error) error {
	const chunk = 4096
	raw := make([]byte, min(chunk, a.total)*a.typ.size)
	vals := make([]float64, min(chunk, a.total))
	walk := newFortranWalk(a.shape)
	for done := 0; done < a.total; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(chunk, a.total-done)
		if err := a.full(raw[:n*a.typ.size], "elements"); err != nil {
			return err
		}
		a.typ.decode(vals[:n], raw)
		for i, v := range vals[:n] {
			at := done + i
			if a.fortran {
				at = walk.next()
			}
			if err := put(at, v); err != nil {
				return err
			}
		}
		done += n
	}
	var extra [1]byte
	switch _, err := io.ReadFull(a.r, extra[:]); {
	case err == nil:
		return malformed(a.name, a.offset, "more bytes follow after all %d elements", a.total)
	case err != io.EOF:
		return readError(err, a.name, a.offset, "end of the array")
	}
	return nil
}

// fortranWalk visits an array with the first index running fastest and returns
// row-major positions.
type fortranWalk struct {
	shape, stride, index []int
	at                   int
}

func newFortranWalk(shape []int) *fortranWalk {
	w := &fortranWalk{shape: shape, stride: make([]int, len(shape)), index: make([]int, len(shape))}
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		w.stride[i] = step
		step *= shape[i]
	}
	return w
}

func (w *fortranWalk) next() int {
	at := w.at
	for i := range w.shape {
		w.index[i]++
		w.at += w.stride[i]
		if w.index[i] < w.shape[i] {
			break
		}
		w.at -= w.index[i] * w.stride[i]
		w.index[i] = 0
	}
	return at
}

// indexOf writes the row-major position at as "x[3,17]".
func (a *npyArray) indexOf(key string, at int) string {
	parts := make([]string, len(a.shape))
	for i := len(a.shape) - 1; i >= 0; i-- {
		parts[i] = fmt.Sprint(at % a.shape[i])
		at /= a.shape[i]
	}
	return key + "[" + strings.Join(parts, ",") + "]"
}
