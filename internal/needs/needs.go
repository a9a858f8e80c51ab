// Package needs says what becomes of a test that does not find what it needs: a
// browser, a data set, the rights to mount. Variables that list what has to be there
// keep a machine from passing by skipping.
package needs

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Required says whether SOBOLEV_REQUIRE, names between commas, lists the name.
func Required(name string) bool {
	return slices.Contains(strings.Split(os.Getenv("SOBOLEV_REQUIRE"), ","), name)
}

// Missing ends a test that misses what has the name: it fails where that is Required,
// and is skipped elsewhere.
func Missing(t testing.TB, name string, why any) {
	t.Helper()
	if Required(name) {
		t.Fatalf("%s is required and missing: %v", name, why)
	}
	t.Skipf("without %s: %v", name, why)
}
