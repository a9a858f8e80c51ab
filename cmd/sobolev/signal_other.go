//go:build !unix

package main

import "os"

var leaveSignals []os.Signal
