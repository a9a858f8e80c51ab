package dataset

import (
	"context"
	"strings"
)

// Entry describes one data set of the catalogue.
type Entry struct {
	Name        string
	Description string
	Licence     string
	Shape       []int    // of one input; nil if the request decides
	Classes     []string // of all labels, in the order of the labels; nil for regression
	Train, Test int      // samples available; 0 if the request decides
	Bytes       int64    // to download; 0 for sets that are embedded or computed
	Files       []File   // to download into a subfolder with the entry's name
	Debian      string   // Debian package that brings the files, or ""

	synthetic bool   // takes Request.Synthetic
	system    string // folder where the Debian package puts the files
	// find looks for the set in one folder, in place of the rule that all Files
	// have to be there: the path of what was found or "", and a remark on what
	// was there instead.
	find func(folder string) (path, remark string, err error)
	load func(context.Context, Request) (train, test *Set, err error)
}

// File is one file of a data set.
type File struct {
	Name   string   // official file name
	URLs   []string // tried in this order
	SHA256 string   // in hex, of the unpacked content: any gzip packing of it is accepted
	Bytes  int64    // size of the official packed file
	Raw    int64    // size of the unpacked content
	Packed bool     // SHA256 is that of the packed file itself, and Raw is not used
}

// Catalogue lists the data sets that Load knows by name. The result is the
// caller's to keep.
func Catalogue() []Entry {
	return []Entry{
		fashionMini(),
		fashionFull(),
		cifarEntry(),
		function1D(),
		sphereEntry(),
		subspacesEntry(),
	}
}

// Lookup returns the entry of a name.
func Lookup(name string) (Entry, error) {
	var names []string
	for _, e := range Catalogue() {
		if e.Name == name {
			return e, nil
		}
		names = append(names, e.Name)
	}
	return Entry{}, badRequest("name", "%q is not known; use one of %s, or the path of an .npz file", name, strings.Join(names, ", "))
}
