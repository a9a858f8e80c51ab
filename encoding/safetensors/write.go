package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Encode returns f as a file. Equal content gives equal bytes, whatever the
// order of Tensors: wider element types come first, so that every tensor is
// aligned as PyTorch's reader requires, and equally wide ones by name.
func Encode(f *File) ([]byte, error) {
	var b bytes.Buffer
	if err := Write(&b, f); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Write writes what Encode returns. Nothing is written when f is not a valid
// file: a name twice or reserved, an unknown type, data that is not the shape's.
func Write(w io.Writer, f *File) error {
	tensors := slices.Clone(f.Tensors)
	slices.SortFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(b.DType.Bits(), a.DType.Bits()), cmp.Compare(a.Name, b.Name))
	})
	if err := checkTensors(tensors); err != nil {
		return err
	}
	header, err := formatHeader(tensors, f.Metadata)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, t := range tensors {
		if _, err := w.Write(t.Data); err != nil {
			return err
		}
	}
	return nil
}

func checkTensors(tensors []Tensor) error {
	seen := make(map[string]bool, len(tensors))
	for _, t := range tensors {
		switch {
		case t.Name == metadataKey:
			return fmt.Errorf("safetensors: the name %q is reserved", metadataKey)
		case !utf8.ValidString(t.Name):
			return fmt.Errorf("safetensors: the name %.80q is not UTF-8", t.Name)
		case seen[t.Name]:
			return fmt.Errorf("safetensors: two tensors are named %.80q", t.Name)
		case t.DType.Bits() == 0:
			return fmt.Errorf("safetensors: tensor %.80q has the unknown element type %.40q", t.Name, t.DType)
		}
		seen[t.Name] = true
		want, err := byteSize(t.DType, t.Shape)
		if err != nil {
			return fmt.Errorf("safetensors: tensor %.80q: %w", t.Name, err)
		}
		if uint64(len(t.Data)) != want {
			return fmt.Errorf("safetensors: tensor %.80q has %d bytes of data, %s of shape %s needs %d", t.Name, len(t.Data), t.DType, brief(t.Shape), want)
		}
	}
	return nil
}

// formatHeader returns the length and the padded JSON header.
func formatHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	b := append(make([]byte, 8), '{')
	if len(metadata) > 0 {
		b = appendString(b, metadataKey)
		b = append(b, ":{"...)
		for i, key := range slices.Sorted(maps.Keys(metadata)) {
			if !utf8.ValidString(key) || !utf8.ValidString(metadata[key]) {
				return nil, fmt.Errorf("safetensors: the metadata %.80q is not UTF-8", key)
			}
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, key), ':')
			b = appendString(b, metadata[key])
		}
		b = append(b, '}')
	}
	end := 0
	for i, t := range tensors {
		if i > 0 || len(metadata) > 0 {
			b = append(b, ',')
		}
		b = appendString(b, t.Name)
		b = append(b, `:{"dtype":`...)
		b = appendString(b, string(t.DType))
		b = append(b, `,"shape":[`...)
		for j, dim := range t.Shape {
			if j > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(dim), 10)
		}
		b = fmt.Appendf(b, `],"data_offsets":[%d,%d]}`, end, end+len(t.Data))
		end += len(t.Data)
	}
	b = append(b, '}')
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	if len(b)-8 > MaxHeader {
		return nil, fmt.Errorf("safetensors: the header would have %d bytes, the format allows %d", len(b)-8, MaxHeader)
	}
	binary.LittleEndian.PutUint64(b, uint64(len(b)-8))
	return b, nil
}

func appendString(b []byte, s string) []byte {
	js, err := json.Marshal(s)
	if err != nil {
		panic("safetensors: a string is not JSON: " + err.Error())
	}
	return append(b, js...)
}
