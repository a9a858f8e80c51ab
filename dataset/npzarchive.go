package dataset

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
)

const (
	// A byte of deflated data unpacks to at most 1,032 bytes, so a member that
	// declares more lies.
	maxDeflateRatio = 1032
	// Numbers seldom shrink below a quarter: memory for that much is taken at
	// once, and more only as it is really unpacked.
	usualDeflateRatio = 4
)

// zipFile is an opened .npz archive.
type zipFile struct {
	*zip.Reader
	name string
	size int64
}

func openZip(r io.ReaderAt, size int64, name string) (*zipFile, error) {
	zr, err := zip.NewReader(r, size)
	if errors.Is(err, zip.ErrFormat) {
		return nil, malformed(name, -1, "not a zip archive; an .npz file is written by np.savez(x=..., y=...)")
	}
	if err != nil {
		return nil, malformed(name, -1, "the zip directory cannot be read: %v", err)
	}
	return &zipFile{Reader: zr, name: name, size: size}, nil
}

// member finds the array with the given key; nil if there is none.
func (z *zipFile) member(key string) (*zip.File, error) {
	var found *zip.File
	for _, f := range z.File {
		if f.Name != key+".npy" {
			continue
		}
		if found != nil {
			return nil, malformed(z.name, -1, "two arrays %q", key)
		}
		found = f
	}
	return found, nil
}

// keys lists the first arrays of the archive, for messages.
func (z *zipFile) keys() string {
	var keys []string
	for _, f := range z.File[:min(len(z.File), 20)] {
		keys = append(keys, strconv.Quote(strings.TrimSuffix(f.Name, ".npy")))
	}
	return strings.Join(keys, " ")
}

// withArray opens a member, checks that its declared sizes agree, and hands
// over the array.
func (z *zipFile) withArray(ctx context.Context, f *zip.File, use func(*npyArray) error) error {
	name := z.name + "(" + f.Name + ")"
	if f.Flags&1 != 0 {
		return unsupported(name, -1, "an encrypted member")
	}
	packed, raw := f.CompressedSize64, f.UncompressedSize64
	start, err := f.DataOffset()
	if err != nil {
		return malformed(name, -1, "its place in the archive cannot be read: %v", err)
	}
	if start > z.size || packed > uint64(z.size-start) {
		return malformed(name, -1, "%d packed bytes are declared, more than the file holds", packed)
	}
	switch {
	case f.Method == zip.Store && packed != raw:
		return malformed(name, -1, "stored, but the sizes %d and %d differ", packed, raw)
	case f.Method == zip.Deflate && raw/maxDeflateRatio > packed:
		return malformed(name, -1, "%d bytes cannot unpack to the declared %d", packed, raw)
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return unsupported(name, -1, "compression method %d; stored and deflated members are read", f.Method)
	}
	r, err := f.Open()
	if err != nil {
		return malformed(name, -1, "%v", err)
	}
	defer r.Close()
	a, err := openNPY(ctxReader{ctx, r}, name)
	if err != nil {
		return err
	}
	if want := uint64(a.offset) + uint64(a.total)*uint64(a.typ.size); raw != want {
		return malformed(name, a.offset, "shape %v needs a member of %d bytes, it has %d", a.shape, want, raw)
	}
	a.reserve = min(a.total, int(min(packed*usualDeflateRatio, raw))/a.typ.size)
	return use(a)
}
