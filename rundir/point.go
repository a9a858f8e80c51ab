package rundir

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strconv"
)

// Point is one training of a grid: everything that determines the weights, and
// nothing else.
//
// Its hash names folders that outlive this version of the program, so the fields,
// their JSON names and their order are fixed. A field that is added here, or to a
// type in here, has `omitzero` in its JSON tag, its zero is what the program did
// before, and Resolve leaves it at zero.
type Point struct {
	Dataset      Dataset `yaml:"dataset" json:"dataset"`
	Model        Model   `yaml:"model" json:"model"`
	Loss         string  `yaml:"loss" json:"loss"`
	SGD          SGD     `yaml:"sgd" json:"sgd"`
	Stop         Stop    `yaml:"stop" json:"stop"`
	Method       string  `yaml:"method" json:"method"`
	LearningRate float64 `yaml:"learning_rate" json:"learning_rate"`
	BatchSize    int     `yaml:"batch_size" json:"batch_size"` // 0: all samples, the batch of gd
	Repetition   int     `yaml:"repetition" json:"repetition"`
	Seed         uint64  `yaml:"seed" json:"seed"`
	Fork         Fork    `yaml:"fork,omitempty" json:"fork,omitzero"`
}

// point is what all points of c share.
func (c Config) point() Point {
	p := Point{Dataset: c.Dataset, Model: c.Model, Loss: c.Loss, SGD: c.SGD, Stop: c.Stop, Seed: c.Seed, Fork: c.Fork}
	if c.Fork.From != "" {
		p.Fork.From = filepath.Base(c.Fork.From)
	}
	return p
}

// Points returns the grid's points in the order of the results: by method,
// learning rate, batch size and repetition as the configuration lists them; gd
// has one batch size, 0 for all samples. Repetitions count from 1.
func (c Config) Points() []Point {
	ps := make([]Point, 0, len(c.Grid.Method)*len(c.Grid.LearningRate)*max(1, len(c.Grid.BatchSize))*c.Repetitions)
	for _, method := range c.Grid.Method {
		for _, lr := range c.Grid.LearningRate {
			for _, b := range c.Grid.batchSizes(method) {
				for rep := range c.Repetitions {
					p := c.point()
					p.SGD = p.SGD.of(method)
					p.Method, p.LearningRate, p.BatchSize, p.Repetition = method, lr, b, rep+1
					ps = append(ps, p)
				}
			}
		}
	}
	return ps
}

// Hash identifies the weights that the point leads to: 12 hexadecimal digits of
// the SHA-256 of its JSON form.
func (p Point) Hash() string {
	sum := sha256.Sum256([]byte(asJSON(p)))
	return hex.EncodeToString(sum[:6])
}

// Name is the name of the point's folder: readable axes and the hash.
func (p Point) Name() string {
	batch := "all"
	if p.BatchSize != 0 {
		batch = strconv.Itoa(p.BatchSize)
	}
	name := fmt.Sprintf("lr=%s,batch=%s,rep=%d-%s", strconv.FormatFloat(p.LearningRate, 'g', -1, 64), batch, p.Repetition, p.Hash())
	if p.Method != "sgd" {
		name = "method=" + p.Method + "," + name
	}
	return name
}
