package dataset

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"
)

// tarMember is one member for tarred; a zero kind is a regular file.
type tarMember struct {
	name    string
	content []byte
	kind    byte
	link    string
}

func tarred(members ...tarMember) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.content)), Typeflag: m.kind, Linkname: m.link}
		if m.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		w.Write(m.content)
	}
	w.Close()
	return b.Bytes()
}

// cifarMembers are the members of the official archive with other contents.
func cifarMembers(files [][]byte) []tarMember {
	members := []tarMember{{name: "cifar-10-batches-bin/", kind: tar.TypeDir}}
	for k, data := range files {
		members = append(members, tarMember{name: "cifar-10-batches-bin/" + cifarBatches[k], content: data})
	}
	return members
}

// smallMembers are the members of an archive with one record a batch.
func smallMembers() []tarMember {
	var files [][]byte
	for k := range cifarBatches {
		files = append(files, fakeBatch(uint64(k), byte(k)))
	}
	return cifarMembers(files)
}

func parseArchive(packed []byte) ([]batch, error) {
	batches, _, err := readBatchArchive(context.Background(), bytes.NewReader(packed), "a.tar.gz", keepOnly(ramp(10)))
	return batches, err
}

func TestReadBatchArchive(t *testing.T) {
	good := smallMembers()
	renamed := func(prefix string) []tarMember {
		m := slices.Clone(good)
		for i := range m {
			m[i].name = prefix + m[i].name
		}
		return m
	}
	apple := append(slices.Clone(good), tarMember{name: "cifar-10-batches-bin/._data_batch_1.bin", content: []byte("Mac OS X")},
		tarMember{name: "data_batch_1.bin", content: []byte("not in the folder")},
		tarMember{name: "cifar-10-batches-bin/old/data_batch_1.bin", content: []byte("nor this")},
		tarMember{name: "../../etc/passwd", content: []byte("x")},
		tarMember{name: "link", kind: tar.TypeSymlink, link: "/etc/passwd"})
	for name, packed := range map[string][]byte{
		"official":        gzipped(tarred(good...)),
		"dot":             gzipped(tarred(renamed("./")...)),
		"absolute":        gzipped(tarred(renamed("/data/")...)),
		"climbing":        gzipped(tarred(renamed("../../../")...)),
		"other members":   gzipped(tarred(apple...)),
		"two gzip pieces": append(gzipped(tarred(good...)[:5000]), gzipped(tarred(good...)[5000:])...),
		"no end blocks":   gzipped(tarred(good...)[:len(tarred(good...))-1024]),
	} {
		batches, err := parseArchive(packed)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for k, b := range batches {
			want := fakeBatch(uint64(k), byte(k))
			if b.records != 1 || b.labels[0] != k || !bytes.Equal(b.pixels[0], want[1:]) {
				t.Errorf("%s: batch %d is %d records, labels %v", name, k, b.records, b.labels)
			}
		}
	}
}

func TestReadBatchArchiveErrors(t *testing.T) {
	good := smallMembers()
	packed := gzipped(tarred(good...))
	with := func(change func(m []tarMember) []tarMember) []byte {
		return gzipped(tarred(change(slices.Clone(good))...))
	}
	batch3 := "cifar-10-batches-bin/data_batch_3.bin"
	lying := tarred(good[:4]...)[:3*512+2*3584+512+100]   // two batches, and a header that promises a third
	copy(lying[2*512+2*3584+512+124:], "77777777777\x00") // of 8 GB
	fixTarSums(lying)
	damaged := slices.Clone(packed)
	damaged[len(damaged)/2] ^= 0x55
	wrongSum := slices.Clone(packed)
	wrongSum[len(wrongSum)-8] ^= 1
	for _, c := range []struct {
		name  string
		data  []byte
		kind  error
		parts []string
	}{
		{"empty", nil, ErrMalformed, []string{"not a gzip file", "cifar-10-binary.tar.gz"}},
		{"page", []byte("<html>not found"), ErrMalformed, []string{"byte 0", "3c 68", "not a gzip file"}},
		{"plain tar", tarred(good...), ErrMalformed, []string{"not a gzip file"}},
		{"gzip of nothing", gzipped(nil), ErrMalformed, []string{"no folder cifar-10-batches-bin", "[]"}},
		{"gzip of text", gzipped(bytes.Repeat([]byte("text "), 1000)), ErrMalformed, []string{"not a tar archive"}},
		{"other tar", gzipped(tarred(tarMember{name: "notes/today.txt", content: []byte("x")})), ErrMalformed, []string{"no folder cifar-10-batches-bin", `"notes/today.txt"`}},
		{"batches without folder", with(func(m []tarMember) []tarMember {
			for i := range m {
				m[i].name = "x/" + m[i].name[len("cifar-10-batches-bin/"):]
			}
			return m
		}), ErrMalformed, []string{"no folder cifar-10-batches-bin", `"x/data_batch_1.bin"`}},
		{"Python version", gzipped(tarred(tarMember{name: "cifar-10-batches-py/", kind: tar.TypeDir}, tarMember{name: "cifar-10-batches-py/data_batch_1", content: []byte("\x80\x02")})),
			ErrUnsupported, []string{"Python version", "binary version", "cifar-10-binary.tar.gz"}},
		{"Matlab version", gzipped(tarred(tarMember{name: "./cifar-10-batches-mat/data_batch_1.mat"})), ErrUnsupported, []string{"Matlab", "binary version"}},
		{"CIFAR-100", gzipped(tarred(tarMember{name: "cifar-100-binary/train.bin"})), ErrUnsupported, []string{"CIFAR-100"}},
		{"two batches missing", with(func(m []tarMember) []tarMember { return slices.Delete(m, 2, 4) }), ErrMalformed, []string{"lacks data_batch_2.bin, data_batch_3.bin in"}},
		{"test batch missing", with(func(m []tarMember) []tarMember { return m[:6] }), ErrMalformed, []string{"lacks test_batch.bin"}},
		{"batch twice", with(func(m []tarMember) []tarMember { return append(m, m[3]) }), ErrMalformed, []string{"data_batch_3.bin", "twice"}},
		{"batch twice by a trick", with(func(m []tarMember) []tarMember {
			m[6].name = "cifar-10-batches-bin/../cifar-10-batches-bin/data_batch_3.bin"
			return m
		}), ErrMalformed, []string{"data_batch_3.bin", "twice"}},
		{"batch is a link", with(func(m []tarMember) []tarMember {
			m[3] = tarMember{name: batch3, kind: tar.TypeSymlink, link: "/etc/passwd"}
			return m
		}), ErrMalformed, []string{"data_batch_3.bin", "not a regular file"}},
		{"batch is a folder", with(func(m []tarMember) []tarMember {
			m[3] = tarMember{name: batch3 + "/", kind: tar.TypeDir}
			return m
		}), ErrMalformed, []string{"not a regular file"}},
		{"empty batch", with(func(m []tarMember) []tarMember { m[3].content = nil; return m }), ErrMalformed, []string{"a.tar.gz(data_batch_3.bin)", "empty"}},
		{"label 10", with(func(m []tarMember) []tarMember { m[3].content = fakeBatch(0, 1, 10); return m }),
			ErrMalformed, []string{"a.tar.gz(data_batch_3.bin)", "byte 3073", "record 1", "label 10", "0 to 9"}},
		{"record cut off", with(func(m []tarMember) []tarMember { m[3].content = m[3].content[:3000]; return m }),
			ErrMalformed, []string{"a.tar.gz(data_batch_3.bin)", "byte 3000", "record 0", "3000 of its 3073"}},
		{"too many records", with(func(m []tarMember) []tarMember { m[3].content = make([]byte, 10001*3073); return m }),
			ErrUnsupported, []string{"a.tar.gz(data_batch_3.bin)", "10000 records"}},
		{"sparse", gzipped(sparseTar(batch3)), ErrUnsupported, []string{"data_batch_3.bin", "sparse"}},
		{"absurd size", gzipped(lying), ErrMalformed, []string{"a.tar.gz(data_batch_3.bin)", "byte 100", "100 of its 3073"}},
		{"truncated in a batch", packed[:len(packed)/2], ErrMalformed, []string{"ends inside"}},
		{"truncated in the gzip header", packed[:5], ErrMalformed, nil},
		{"truncated before the sum", packed[:len(packed)-8], ErrMalformed, nil},
		{"damaged", damaged, ErrMalformed, nil},
		{"wrong sum", wrongSum, ErrMalformed, []string{"checksum"}},
		{"bytes behind", append(slices.Clone(packed), "trailing bytes"...), ErrMalformed, nil},
		{"tar cut off", gzipped(tarred(good...)[:4000]), ErrMalformed, []string{"ends inside"}},
		{"garbage between members", gzipped(append(tarred(good[:3]...)[:2*512+3584], bytes.Repeat([]byte("x"), 1024)...)), ErrMalformed, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseArchive(c.data)
			wantError(t, err, c.kind, append(c.parts, "a.tar.gz")...)
			if errors.Is(err, ErrMalformed) && errors.Is(err, ErrUnsupported) {
				t.Error("both malformed and unsupported")
			}
		})
	}
}

// sparseTar is a member in GNU's sparse form 1.0: a map of a few bytes that
// stands for 2³⁰ bytes, all of them a hole.
func sparseTar(name string) []byte {
	content := make([]byte, 512)
	copy(content, "0\n") // no pieces of data
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	// The writer refuses these records, so they go in as a member of their own.
	record := func(k, v string) string {
		n := len(k) + len(v) + 5 // two digits, space, equals sign, newline
		return string(rune('0'+n/10)) + string(rune('0'+n%10)) + " " + k + "=" + v + "\n"
	}
	pax := record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") + record("GNU.sparse.name", name) +
		record("GNU.sparse.realsize", "1073741824")
	w.WriteHeader(&tar.Header{Name: "pax", Typeflag: tar.TypeReg, Size: int64(len(pax)), Format: tar.FormatUSTAR})
	io.WriteString(w, pax)
	w.WriteHeader(&tar.Header{Name: "GNUSparseFile.0/x", Typeflag: tar.TypeReg, Size: int64(len(content)), Format: tar.FormatUSTAR})
	w.Write(content)
	w.Close()
	raw := b.Bytes()
	raw[156] = tar.TypeXHeader
	fixTarSums(raw)
	return raw
}

// fixTarSums corrects the checksum of all blocks that look like headers.
func fixTarSums(raw []byte) {
	for ; len(raw) >= 512; raw = raw[512:] {
		if string(raw[257:262]) != "ustar" {
			continue
		}
		copy(raw[148:156], "        ")
		sum := 0
		for _, b := range raw[:512] {
			sum += int(b)
		}
		for i := 153; i >= 148; i-- {
			raw[i] = byte('0' + sum%8)
			sum /= 8
		}
		raw[154] = 0
	}
}

// The unpacked stream is capped, whatever members it is made of.
func TestArchiveCap(t *testing.T) {
	wall := unsupported("a", 10, "too much")
	r := &cappedReader{r: bytes.NewReader(make([]byte, 11)), left: 10, err: wall}
	if _, err := io.ReadAll(r); !errors.Is(err, ErrUnsupported) {
		t.Errorf("11 bytes of 10: %v", err)
	}
	r = &cappedReader{r: bytes.NewReader(make([]byte, 10)), left: 10, err: wall}
	if b, err := io.ReadAll(r); err != nil || len(b) != 10 {
		t.Errorf("10 bytes of 10: %d, %v", len(b), err)
	}
}

// A failing disk or a cancelled context is not the file's fault, wherever it
// happens.
func TestArchiveSystemErrors(t *testing.T) {
	packed := gzipped(tarred(smallMembers()...))
	boom := errors.New("boom")
	for cut := 0; cut < len(packed); cut += 997 {
		r := io.MultiReader(bytes.NewReader(packed[:cut]), iotest.ErrReader(boom))
		_, _, err := readBatchArchive(context.Background(), r, "disk", keptLabels{})
		if !errors.Is(err, boom) || errors.Is(err, ErrMalformed) || errors.Is(err, ErrUnsupported) {
			t.Fatalf("after %d bytes: %v", cut, err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		r = io.MultiReader(bytes.NewReader(packed[:cut]), readerFunc(func(p []byte) (int, error) { cancel(); return copy(p, packed[cut:cut+1]), nil }))
		_, _, err = readBatchArchive(ctx, r, "stop", keptLabels{})
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrMalformed) {
			t.Fatalf("cancelled after %d bytes: %v", cut, err)
		}
		cancel()
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
