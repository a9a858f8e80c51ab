package sobolev

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport is the architecture: for every package of this module the others
// that it may import. Imports point one way, from the bottom of the list up.
var mayImport = map[string][]string{
	".":                    {},
	"encoding/safetensors": {},
	"encoding/onnx":        {},
	"internal/kernel":      {},
	"internal/parallel":    {},
	"internal/kernel/blas": {"internal/kernel"},
	// For tests alone: no package may import them.
	"internal/browsertest": {"internal/needs"},
	"internal/disktest":    {"internal/needs"},
	"internal/fuzztest":    {},
	"internal/needs":       {},
	// Eigenvalues want the fast products of dense matrices.
	"linop":   {"internal/kernel", "internal/kernel/blas"},
	"dataset": {},
	"rundir":  {"internal/parallel"},
	// Synthetic runs, for the tests of everything that reads one.
	"rundir/rundirtest": {"rundir"},
	"presets":           {},
	"nn":                {"internal/kernel", "internal/parallel", "encoding/safetensors"},
	// kernel: for its type constraint alone; safetensors: for checkpoints.
	"sgd":         {"nn", "dataset", "internal/kernel", "encoding/safetensors"},
	"curvature":   {"nn", "linop", "internal/kernel"},
	"stability":   {"linop", "internal/kernel", "internal/kernel/blas", "internal/parallel"},
	"geometry":    {"internal/kernel"},
	"seminorm":    {},
	"bound":       {"seminorm"},
	"attack":      {"nn", "dataset", "internal/kernel"},
	"experiment":  {"nn", "dataset", "internal/kernel", "encoding/safetensors", "rundir", "sgd", "curvature", "stability", "linop", "seminorm", "bound", "geometry", "attack", "encoding/onnx"},
	"sweep":       {"rundir"},
	"sweep/slurm": {"rundir", "sweep"},
	// What every executor does, for the tests of each.
	"sweep/sweeptest": {"rundir", "sweep"},
	// A real Slurm on one machine, for tests.
	"sweep/slurm/slurmtest": {"internal/needs"},
	"report":                {"rundir", "internal/parallel"},
	"dashboard":             {"rundir", "report"},
	"cmd/sobolev":           {"dashboard", "dataset", "experiment", "presets", "report", "rundir", "sweep", "sweep/slurm"},
}

// generators are programs under a package that make its committed files.
var generators = []string{"dataset/internal/"}

type listedPackage struct {
	ImportPath string
	Imports    []string
}

func TestImportsPointOneWay(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, "sobolev"), "/")
		if name == "" {
			name = "."
		}
		if slices.ContainsFunc(generators, func(g string) bool { return strings.HasPrefix(name, g) }) {
			continue
		}
		allowed, ok := mayImport[name]
		if !ok {
			t.Errorf("package %s is not in the table of layering_test.go", name)
			continue
		}
		seen[name] = true
		for _, imp := range p.Imports {
			if own, ok := strings.CutPrefix(imp, "sobolev/"); ok && !slices.Contains(allowed, own) && !strings.HasPrefix(own, name+"/") {
				t.Errorf("%s imports %s; the table allows %v", name, own, allowed)
			}
		}
	}
	for name := range mayImport {
		if !seen[name] {
			t.Errorf("the table of layering_test.go has %s, which does not exist", name)
		}
	}
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var packages []listedPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listedPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
