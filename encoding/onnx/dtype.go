package onnx

import "fmt"

// DType is the type of a tensor's elements, numbered as in the file.
type DType int

// The element types that a Tensor can have.
const (
	Float    DType = 1
	Int32    DType = 6
	Int64    DType = 7
	Bool     DType = 9
	Float16  DType = 10
	Double   DType = 11
	BFloat16 DType = 16
)

var dtypes = map[DType]struct {
	name  string
	bytes int
}{
	Float: {"FLOAT", 4}, Int32: {"INT32", 4}, Int64: {"INT64", 8}, Bool: {"BOOL", 1},
	Float16: {"FLOAT16", 2}, Double: {"DOUBLE", 8}, BFloat16: {"BFLOAT16", 2},
}

func (d DType) String() string {
	if t, ok := dtypes[d]; ok {
		return t.name
	}
	return fmt.Sprintf("type %d", int(d))
}

// real says whether the elements are floating-point numbers.
func (d DType) real() bool { return d == Float || d == Double || d == Float16 || d == BFloat16 }
