package safetensors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

const metadataKey = "__metadata__"

// entry is one tensor as the header describes it.
type entry struct {
	name       string
	dtype      DType
	shape      []int
	begin, end uint64
}

// parseHeader reads the JSON header token by token: Go's own decoder would
// accept a key twice and numbers such as 1e2.
func parseHeader(header []byte) ([]entry, map[string]string, error) {
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, fmt.Errorf("the header does not begin with '{': %w", ErrMalformed)
	}
	if !utf8.Valid(header) {
		return nil, nil, fmt.Errorf("the header is not UTF-8: %w", ErrMalformed)
	}
	if err := json.Unmarshal(header, new(json.RawMessage)); err != nil {
		return nil, nil, fmt.Errorf("the header is not JSON: %v: %w", err, ErrMalformed)
	}
	p := parser{json.NewDecoder(bytes.NewReader(header))}
	p.UseNumber()
	var entries []entry
	var metadata map[string]string
	err := p.object(func(key string) (err error) {
		if key == metadataKey {
			metadata, err = p.stringMap()
		} else {
			var e entry
			e, err = p.entry(key)
			entries = append(entries, e)
		}
		return err
	})
	return entries, metadata, err
}

// parser walks JSON that is known to be well-formed.
type parser struct{ *json.Decoder }

func (p parser) next() (json.Token, error) {
	t, err := p.Token()
	if err != nil {
		return nil, fmt.Errorf("%v: %w", err, ErrMalformed)
	}
	return t, nil
}

// expect consumes a delimiter.
func (p parser) expect(d json.Delim, what string) error {
	t, err := p.next()
	if err != nil {
		return err
	}
	if t != json.Token(d) {
		return fmt.Errorf("%.80q where %s should be: %w", fmt.Sprint(t), what, ErrMalformed)
	}
	return nil
}

// object calls member for every key, which must consume the value; errors name
// the key.
func (p parser) object(member func(key string) error) error {
	if err := p.expect('{', "an object"); err != nil {
		return err
	}
	seen := map[string]bool{}
	for p.More() {
		t, err := p.next()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		switch {
		case !ok:
			return fmt.Errorf("%.80q where a key should be: %w", fmt.Sprint(t), ErrMalformed)
		case seen[key]:
			return fmt.Errorf("%.80q appears twice: %w", key, ErrMalformed)
		}
		seen[key] = true
		if err := member(key); err != nil {
			return fmt.Errorf("%.80q: %w", key, err)
		}
	}
	return p.expect('}', "the end of an object")
}

func (p parser) stringMap() (map[string]string, error) {
	m := map[string]string{}
	err := p.object(func(key string) (err error) {
		m[key], err = p.string("a string")
		return err
	})
	return m, err
}

func (p parser) string(what string) (string, error) {
	t, err := p.next()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%.80q where %s should be: %w", fmt.Sprint(t), what, ErrMalformed)
	}
	return s, nil
}

// entry reads {"dtype", "shape", "data_offsets"} in any order.
func (p parser) entry(name string) (entry, error) {
	e := entry{name: name}
	var offsets []uint64
	var dtype, shape bool
	err := p.object(func(key string) (err error) {
		switch key {
		case "dtype":
			dtype = true
			e.dtype, err = p.dtype()
		case "shape":
			shape = true
			e.shape, err = p.shape()
		case "data_offsets":
			offsets, err = p.naturals(2, 64)
		default:
			err = fmt.Errorf("not one of dtype, shape, data_offsets: %w", ErrUnsupported)
		}
		return err
	})
	if err != nil {
		return e, err
	}
	if !dtype || !shape || len(offsets) != 2 {
		return e, fmt.Errorf("dtype %v, shape %v and %d data_offsets are given, all three and two offsets are needed: %w", dtype, shape, len(offsets), ErrMalformed)
	}
	e.begin, e.end = offsets[0], offsets[1]
	return e, nil
}

func (p parser) dtype() (DType, error) {
	s, err := p.string(`a type such as "F32"`)
	if err != nil {
		return "", err
	}
	if DType(s).Bits() == 0 {
		return "", fmt.Errorf("element type %.40q is not known, F64, F32, F16 and BF16 are some that are: %w", s, ErrUnsupported)
	}
	return DType(s), nil
}

func (p parser) shape() ([]int, error) {
	dims, err := p.naturals(-1, strconv.IntSize-1)
	shape := make([]int, len(dims))
	for i, d := range dims {
		shape[i] = int(d)
	}
	return shape, err
}

// naturals reads an array of non-negative integers below 2^bits, at most limit
// of them unless limit is negative.
func (p parser) naturals(limit, bits int) ([]uint64, error) {
	if err := p.expect('[', "an array of integers"); err != nil {
		return nil, err
	}
	var v []uint64
	for p.More() {
		t, err := p.next()
		if err != nil {
			return nil, err
		}
		number, ok := t.(json.Number)
		n, err := strconv.ParseUint(string(number), 10, bits)
		if !ok || err != nil {
			return nil, fmt.Errorf("%.40q where an integer from 0 to 2^%d−1 should be: %w", fmt.Sprint(t), bits, ErrMalformed)
		}
		if len(v) == limit {
			return nil, fmt.Errorf("more than %d integers: %w", limit, ErrMalformed)
		}
		v = append(v, n)
	}
	return v, p.expect(']', "the end of an array")
}
