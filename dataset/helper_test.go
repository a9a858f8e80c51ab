package dataset

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sobolev/internal/needs"
)

// loadOrSkip loads the request; where the data set's files are missing, the
// test is skipped, unless SOBOLEV_REQUIRE lists the set.
func loadOrSkip(t *testing.T, r Request) (train, test *Set) {
	t.Helper()
	train, test, err := Load(context.Background(), r)
	if errors.Is(err, ErrMissing) {
		needs.Missing(t, r.Name, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return train, test
}

func mustLoad(t *testing.T, r Request) (train, test *Set) {
	t.Helper()
	train, test, err := Load(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return train, test
}

// wantError checks the kind of an error and that its text has all the parts.
func wantError(t *testing.T, err, kind error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Errorf("error %q is not %q", err, kind)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

// wantRequestError checks that the error blames a key of the configuration.
func wantRequestError(t *testing.T, err error, key string, parts ...string) {
	t.Helper()
	var wrong *RequestError
	if !errors.As(err, &wrong) {
		t.Fatalf("error %v, want a RequestError for %q", err, key)
	}
	if wrong.Key != key {
		t.Errorf("error %q blames %q, want %q", err, wrong.Key, key)
	}
	wantError(t, err, nil, parts...)
}
