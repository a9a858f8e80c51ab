package dataset

import "io/fs"

// errNotDir is what a path below a regular file gives; Windows reports it as
// not existing.
var errNotDir = fs.ErrNotExist
