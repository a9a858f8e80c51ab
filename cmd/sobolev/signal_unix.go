//go:build unix

package main

import (
	"os"
	"syscall"
)

// leaveSignals ask the program to save what it has and to end, beside the usual ones:
// Slurm sends this one before a time limit.
var leaveSignals = []os.Signal{syscall.SIGUSR1}
