package rundir

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"sobolev/internal/parallel"
)

// A stamp tells a file from every other content that it had or will have: all our
// files change by rename, which gives them another inode and change time; where
// the system tells neither, size and modification time must do. The zero stamp is
// that of no file.
type stamp struct {
	Size, Modified, Changed int64
	Inode                   uint64
}

// pointStamp is that of the files which make a point's Record.
type pointStamp struct{ Point, Status, Result stamp }

// folderStamp is that of a folder that may be a point's: every file that comes, goes
// or is replaced changes the folder's own.
type folderStamp struct {
	Folder stamp
	Files  pointStamp
}

// stampFolder looks at a folder; isPoint says that it is a point's. One that is gone is
// none.
func stampFolder(path string) (s folderStamp, isPoint bool, err error) {
	for _, f := range []struct {
		path string
		to   *stamp
	}{
		{path, &s.Folder},
		{filepath.Join(path, pointFile), &s.Files.Point},
		{filepath.Join(path, statusFile), &s.Files.Status},
		{filepath.Join(path, resultFile), &s.Files.Result},
	} {
		info, err := os.Stat(f.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return s, false, err
		}
		*f.to = stampOf(info)
	}
	return s, s.Files.Point != stamp{}, nil
}

// Stamp tells the state of the run's points from every other that they had or will
// have, without reading them: by the stamps of their folders and of the files that
// make their Records.
func (d *Dir) Stamp() (string, error) {
	names, err := d.folders()
	if err != nil {
		return "", err
	}
	stamps, errs := make([]folderStamp, len(names)), make([]error, len(names))
	parallel.Each(runtime.GOMAXPROCS(0), len(names), func(_, i int) {
		stamps[i], _, errs[i] = stampFolder(filepath.Join(d.Path, pointsFolder, names[i]))
	})
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	sum := newStampSum()
	for i, name := range names {
		sum.add(name, stamps[i])
	}
	return sum.String(), nil
}

// stampSum is the digest of the stamps of all folders, in the order of their names.
type stampSum struct {
	hash.Hash
	text []byte
}

func newStampSum() *stampSum { return &stampSum{Hash: sha256.New()} }

func (sum *stampSum) add(name string, s folderStamp) {
	sum.text = append(sum.text[:0], name...)
	sum.text = append(sum.text, 0) // names of files have none
	for _, s := range [...]stamp{s.Folder, s.Files.Point, s.Files.Status, s.Files.Result} {
		for _, v := range [...]uint64{uint64(s.Size), uint64(s.Modified), uint64(s.Changed), s.Inode} {
			sum.text = binary.LittleEndian.AppendUint64(sum.text, v)
		}
	}
	sum.Write(sum.text)
}

func (sum *stampSum) String() string { return hex.EncodeToString(sum.Sum(nil)) }
