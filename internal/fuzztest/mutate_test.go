package fuzztest

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// Mutations are bounded, leave the seeds alone, differ from them in each argument and
// have parts of other seeds.
func TestMutations(t *testing.T) {
	values := func(in ...any) (v []reflect.Value) {
		for _, x := range in {
			v = append(v, reflect.ValueOf(x))
		}
		return v
	}
	seeds := [][]reflect.Value{
		values([]byte("\x00\x01"), "parts of other seeds", uint8(1), -1, false),
		values([]byte(nil), "", uint8(0), 1<<40, false),
		values(bytes.Repeat([]byte("ab12"), 300), "k: 12", uint8(7), 0, true),
	}
	var before []string
	for _, s := range seeds {
		before = append(before, string(encode(s)))
	}
	for k := range seeds {
		seed := seeds[k]
		m := newMutator(rand.New(rand.NewPCG(1, uint64(k))), seeds[:k+1])
		other := make([]bool, len(seed))
		spliced, huge := false, false
		for range 20_000 {
			m.next()
			for i, v := range m.in {
				other[i] = other[i] || !reflect.DeepEqual(v.Interface(), seed[i].Interface())
			}
			data, text := m.in[0].Bytes(), m.in[1].String()
			if len(data) > seed[0].Len()+growth || len(text) > seed[1].Len()+growth {
				t.Fatalf("%d and %d bytes of seeds of %d and %d", len(data), len(text), seed[0].Len(), seed[1].Len())
			}
			spliced = spliced || k > 0 && strings.Contains(text, "of other")
			huge = huge || strings.Contains(text, "18446744073709551616")
		}
		for i, is := range other {
			if !is {
				t.Errorf("seed %d: argument %d is never changed", k, i)
			}
		}
		if k > 0 && !spliced {
			t.Errorf("seed %d: no part of another one", k)
		}
		if !huge {
			t.Errorf("seed %d: no huge number", k)
		}
	}
	for k, s := range seeds {
		if string(encode(s)) != before[k] {
			t.Errorf("seed %d is now %s, was %s", k, encode(s), before[k])
		}
	}
}
