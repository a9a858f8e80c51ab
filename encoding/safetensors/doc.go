// Package safetensors reads and writes named tensors in the safetensors format
// (https://huggingface.co/docs/safetensors), the one that PyTorch models are
// exchanged in. A file is
//
//	u64, little endian                       length of the header in bytes
//	{"net.0.weight": {"dtype": "F32",        header: JSON, padded with spaces
//	                  "shape": [8, 6],
//	                  "data_offsets": [0, 192]},
//	 "__metadata__": {"format": "pt"}}
//	row-major little-endian values           offsets count from here
//
// and its data section has neither holes nor overlaps.
//
// A file that breaks the format is ErrMalformed; one that follows it and uses
// something this package does not know is ErrUnsupported. Both name the file,
// the tensor, what was found and what would be right. Sizes are checked before
// anything of that size is allocated, so a file costs memory in proportion to
// its own length, whatever it claims.
package safetensors

import "errors"

var (
	// ErrMalformed is in the chain of every error about a file that breaks the format.
	ErrMalformed = errors.New("malformed safetensors file")
	// ErrUnsupported is in the chain of every error about a valid file or tensor
	// that this package cannot interpret.
	ErrUnsupported = errors.New("valid but unsupported safetensors content")
)
