package rundir

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
)

// indexFile holds the records of a run in binary form, so that a run with ten
// thousand points is read in a second. It is derived from the points and may be
// deleted at any time. A record in it counts only while the files that it was read
// from have the stamps that they had; a damaged index counts for nothing.
const indexFile = ".index"

// An index is worth writing when it spares some work, and again when a share of
// its records have changed: then all writing together takes no more than some
// twenty times the last one, however a run grows.
const (
	leastIndexed = 8
	staleShare   = 20
)

// entry is one record as the index keeps it.
type entry struct {
	stamp pointStamp
	// For a decoder: the outline of the Record, and the rest of its Result.
	outline, rest []byte
}

// index is what a run's index file held.
type index struct {
	entries map[string]entry // by the name of the point's folder
	texts   []string
}

// indexMagic begins the file; what follows depends on the types.
func indexMagic() []byte {
	types := signature(reflect.TypeFor[pointStamp]()) + signature(reflect.TypeFor[Record]())
	return binary.LittleEndian.AppendUint32([]byte("sobolev index 2\n"), crc32.Checksum([]byte(types), castagnoli))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// readIndex returns an index without entries if there is none, or none that counts.
func (d *Dir) readIndex() index {
	data, err := os.ReadFile(filepath.Join(d.Path, indexFile))
	if err != nil {
		return index{}
	}
	return parseIndex(data)
}

// parseIndex reads the magic, the table of texts, and for every record its name,
// its stamp and, each behind its length, its outline and the rest; the last four
// bytes are the checksum.
func parseIndex(data []byte) index {
	magic := indexMagic()
	body := len(data) - crc32.Size
	if body < len(magic) || !bytes.HasPrefix(data, magic) ||
		crc32.Checksum(data[:body], castagnoli) != binary.LittleEndian.Uint32(data[body:]) {
		return index{}
	}
	r := decoder{data: data[len(magic):body]}
	r.texts = make([]string, 0, r.count())
	for range cap(r.texts) {
		r.texts = append(r.texts, string(r.take(r.count())))
	}
	n := r.count()
	x := index{entries: make(map[string]entry, n), texts: r.texts}
	for range n {
		name := r.text()
		var e entry
		r.value(reflect.ValueOf(&e.stamp).Elem())
		e.outline = r.take(r.count())
		e.rest = r.take(r.count())
		x.entries[name] = e
	}
	if r.err != nil {
		return index{}
	}
	return x
}

// record returns the record of a folder, the whole or its outline, if it is known and
// its files have not changed.
func (x index) record(name string, s pointStamp, whole bool) (Record, bool) {
	e, ok := x.entries[name]
	if !ok || e.stamp != s {
		return Record{}, false
	}
	var r Record
	ok = x.decode(e.outline, &r) && r.Name == name
	if ok && whole && r.Result != nil {
		all := new(Result)
		ok = x.decode(e.rest, all)
		all.takeOutline(r.Result)
		r.Result = all
	}
	return r, ok
}

// decode reads a value to the last byte of its data.
func (x index) decode(data []byte, to any) bool {
	d := decoder{data: data, texts: x.texts}
	d.value(reflect.ValueOf(to).Elem())
	return d.err == nil && len(d.data) == 0
}

// encodeIndex is the index file of the records, which have these stamps.
func encodeIndex(records []Record, stamps []pointStamp) []byte {
	var entries []byte
	e := encoder{numbers: map[string]uint64{}}
	part := func(v any) {
		e.data = e.data[:0]
		e.value(reflect.ValueOf(v).Elem())
		entries = append(binary.AppendUvarint(entries, uint64(len(e.data))), e.data...)
	}
	for i, r := range records {
		e.data = e.data[:0]
		e.text(r.Name)
		e.value(reflect.ValueOf(&stamps[i]).Elem())
		entries = append(entries, e.data...)
		outline, rest := r.outline(), Result{}
		if r.Result != nil {
			rest = *r.Result
			rest.takeOutline(new(Result))
		}
		part(&outline)
		part(&rest)
	}
	out := binary.AppendUvarint(indexMagic(), uint64(len(e.texts)))
	for _, s := range e.texts {
		out = append(binary.AppendUvarint(out, uint64(len(s))), s...)
	}
	out = append(binary.AppendUvarint(out, uint64(len(records))), entries...)
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

// writeIndex places the index without waiting for the disk: a checksum tells half
// an index. That it cannot be written, in somebody else's run or on a full disk,
// only costs time.
func (d *Dir) writeIndex(records []Record, stamps []pointStamp) {
	_ = place(filepath.Join(d.Path, indexFile), encodeIndex(records, stamps), false)
}
