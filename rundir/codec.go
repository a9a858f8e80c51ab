package rundir

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
)

// The binary form of this package's data types, for the index: values in the
// order of their fields, without names. It is made for reading: a result.json with
// all bounds has 50 kB and takes a millisecond to parse, its binary form a fiftieth
// of that. (encoding/gob is as fast, but makes a pointer to false into nil.)
//
//	bool                one byte
//	int, uint64         a varint
//	float64             eight bytes
//	string              its number in a table that all values of an index share
//	pointer             0, or 1 and its value
//	[]byte              0 for nil, or its length + 1 and its bytes
//	slice, map          0 for nil, or its length + 1 and its elements; a map by sorted key
//	array, struct       its elements, its fields

// encoder appends values to data and collects their texts.
type encoder struct {
	data    []byte
	texts   []string
	numbers map[string]uint64 // of texts
}

func (e *encoder) uvarint(n uint64) { e.data = binary.AppendUvarint(e.data, n) }

func (e *encoder) text(s string) {
	n, ok := e.numbers[s]
	if !ok {
		n = uint64(len(e.texts))
		e.numbers[s] = n
		e.texts = append(e.texts, s)
	}
	e.uvarint(n)
}

func (e *encoder) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		e.uvarint(map[bool]uint64{true: 1}[v.Bool()])
	case reflect.Int, reflect.Int64:
		e.data = binary.AppendVarint(e.data, v.Int())
	case reflect.Uint64:
		e.uvarint(v.Uint())
	case reflect.Float64:
		e.data = binary.LittleEndian.AppendUint64(e.data, math.Float64bits(v.Float()))
	case reflect.String:
		e.text(v.String())
	case reflect.Pointer:
		if v.IsNil() {
			e.uvarint(0)
			return
		}
		e.uvarint(1)
		e.value(v.Elem())
	case reflect.Slice:
		if v.IsNil() {
			e.uvarint(0)
			return
		}
		e.uvarint(uint64(v.Len()) + 1)
		if v.Type().Elem().Kind() == reflect.Uint8 {
			e.data = append(e.data, v.Bytes()...)
			return
		}
		e.elements(v)
	case reflect.Array:
		e.elements(v)
	case reflect.Map:
		e.sorted(v)
	case reflect.Struct:
		for i := range v.NumField() {
			e.value(v.Field(i))
		}
	default:
		panic("rundir: an index has no values of type " + v.Type().String())
	}
}

func (e *encoder) elements(v reflect.Value) {
	for i := range v.Len() {
		e.value(v.Index(i))
	}
}

func (e *encoder) sorted(v reflect.Value) {
	if v.IsNil() {
		e.uvarint(0)
		return
	}
	e.uvarint(uint64(v.Len()) + 1)
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range keys {
		e.text(k.String())
		e.value(v.MapIndex(k))
	}
}

// decoder reads what an encoder wrote. After a mistake in data it reads zeros, and
// err says so.
type decoder struct {
	data  []byte
	texts []string
	err   error
}

var errDamaged = errors.New("the index is damaged")

func (d *decoder) fail() {
	d.data, d.err = nil, errDamaged
}

func (d *decoder) uvarint() uint64 {
	if len(d.data) > 0 && d.data[0] < 0x80 { // most are
		n := d.data[0]
		d.data = d.data[1:]
		return uint64(n)
	}
	n, size := binary.Uvarint(d.data)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.data = d.data[size:]
	return n
}

// count reads the length of a list, or that and 1; no element takes less than a byte.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.data))+1 {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) take(n int) []byte {
	if n > len(d.data) {
		d.fail()
		return nil
	}
	b := d.data[:n]
	d.data = d.data[n:]
	return b
}

func (d *decoder) text() string {
	n := d.uvarint()
	if n >= uint64(len(d.texts)) {
		d.fail()
		return ""
	}
	return d.texts[n]
}

// value reads into v, which is zero.
func (d *decoder) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(d.uvarint() != 0)
	case reflect.Int, reflect.Int64:
		n, size := binary.Varint(d.data)
		if size <= 0 {
			d.fail()
			return
		}
		d.data = d.data[size:]
		v.SetInt(n)
	case reflect.Uint64:
		v.SetUint(d.uvarint())
	case reflect.Float64:
		if b := d.take(8); b != nil {
			v.SetFloat(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
	case reflect.String:
		v.SetString(d.text())
	case reflect.Pointer:
		if d.uvarint() != 0 {
			v.Set(reflect.New(v.Type().Elem()))
			d.value(v.Elem())
		}
	case reflect.Slice:
		d.slice(v)
	case reflect.Array:
		for i := range v.Len() {
			d.value(v.Index(i))
		}
	case reflect.Map:
		d.mapping(v)
	case reflect.Struct:
		for i := range v.NumField() {
			d.value(v.Field(i))
		}
	default:
		panic("rundir: an index has no values of type " + v.Type().String())
	}
}

func (d *decoder) slice(v reflect.Value) {
	n := d.count()
	if n == 0 {
		return
	}
	if v.Type().Elem().Kind() == reflect.Uint8 {
		v.SetBytes(slices.Clone(d.take(n - 1)))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), n-1, n-1))
	for i := range n - 1 {
		d.value(v.Index(i))
	}
}

func (d *decoder) mapping(v reflect.Value) {
	n := d.count()
	if n == 0 {
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), n-1))
	for range n - 1 {
		key, element := d.text(), reflect.New(v.Type().Elem()).Elem()
		d.value(element)
		v.SetMapIndex(reflect.ValueOf(key), element)
	}
}

// signature spells a type out to its last field, so that an index of another
// version of the types is not read.
func signature(t reflect.Type) string {
	var b strings.Builder
	inside := map[reflect.Type]bool{} // a Layer holds Layers
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		fmt.Fprintf(&b, "%s", t.Kind())
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			fmt.Fprint(&b, "(")
			if t.Kind() == reflect.Array {
				fmt.Fprintf(&b, "%d ", t.Len())
			}
			walk(t.Elem())
			fmt.Fprint(&b, ")")
		case reflect.Struct:
			fmt.Fprintf(&b, " %s{", t.Name())
			if !inside[t] {
				inside[t] = true
				for i := range t.NumField() {
					fmt.Fprintf(&b, "%s ", t.Field(i).Name)
					walk(t.Field(i).Type)
					fmt.Fprint(&b, ";")
				}
				delete(inside, t)
			}
			fmt.Fprint(&b, "}")
		}
	}
	walk(t)
	return b.String()
}
