// Package dataset reads the data sets that networks are trained on and draws
// reproducible subsets of them.
//
// A [Request] names a data set of the [Catalogue] (or an .npz file) and says
// which classes, how many samples of each and with which preprocessing;
// [Load] answers with a training and a test [Set].
//
// # Conventions
//
// A set holds n samples with d inputs and c outputs. X is n×d, Y is n×c, both
// row-major float32.
//
//   - Inputs are x' = (x·scale − mean)/std. Images are divided by 255 and not
//     centred unless the request says otherwise; every other set is left as it
//     is. What was done is kept in [Set.Preprocessing] and printed by its
//     String method, so that it can be stored with every result.
//   - Targets of a classification are one-hot: Y[i,j] = 1 if j is the class of
//     sample i, else 0. The class index j is the position in the list of
//     requested classes, not the label in the file: classes 3, 7 give outputs
//     0, 1.
//   - Samples are ordered by (position of the class in the request, position in
//     the file), whatever the draw was.
//
// # Draws
//
// "seed" takes per_class samples of every class without replacement by a PCG
// stream that is derived from (Request.Seed, training or test, original label).
// A class's samples therefore do not depend on which other classes were asked
// for, and a smaller draw is contained in a larger one with the same seed.
// "first" takes the first per_class samples of each class in file order, which
// is what Ma & Ying (2021) do.
//
// # Which bytes
//
// FashionMNIST and MNIST have the same file names, so names prove nothing:
// what is read as fashion-mnist is compared with the published data by the
// SHA-256 of the *unpacked* IDX content. That sum is the same for the authors'
// .gz files, for Debian's repacked ones and for plain IDX files.
//
// CIFAR-10 is published as one archive, whose packed SHA-256 [Fetch] insists on.
// [Load] does not, because reduced and re-packed copies in the official layout
// are in use; [Set.Source] says whether it was the published archive, and the
// sum of what it was.
//
// # Errors
//
// A file that breaks its format gives a [FormatError] that is [ErrMalformed];
// one that keeps it but uses something this package does not read is
// [ErrUnsupported]. Files that are not there are [ErrMissing], a request that
// cannot be fulfilled is a [RequestError], wrong content is [ErrChecksum].
// No input from outside makes the package panic, and a header is not believed
// about sizes: memory grows with the bytes that were really there.
package dataset
