package fuzztest

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"slices"
)

// growth is the number of bytes by which a mutation may be longer than its seed.
const growth = 4 << 10

// mutator makes random inputs from the last of its seeds, with parts of the others.
type mutator struct {
	rng   *rand.Rand
	seeds [][]reflect.Value
	in    []reflect.Value // the input, changed in place
	text  [][]byte        // the bytes of in's slices and strings, nil for numbers
}

func newMutator(rng *rand.Rand, seeds [][]reflect.Value) *mutator {
	m := &mutator{rng: rng, seeds: seeds}
	for _, v := range seeds[len(seeds)-1] {
		m.in = append(m.in, reflect.New(v.Type()).Elem())
	}
	m.text = make([][]byte, len(m.in))
	return m
}

// next puts the next input into m.in: the seed after one to a dozen changes.
func (m *mutator) next() {
	seed := m.seeds[len(m.seeds)-1]
	for i, v := range seed {
		switch m.in[i].Set(v); v.Kind() {
		case reflect.Slice:
			m.text[i] = append(m.text[i][:0], v.Bytes()...)
		case reflect.String:
			m.text[i] = append(m.text[i][:0], v.String()...)
		}
	}
	for more := true; more; more = m.rng.IntN(3) > 0 {
		i := m.rng.IntN(len(m.in))
		switch v := m.in[i]; v.Kind() {
		case reflect.Slice, reflect.String:
			other := bytesOf(m.seeds[m.rng.IntN(len(m.seeds))][i])
			m.text[i] = m.change(m.text[i], other)
			m.text[i] = m.text[i][:min(len(m.text[i]), seed[i].Len()+growth)]
		case reflect.Bool:
			v.SetBool(m.rng.IntN(2) == 0)
		case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
			v.SetInt(int64(m.edge(v.Type().Bits())))
		default:
			v.SetUint(m.edge(v.Type().Bits()))
		}
	}
	for i, v := range m.in {
		switch v.Kind() {
		case reflect.Slice:
			v.SetBytes(slices.Clip(m.text[i]))
		case reflect.String:
			v.SetString(string(m.text[i]))
		}
	}
}

func bytesOf(v reflect.Value) []byte {
	if v.Kind() == reflect.String {
		return []byte(v.String())
	}
	return v.Bytes()
}

// edge is an integer near a power of two, of either sign.
func (m *mutator) edge(bits int) uint64 {
	x := uint64(1)<<m.rng.IntN(bits) + uint64(m.rng.IntN(3)) - 1
	if m.rng.IntN(3) == 0 {
		x = -x
	}
	return x
}

// span is a random part of b: short ones are as likely as long ones.
func (m *mutator) span(b []byte) (from, to int) {
	if len(b) == 0 {
		return 0, 0
	}
	n := min(len(b), 1+m.rng.IntN(1<<m.rng.IntN(bits.Len(uint(len(b)))+1)))
	from = m.rng.IntN(len(b) - n + 1)
	return from, from + n
}

// numbers are what stands in texts where a number of an honest size was.
var numbers = []string{
	"0", "-1", "1", "00", "255", "65536", "2147483647", "2147483648", "4294967295", "4294967296", "9223372036854775807", "9223372036854775808",
	"-9223372036854775808", "18446744073709551615", "18446744073709551616", "99999999999999999999999999", "1e9", "1e308", "1e999", "-0.0", "NaN", "-Inf", "0x10", "1_0", "",
}

// change returns b after one change, in place as far as it goes.
func (m *mutator) change(b, other []byte) []byte {
	from, to := m.span(b)
	of, ot := m.span(other)
	switch kind := m.rng.IntN(14); kind {
	case 0, 1, 2: // a bit, a byte, a small step
		if len(b) == 0 {
			return append(b, byte(m.rng.Uint32()))
		}
		switch kind {
		case 0:
			b[from] ^= 1 << m.rng.IntN(8)
		case 1:
			b[from] = byte(m.rng.Uint32())
		default:
			b[from] += byte(m.rng.IntN(33) - 16)
		}
		return b
	case 3, 4: // an integer of 1, 2, 4 or 8 bytes, in either order
		var word [8]byte
		width := 1 << m.rng.IntN(4)
		binary.LittleEndian.PutUint64(word[:], m.edge(8*width))
		if kind == 4 {
			slices.Reverse(word[:width])
		}
		copy(b[from:], word[:width])
		return b
	case 5: // cut
		return b[:from]
	case 6:
		return slices.Delete(b, from, to)
	case 7: // the same part again, up to 16 times
		part := b[from:to]
		for range m.rng.IntN(16) {
			if b = slices.Insert(b, to, part...); len(b) > 1<<20 {
				break
			}
		}
		return b
	case 8: // random bytes
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], m.rng.Uint64())
		return slices.Insert(b, from, word[:1+m.rng.IntN(8)]...)
	case 9: // a part over another place
		copy(b[m.rng.IntN(len(b)+1):], b[from:to])
		return b
	case 10: // a part of another seed, over or between
		return slices.Insert(b, from, other[of:ot]...)
	case 11:
		copy(b[from:], other[of:ot])
		return b
	case 12: // the begin of this, the end of the other
		return append(b[:from], other[of:]...)
	default: // another number
		for from < len(b) && !digit(b[from]) {
			from++
		}
		for to = from; to < len(b) && digit(b[to]); {
			to++
		}
		return slices.Replace(b, from, to, []byte(numbers[m.rng.IntN(len(numbers))])...)
	}
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
