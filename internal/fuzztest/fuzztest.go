// Package fuzztest runs the bodies of fuzz targets on random mutations of their
// seeds without the fuzzer, which measures coverage at each execution and is ten to a
// hundred times as slow for it.
package fuzztest

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime/metrics"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

const (
	few      = 50               // mutations of a seed in every run of the tests
	patience = 10 * time.Second // between two looks at what is done
	plenty   = 256 << 20        // bytes allocated for one input of some kilobytes
)

// Run stands for f.Fuzz(body). In a plain run of the tests, body also sees
// SOBOLEV_FUZZ (50 if it is not set) random mutations of each seed, the same ones
// in every run. An input that fails is written to the target's testdata/fuzz, where
// the next run finds it as a seed. If SOBOLEV_FUZZ is set, inputs that take more than
// 30 s or allocate more than 256 MiB fail too, and the log has the rate, the slowest
// input and the largest allocation.
//
// body has arguments of the types that f.Fuzz takes, without the floats, and
// keeps none of them.
func Run(f *testing.F, body any) {
	f.Helper()
	if fuzzing := flag.Lookup("test.fuzz"); fuzzing != nil && fuzzing.Value.String() != "" {
		f.Fuzz(body)
		return
	}
	s := &storm{target: f.Name(), body: reflect.ValueOf(body), mutations: few}
	if text := os.Getenv("SOBOLEV_FUZZ"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			f.Fatalf("SOBOLEV_FUZZ: %v", err)
		}
		s.mutations, s.watched = n, n > 0
	}
	f.Fuzz(reflect.MakeFunc(s.body.Type(), s.seed).Interface())
	if s.watched {
		f.Logf("%d mutations of %d seeds, %.0f a second; the slowest took %v, the largest allocated %d bytes",
			s.done.Load(), len(s.seeds), float64(s.done.Load())/s.spent.Seconds(), s.slowest, s.largest)
	}
}

// Allocated returns the bytes that call allocates, and what other goroutines do
// meanwhile. It may be off by a span of 8 KiB for each class of small objects: a megabyte.
// Unlike runtime.ReadMemStats it does not stop the world, so that it can stand around
// every execution.
func Allocated(call func()) int {
	before := allocated()
	call()
	return int(allocated() - before)
}

func allocated() uint64 {
	sample := [1]metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample[:])
	return sample[0].Value.Uint64()
}

// storm is the run of one target.
type storm struct {
	target    string
	body      reflect.Value
	mutations int // of each seed
	watched   bool
	seeds     [][]reflect.Value

	done    atomic.Int64
	spent   time.Duration
	slowest time.Duration
	largest uint64 // bytes
}

// seed runs the body on a seed and its mutations. It has the signature for reflect.MakeFunc.
func (s *storm) seed(args []reflect.Value) []reflect.Value {
	t := args[0].Interface().(*testing.T)
	if s.body.Call(args); t.Failed() {
		return nil
	}
	s.seeds = append(s.seeds, args[1:])
	hash := sha256.Sum256(encode(args[1:]))
	m := newMutator(rand.New(rand.NewChaCha8(hash)), s.seeds)
	in := append([]reflect.Value{args[0]}, m.in...)
	if !s.watched {
		for range s.mutations {
			m.next()
			s.execute(t, in)
		}
		return nil
	}
	ended := make(chan struct{})
	defer close(ended)
	go s.watch(in[1:], ended)
	start, before := time.Now(), allocated()
	for range s.mutations {
		m.next()
		s.execute(t, in)
		end, after := time.Now(), allocated()
		if after-before > plenty {
			t.Fatalf("%s allocates %d bytes", s.save(in[1:]), after-before)
		}
		s.done.Add(1)
		s.spent += end.Sub(start)
		s.slowest, s.largest = max(s.slowest, end.Sub(start)), max(s.largest, after-before)
		start, before = end, after
	}
	return nil
}

// watch ends the process when an input hangs: when none is done in two intervals one
// after the other, since a machine may be stopped for one.
func (s *storm) watch(in []reflect.Value, ended <-chan struct{}) {
	last, same := int64(-1), 0
	for {
		select {
		case <-ended:
			return
		case <-time.After(patience):
		}
		if done := s.done.Load(); done != last {
			last, same = done, 0
		} else if same++; same == 2 {
			panic(fmt.Sprintf("%s does not come to its end", s.save(in)))
		}
	}
}

// execute runs the body once. A panic and what t.Fatal does pass through it.
func (s *storm) execute(t *testing.T, in []reflect.Value) {
	returned := false
	defer func() {
		if !returned || t.Failed() {
			t.Logf("the input is in %s", s.save(in[1:]))
		}
	}()
	s.body.Call(in)
	returned = true
	if t.Failed() {
		t.FailNow()
	}
}

// save writes an input as a seed of the target and returns its path.
func (s *storm) save(in []reflect.Value) string {
	text := encode(in)
	path := filepath.Join("testdata", "fuzz", s.target, fmt.Sprintf("%x", sha256.Sum256(text))[:16])
	err := os.MkdirAll(filepath.Dir(path), 0o777)
	if err == nil {
		err = os.WriteFile(path, text, 0o666)
	}
	if err != nil {
		return fmt.Sprintf("%v: %q", err, text)
	}
	return path
}

// encode writes an input in the format of Go's fuzzing corpora.
func encode(in []reflect.Value) []byte {
	text := []byte("go test fuzz v1\n")
	for _, v := range in {
		if v.Kind() == reflect.Slice {
			text = fmt.Appendf(text, "[]byte(%q)\n", v.Bytes())
		} else {
			text = fmt.Appendf(text, "%s(%#v)\n", v.Type(), v)
		}
	}
	return text
}
