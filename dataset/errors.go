package dataset

import (
	"errors"
	"fmt"
)

// The kinds of failure that callers tell apart with [errors.Is].
var (
	// ErrMalformed: the file breaks the rules of its format.
	ErrMalformed = errors.New("malformed")
	// ErrUnsupported: the file is valid, but holds something that is not read here.
	ErrUnsupported = errors.New("valid, but not supported")
	// ErrMissing: the data set's files are in none of the data folders.
	ErrMissing = errors.New("data files not found")
	// ErrChecksum: the content is not that of the published data set.
	ErrChecksum = errors.New("wrong checksum")
)

// A FormatError says which file is wrong, where, what was found and what would
// be right. It unwraps to [ErrMalformed] or [ErrUnsupported].
type FormatError struct {
	File    string // path or name of the stream; a zip member is "file.npz(x.npy)"
	Offset  int64  // byte offset in the unpacked content; −1 where it has no meaning
	Problem string
	Kind    error

	cause error // a finer kind, or nil
}

func (e *FormatError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("%s: %v: %s", e.File, e.Kind, e.Problem)
	}
	return fmt.Sprintf("%s: %v at byte %d: %s", e.File, e.Kind, e.Offset, e.Problem)
}

func (e *FormatError) Unwrap() []error {
	if e.cause != nil {
		return []error{e.Kind, e.cause}
	}
	return []error{e.Kind}
}

func malformed(file string, offset int64, format string, args ...any) error {
	problem := fmt.Errorf(format, args...)
	return &FormatError{File: file, Offset: offset, Problem: problem.Error(), Kind: ErrMalformed, cause: errors.Unwrap(problem)}
}

func unsupported(file string, offset int64, format string, args ...any) error {
	return &FormatError{File: file, Offset: offset, Problem: fmt.Sprintf(format, args...), Kind: ErrUnsupported}
}

// A RequestError is a request that no data could fulfil, or that this data set
// cannot: it is the configuration that has to change.
type RequestError struct {
	Key     string // key of the configuration's dataset section: "classes", "per_class", …
	Problem string
}

func (e *RequestError) Error() string { return "dataset." + e.Key + ": " + e.Problem }

func badRequest(key, format string, args ...any) error {
	return &RequestError{Key: key, Problem: fmt.Sprintf(format, args...)}
}
