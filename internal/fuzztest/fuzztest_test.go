package fuzztest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var sink []byte

// FuzzPlanted fails in the way that SOBOLEV_PLANTED says, for inputs that no seed is.
func FuzzPlanted(f *testing.F) {
	planted := os.Getenv("SOBOLEV_PLANTED")
	f.Add([]byte("abc 12"), "x", uint16(8), true)
	f.Add([]byte(nil), "", uint16(0), false)
	Run(f, func(t *testing.T, data []byte, text string, k uint16, fix bool) {
		if !bytes.Contains(data, []byte("18446744073709551616")) || len(text) < 2 || k == 8 {
			return
		}
		switch planted {
		case "panic":
			panic("planted")
		case "fatal":
			t.Fatal("planted")
		case "error":
			t.Error("planted")
		case "allocation":
			sink = make([]byte, plenty+1)
		}
	})
}

// What fails among the mutations fails the test, in every run at the same input, which
// is then a seed that fails.
func TestPlanted(t *testing.T) {
	for _, c := range []struct{ planted, says, saysOfSeed string }{
		{"panic", "panic: planted", "panic: planted"},
		{"fatal", "planted", "planted"},
		{"error", "planted", "planted"},
		{"allocation", "allocates 26", "PASS"},
	} {
		t.Run(c.planted, func(t *testing.T) {
			folder := t.TempDir()
			run := func(mutations string) string {
				cmd := exec.Command(os.Args[0], "-test.run=^FuzzPlanted$", "-test.v")
				cmd.Dir = folder
				cmd.Env = append(os.Environ(), "SOBOLEV_PLANTED="+c.planted, "SOBOLEV_FUZZ="+mutations)
				out, err := cmd.CombinedOutput()
				if (err != nil) != strings.Contains(string(out), "FAIL") && c.planted != "panic" {
					t.Fatalf("%v:\n%s", err, out)
				}
				return string(out)
			}
			saved := func() string {
				paths, _ := filepath.Glob(filepath.Join(folder, "testdata/fuzz/FuzzPlanted/*"))
				return strings.Join(paths, " ")
			}
			if out := run("0"); !strings.Contains(out, "PASS") || saved() != "" {
				t.Fatalf("with the seeds alone, %q:\n%s", saved(), out)
			}
			out := run("30000")
			first := saved()
			if !strings.Contains(out, c.says) || first == "" || !strings.Contains(out, strings.Fields(filepath.Base(first))[0]) {
				t.Fatalf("%q:\n%s", first, out)
			}
			if out := run("0"); !strings.Contains(out, c.saysOfSeed) {
				t.Fatalf("as a seed:\n%s", out)
			}
			if err := os.RemoveAll(filepath.Join(folder, "testdata")); err != nil {
				t.Fatal(err)
			}
			if out := run("30000"); saved() != first {
				t.Fatalf("%q, then %q:\n%s", first, saved(), out)
			}
		})
	}
}
