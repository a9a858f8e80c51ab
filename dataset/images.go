package dataset

import "context"

// images is one part of a labelled set of byte images, as files hold it.
type images struct {
	pixels [][]uint8 // n views of d bytes, so that a reader may keep them in pieces
	labels []int     // n original labels
	index  []int     // n positions in the file; nil: 0, 1, …
}

// at returns the positions in the file of the chosen images.
func (im images) at(chosen []int) []int {
	if im.index == nil {
		return chosen
	}
	index := make([]int, len(chosen))
	for i, k := range chosen {
		index[i] = im.index[k]
	}
	return index
}

// imageSource is a labelled image data set, ready to be drawn from.
type imageSource struct {
	name        string
	shape       []int // channels, height, width
	classes     []string
	train, test images
	trainOnly   bool // there is no test set
	gaps        bool // classes may be without samples where none are chosen
	source      Source
}

// load draws the request's training and test sets; test is nil where the source has
// none.
func (src imageSource) load(ctx context.Context, r Request) (train, test *Set, err error) {
	p, err := r.Preprocessing.resolve(1./255, src.shape)
	if err != nil {
		return nil, nil, err
	}
	classes, err := r.classList(len(src.classes), src.name)
	if err != nil {
		return nil, nil, err
	}
	memory := r.memory()
	if train, err = src.subset(ctx, src.train, r.rule(trainPart, classes), p, memory); err != nil {
		return nil, nil, err
	}
	if src.trainOnly {
		return train, nil, nil
	}
	test, err = src.subset(ctx, src.test, r.rule(testPart, classes), p, memory-sampleBytes(len(train.X)+len(train.Y)))
	return train, test, err
}

func (src imageSource) className(label int) string { return src.classes[label] }

// subset draws from one part and preprocesses; p is resolved.
func (src imageSource) subset(ctx context.Context, from images, rule drawRule, p Preprocessing, memory int64) (*Set, error) {
	rule.gaps = src.gaps
	chosen, err := rule.indices(from.labels, src.name, src.className)
	if err != nil {
		return nil, err
	}
	s := &Set{
		Name: src.name, Shape: src.shape, Outputs: len(rule.classes),
		Preprocessing: p, Index: from.at(chosen), Source: src.source,
	}
	if err := fits(src.name, len(chosen)*(s.Inputs()+s.Outputs), memory); err != nil {
		return nil, err
	}
	output := make([]int, len(src.classes))
	for j, class := range rule.classes {
		output[class] = j
		s.Classes = append(s.Classes, src.classes[class])
	}
	d := s.Inputs()
	channels, size := channelLayout(src.shape)
	table := p.byteTable(channels)
	s.X = make([]float32, len(chosen)*d)
	s.Labels = make([]int, len(chosen))
	for i, k := range chosen {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		s.Labels[i] = output[from.labels[k]]
		for ch := range channels {
			value := (*[256]float32)(table[ch*256:])
			plane := s.X[i*d+ch*size : i*d+(ch+1)*size]
			for j, b := range from.pixels[k][ch*size : (ch+1)*size] {
				plane[j] = value[b]
			}
		}
	}
	s.Y = OneHot(s.Labels, s.Outputs)
	return s, nil
}

// joinIDX makes images of an IDX file of pictures and one of labels, after
// checking that they belong together.
func joinIDX(pictures, labels *IDX, shape []int, classes int) (images, error) {
	h, w := shape[1], shape[2]
	if len(pictures.Dims) != 3 || pictures.Dims[1] != h || pictures.Dims[2] != w {
		return images{}, malformed(pictures.Name, 4, "dimensions %v, want [n %d %d]", pictures.Dims, h, w)
	}
	if len(labels.Dims) != 1 {
		return images{}, malformed(labels.Name, 4, "dimensions %v, want [n]", labels.Dims)
	}
	if n := pictures.Dims[0]; n != labels.Dims[0] {
		return images{}, malformed(labels.Name, 4, "%d labels for the %d images of %s", labels.Dims[0], n, pictures.Name)
	}
	im := images{pixels: make([][]uint8, len(labels.Data)), labels: make([]int, len(labels.Data))}
	for i, l := range labels.Data {
		im.pixels[i], im.labels[i] = pictures.Data[i*h*w:(i+1)*h*w], int(l)
		if int(l) >= classes {
			return images{}, malformed(labels.Name, labels.headerSize()+int64(i),
				"label %d of sample %d, want 0 to %d", l, i, classes-1)
		}
	}
	return im, nil
}
