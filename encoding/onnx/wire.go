package onnx

import (
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a message: the value of a varint or of a fixed-width
// number in bits, that of a length-delimited one in data.
type field struct {
	number protowire.Number
	wire   protowire.Type
	bits   uint64
	data   []byte
}

// eachField calls do with every field of the message b, in order; do ignores
// the numbers that it does not know, as protobuf demands.
func eachField(b []byte, do func(field) error) error {
	for at := 0; at < len(b); {
		f, n, err := nextField(b[at:])
		if err != nil {
			return fmt.Errorf("byte %d of %d: %w", at, len(b), err)
		}
		if err := do(f); err != nil {
			return err
		}
		at += n
	}
	return nil
}

func nextField(b []byte) (field, int, error) {
	var f field
	var tag, n int
	if f.number, f.wire, tag = protowire.ConsumeTag(b); tag < 0 {
		return f, 0, notWire(tag)
	}
	b = b[tag:]
	switch f.wire {
	case protowire.VarintType:
		f.bits, n = protowire.ConsumeVarint(b)
	case protowire.Fixed32Type:
		var v uint32
		v, n = protowire.ConsumeFixed32(b)
		f.bits = uint64(v)
	case protowire.Fixed64Type:
		f.bits, n = protowire.ConsumeFixed64(b)
	case protowire.BytesType:
		f.data, n = protowire.ConsumeBytes(b)
	default:
		n = protowire.ConsumeFieldValue(f.number, f.wire, b)
	}
	if n < 0 {
		return f, 0, notWire(n)
	}
	return f, tag + n, nil
}

func notWire(n int) error {
	return fmt.Errorf("not protocol buffers: %v: %w", protowire.ParseError(n), ErrMalformed)
}

func (f field) expect(wire protowire.Type) error {
	if f.wire != wire {
		return fmt.Errorf("field %d has wire type %d, the format has %d: %w", f.number, f.wire, wire, ErrMalformed)
	}
	return nil
}

func (f field) message(to *[]byte) error {
	*to = f.data
	return f.expect(protowire.BytesType)
}

func (f field) text(to *string) error {
	if err := f.expect(protowire.BytesType); err != nil {
		return err
	}
	if !utf8.Valid(f.data) {
		return fmt.Errorf("%.80q is not UTF-8: %w", f.data, ErrMalformed)
	}
	*to = string(f.data)
	return nil
}

func (f field) integer(to *int64) error {
	*to = int64(f.bits)
	return f.expect(protowire.VarintType)
}

func (f field) float(to *float32) error {
	*to = math.Float32frombits(uint32(f.bits))
	return f.expect(protowire.Fixed32Type)
}

// integers appends a repeated varint, packed or not.
func (f field) integers(to *[]int64) error {
	if f.wire != protowire.BytesType {
		*to = append(*to, int64(f.bits))
		return f.expect(protowire.VarintType)
	}
	for b := f.data; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return notWire(n)
		}
		*to = append(*to, int64(v))
		b = b[n:]
	}
	return nil
}

// fixed appends a repeated number of fixed width, packed or not, as the bytes
// of the file. One packed run, the usual case, is not copied.
func (f field) fixed(to *[]byte, wire protowire.Type) error {
	if f.wire != protowire.BytesType {
		if wire == protowire.Fixed32Type {
			*to = protowire.AppendFixed32(*to, uint32(f.bits))
		} else {
			*to = protowire.AppendFixed64(*to, f.bits)
		}
		return f.expect(wire)
	}
	if *to == nil {
		*to = f.data[:len(f.data):len(f.data)]
	} else {
		*to = append(*to, f.data...)
	}
	return nil
}

// floats appends a repeated float, packed or not.
func (f field) floats(to *[]float32) error {
	var b []byte
	if err := f.fixed(&b, protowire.Fixed32Type); err != nil {
		return err
	}
	if len(b)%4 != 0 {
		return fmt.Errorf("field %d: %d bytes are no float32 numbers: %w", f.number, len(b), ErrMalformed)
	}
	for ; len(b) > 0; b = b[4:] {
		v, _ := protowire.ConsumeFixed32(b)
		*to = append(*to, math.Float32frombits(v))
	}
	return nil
}
