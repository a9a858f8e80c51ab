package safetensors

// DType is the type of a tensor's elements, spelled as in the file.
type DType string

// The element types of the format. All can be read and written as bytes; the
// docs of Float64s, Float32s, Int64s and Uint64s say which have values.
const (
	TypeBool   DType = "BOOL"
	TypeU8     DType = "U8"
	TypeI8     DType = "I8"
	TypeU16    DType = "U16"
	TypeI16    DType = "I16"
	TypeU32    DType = "U32"
	TypeI32    DType = "I32"
	TypeU64    DType = "U64"
	TypeI64    DType = "I64"
	TypeF16    DType = "F16"
	TypeBF16   DType = "BF16"
	TypeF32    DType = "F32"
	TypeF64    DType = "F64"
	TypeC64    DType = "C64"
	TypeF8E4M3 DType = "F8_E4M3"
	TypeF8E5M2 DType = "F8_E5M2"
	TypeF8E8M0 DType = "F8_E8M0"
	TypeF6E2M3 DType = "F6_E2M3"
	TypeF6E3M2 DType = "F6_E3M2"
	TypeF4     DType = "F4"
)

var bitsOf = map[DType]uint64{
	TypeF4: 4, TypeF6E2M3: 6, TypeF6E3M2: 6,
	TypeBool: 8, TypeU8: 8, TypeI8: 8, TypeF8E4M3: 8, TypeF8E5M2: 8, TypeF8E8M0: 8,
	TypeU16: 16, TypeI16: 16, TypeF16: 16, TypeBF16: 16,
	TypeU32: 32, TypeI32: 32, TypeF32: 32,
	TypeU64: 64, TypeI64: 64, TypeF64: 64, TypeC64: 64,
}

// Bits is the size of one element in bits, 0 for a type that is not in the
// format as this package knows it.
func (d DType) Bits() int { return int(bitsOf[d]) }
