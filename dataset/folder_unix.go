//go:build !windows

package dataset

import "syscall"

// errNotDir is what a path below a regular file gives: there is no such file.
var errNotDir error = syscall.ENOTDIR
