package experiment

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// array is a NumPy array: values is a []float32 or an []int64.
type array struct {
	shape  []int
	values any
}

// writeNPZ writes what np.savez writes, and returns its path.
func writeNPZ(t *testing.T, arrays map[string]array) string {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		w, err := z.Create(name + ".npy")
		if err == nil {
			_, err = w.Write(encodeArray(t, arrays[name]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "data.npz", buf.Bytes())
}

func encodeArray(t *testing.T, a array) []byte {
	t.Helper()
	descr := "<f4"
	if _, ok := a.values.([]int64); ok {
		descr = "<i8"
	}
	shape := strings.Trim(strings.ReplaceAll(fmt.Sprint(a.shape), " ", ", "), "[]") + ","
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, shape)
	header += strings.Repeat(" ", 118-len(header)-1) + "\n"
	out := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0)
	out, err := binary.Append(append(out, header...), binary.LittleEndian, a.values)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
