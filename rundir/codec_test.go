package rundir

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// arbitrary fills a value with anything that its type can hold.
func arbitrary(r *rand.Rand, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> r.IntN(64))
	case reflect.Uint64, reflect.Uint8:
		v.SetUint(r.Uint64() >> r.IntN(64) & math.MaxUint8)
	case reflect.Float64:
		v.SetFloat([]float64{math.NaN(), math.Inf(-1), math.Copysign(0, -1), math.Float64frombits(r.Uint64())}[r.IntN(4)])
	case reflect.String:
		v.SetString([]string{"", "a", "η = 0.1 <= 0.2", "\x00\xff"}[r.IntN(4)])
	case reflect.Pointer:
		if depth > 0 && r.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			arbitrary(r, v.Elem(), depth-1)
		}
	case reflect.Slice:
		if n := r.IntN(4) - 1; n >= 0 && depth > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				arbitrary(r, v.Index(i), depth-1)
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			arbitrary(r, v.Index(i), depth)
		}
	case reflect.Map:
		if n := r.IntN(4) - 1; n >= 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for _, key := range []string{"b", "", "a"}[:n] {
				element := reflect.New(v.Type().Elem()).Elem()
				arbitrary(r, element, depth)
				v.SetMapIndex(reflect.ValueOf(key), element)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			arbitrary(r, v.Field(i), depth)
		}
	default:
		panic("no arbitrary values of " + v.Type().String())
	}
}

// full gives every pointer, slice and map of a value one element: types that random
// values seldom reach have a binary form too.
func full(v reflect.Value, inside map[reflect.Type]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		full(v.Elem(), inside)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		full(v.Index(0), inside)
	case reflect.Map:
		element := reflect.New(v.Type().Elem()).Elem()
		full(element, inside)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), element)
	case reflect.Struct:
		if inside[v.Type()] { // a Layer holds Layers
			return
		}
		inside[v.Type()] = true
		defer delete(inside, v.Type())
		for i := range v.NumField() {
			full(v.Field(i), inside)
		}
	default:
		arbitrary(rand.New(rand.NewPCG(1, 1)), v, 0)
	}
}

// same is reflect.DeepEqual with a NaN equal to itself.
func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Float64:
		return math.Float64bits(a.Float()) == math.Float64bits(b.Float()) || a.Float() != a.Float() && b.Float() != b.Float()
	case reflect.Pointer:
		return a.IsNil() == b.IsNil() && (a.IsNil() || same(a.Elem(), b.Elem()))
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() || a.Kind() == reflect.Slice && a.IsNil() != b.IsNil() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.Len() != b.Len() || a.IsNil() != b.IsNil() {
			return false
		}
		for _, k := range a.MapKeys() {
			if !b.MapIndex(k).IsValid() || !same(a.MapIndex(k), b.MapIndex(k)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
	return a.Equal(b)
}

// SameRecords is for the tests outside of the package.
func SameRecords(a, b []Record) bool { return same(reflect.ValueOf(a), reflect.ValueOf(b)) }

func TestSameTellsValuesApart(t *testing.T) {
	no, yes := false, true
	values := []Record{
		{}, {Name: "a"}, {Result: &Result{}}, {Result: &Result{Warnings: []string{}}}, {Result: &Result{Warnings: []string{""}}},
		{Result: &Result{Fit: Fit{Loss: Number(math.NaN())}}}, {Result: &Result{Fit: Fit{Loss: 1}}},
		{Result: &Result{Stability: &Stability{Orders: []Order{{}}}}},
		{Result: &Result{Stability: &Stability{Orders: []Order{{Stable: &no}}}}}, {Result: &Result{Stability: &Stability{Orders: []Order{{Stable: &yes}}}}},
		{Result: &Result{Data: DataInfo{MinNorm: map[string]Number{}}}}, {Result: &Result{Data: DataInfo{MinNorm: map[string]Number{"2": 1}}}},
	}
	for i, a := range values {
		for j, b := range values {
			if got := SameRecords([]Record{a}, []Record{b}); got != (i == j) {
				t.Errorf("%d and %d are the same: %v", i, j, got)
			}
		}
	}
}

func TestBinaryFormIsReadBack(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for i := range 200 {
		var want, got Record
		if i == 0 {
			full(reflect.ValueOf(&want).Elem(), map[reflect.Type]bool{})
		} else {
			arbitrary(r, reflect.ValueOf(&want).Elem(), 3+i%2)
		}
		e := encoder{numbers: map[string]uint64{}}
		e.value(reflect.ValueOf(&want).Elem())
		d := decoder{data: e.data, texts: e.texts}
		d.value(reflect.ValueOf(&got).Elem())
		if d.err != nil || len(d.data) != 0 {
			t.Fatalf("%v, %d bytes are left", d.err, len(d.data))
		}
		if !same(reflect.ValueOf(want), reflect.ValueOf(got)) {
			t.Fatalf("%+v became %+v", want, got)
		}
		// Every beginning of it is an error, not a panic and not a value.
		cut := r.IntN(len(e.data))
		d = decoder{data: e.data[:cut], texts: e.texts}
		var part Record
		d.value(reflect.ValueOf(&part).Elem())
		if d.err == nil {
			t.Fatalf("%d of %d bytes are read without an error", cut, len(e.data))
		}
	}
}

func TestSignatureTellsTypesApart(t *testing.T) {
	type a struct{ X int }
	type b struct {
		X int
		Y *bool
	}
	seen := map[string]reflect.Type{}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[a](), reflect.TypeFor[b](), reflect.TypeFor[[]a](), reflect.TypeFor[*a](), reflect.TypeFor[[2]a](),
		reflect.TypeFor[[3]a](), reflect.TypeFor[map[string]a](), reflect.TypeFor[Record](), reflect.TypeFor[Point](),
	} {
		s := signature(typ)
		if other, ok := seen[s]; ok {
			t.Errorf("%v and %v have the same signature", typ, other)
		}
		seen[s] = typ
	}
}
