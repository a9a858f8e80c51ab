package dataset

// Source says which file a set was read from, so that a result can say it too.
// It is zero for sets that are embedded or computed, and for .npz files, whose
// path is the set's name.
type Source struct {
	Path string // of the file, or of the folder if there are several

	// SHA256, in hex, is that of the archive as it lies on disk; for a folder of
	// unpacked batches, of their contents one after the other in the order of
	// the samples (cat data_batch_[1-5].bin test_batch.bin | sha256sum). Empty
	// for FashionMNIST, which is refused unless it is the published one.
	SHA256 string

	// Published: the content is known to be the published data set. False means
	// that it could not be shown, not that it is wrong: a cifar-10 archive that
	// was cut down or packed again, or its unpacked folder, for which no sum was
	// published.
	Published bool
}

// String is the remark to print or record: it holds the sum and what that
// proves, but not the path, which differs between machines.
func (s Source) String() string {
	switch {
	case s.Published:
		return "the published data (SHA-256 verified)"
	case s.SHA256 != "":
		return "SHA-256 " + s.SHA256 + ", not shown to be the published data"
	}
	return ""
}
