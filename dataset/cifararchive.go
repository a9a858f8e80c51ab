package dataset

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// cifarMaxUnpacked caps what an archive may unpack to, other members included.
// The official one has 184 MB.
const cifarMaxUnpacked = 1 << 30

// cifarOthers are folders in the other archives of the data sets' page, and what
// they mean.
var cifarOthers = map[string]string{
	"cifar-10-batches-py":  "the Python version of CIFAR-10 (pickles)",
	"cifar-10-batches-mat": "the Matlab version of CIFAR-10",
	"cifar-100-binary":     "CIFAR-100",
	"cifar-100-python":     "CIFAR-100 (pickles)",
	"cifar-100-matlab":     "CIFAR-100",
}

// batchArchive reads the batches of a gzip-packed tar file in one pass, without
// unpacking to disk.
type batchArchive struct {
	name string
	src  *faultReader
	keep keptLabels

	found   [6]bool
	batches [6]batch
	other   string   // what the archive seems to be, if not this one
	seen    []string // its first members, for messages
}

// readBatchArchive reads the six batches, in whatever order the archive has
// them, and the SHA-256 of the archive as it is. name is used in messages.
//
// Only members NAME.bin directly in a folder cifar-10-batches-bin count; no name
// is ever used as a path. What is not a gzip-packed tar file, a damaged one and
// one without all six batches is [ErrMalformed]; other versions and other data
// sets are [ErrUnsupported], and so is what unpacks to more than 1 GiB.
func readBatchArchive(ctx context.Context, r io.Reader, name string, keep keptLabels) (batches []batch, sum string, err error) {
	packed := sha256.New()
	a := &batchArchive{name: name, keep: keep, src: &faultReader{r: io.TeeReader(ctxReader{ctx, r}, packed)}}
	if err := a.read(); err != nil {
		return nil, "", err
	}
	return a.batches[:], hex.EncodeToString(packed.Sum(nil)), nil
}

func (a *batchArchive) read() error {
	in := bufio.NewReaderSize(a.src, 256<<10)
	magic, err := in.Peek(2)
	if err != nil && err != io.EOF {
		return a.fail(err)
	}
	if len(magic) < 2 || magic[0] != 0x1f || magic[1] != 0x8b {
		return malformed(a.name, 0, "starts with % x, want 1f 8b: not a gzip file; want the archive %s", magic, cifarArchive)
	}
	zr, err := gzip.NewReader(in)
	if err != nil {
		return a.fail(err)
	}
	unpacked := &cappedReader{r: zr, left: cifarMaxUnpacked, err: unsupported(a.name, cifarMaxUnpacked,
		"unpacks to more than 2^30 bytes, the official archive to 184 MB")}
	members := tar.NewReader(unpacked)
	for {
		h, err := members.Next()
		if err == io.EOF {
			break
		}
		// Insecure names are no danger to a reader that writes no files.
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return a.fail(err)
		}
		if err := a.member(h, members); err != nil {
			return err
		}
	}
	if err := a.complete(); err != nil {
		return err
	}
	// Reading on makes gzip check its sum, and completes that of the archive.
	if _, err := io.Copy(io.Discard, unpacked); err != nil {
		return a.fail(err)
	}
	return nil
}

// member reads a member that is a batch, and remembers what the others tell.
func (a *batchArchive) member(h *tar.Header, content io.Reader) error {
	clean := path.Clean(h.Name)
	if len(a.seen) < 8 {
		a.seen = append(a.seen, fmt.Sprintf("%.80q", h.Name))
	}
	for folder := range strings.SplitSeq(clean, "/") {
		if what, ok := cifarOthers[folder]; ok {
			a.other = what
		}
	}
	k := slices.Index(cifarBatches, path.Base(clean))
	if k < 0 || path.Base(path.Dir(clean)) != cifarFolder {
		return nil
	}
	name := a.name + "(" + cifarBatches[k] + ")"
	switch {
	case h.Typeflag == tar.TypeGNUSparse || h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.map"] != "":
		// Its holes read as zeros, which nothing in the file pays for.
		return unsupported(name, -1, "a sparse member; pack the archive again without tar --sparse")
	case h.Typeflag != tar.TypeReg:
		return malformed(name, -1, "not a regular file (tar type %q)", h.Typeflag)
	case a.found[k]:
		return malformed(name, -1, "the archive has this file twice")
	}
	var err error
	a.found[k] = true
	a.batches[k], err = readBatch(content, name, a.keep)
	return err
}

// complete checks that all batches were there, or says what was instead.
func (a *batchArchive) complete() error {
	var missing []string
	for k, name := range cifarBatches {
		if !a.found[k] {
			missing = append(missing, name)
		}
	}
	switch {
	case len(missing) == 0:
		return nil
	case len(missing) < len(cifarBatches):
		return malformed(a.name, -1, "the archive lacks %s in %s", strings.Join(missing, ", "), cifarFolder)
	case a.other != "":
		return unsupported(a.name, -1, "this is %s; the binary version of CIFAR-10 is needed, %s", a.other, cifarArchive)
	}
	return malformed(a.name, -1, "the archive has no folder %s with %s to %s; it holds [%s]",
		cifarFolder, cifarBatches[0], cifarBatches[cifarTestBatch], strings.Join(a.seen, " "))
}

// fail sorts an error of the gzip or tar reader: theirs are about the file,
// unless reading it failed.
func (a *batchArchive) fail(err error) error {
	if a.src.err != nil {
		return fmt.Errorf("%s: %w", a.name, a.src.err)
	}
	err = readError(err, a.name, -1, "archive")
	if errors.Is(err, ErrMalformed) || errors.Is(err, ErrUnsupported) {
		return err
	}
	return malformed(a.name, -1, "not a tar archive, or a damaged one: %v", errors.Unwrap(err))
}

// faultReader keeps the first error of r that is not its end.
type faultReader struct {
	r   io.Reader
	err error
}

func (f *faultReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF && f.err == nil {
		f.err = err
	}
	return n, err
}

// cappedReader fails with err where r gives more than left bytes.
type cappedReader struct {
	r    io.Reader
	left int64
	err  error
}

func (c *cappedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, c.err
	}
	return n, err
}
