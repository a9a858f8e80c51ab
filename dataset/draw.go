package dataset

import (
	"math/rand/v2"
	"slices"
)

// Values of Request.Draw.
const (
	DrawSeed  = "seed"  // without replacement, by Request.Seed
	DrawFirst = "first" // the first of each class in file order
)

// part says which half of a data set is drawn; the names go into errors, the
// numbers into the random stream, so they must never change.
type part uint64

const (
	trainPart part = 1
	testPart  part = 2
)

func (p part) String() string {
	if p == trainPart {
		return "training"
	}
	return "test"
}

func (p part) key() string {
	if p == trainPart {
		return "per_class"
	}
	return "test_per_class"
}

// drawRule is how a subset is chosen from one part of a data set.
type drawRule struct {
	part     part
	classes  []int // original labels in output order
	perClass int   // 0: all
	draw     string
	seed     uint64
	gaps     bool // a class without samples is left out where no number is asked for
}

// indices returns the positions of the chosen samples, sorted by (class order,
// file order). labels are the original labels of all samples; name says of
// which data set, for errors.
func (r drawRule) indices(labels []int, name string, className func(int) string) ([]int, error) {
	members := map[int][]int{}
	for i, l := range labels {
		members[l] = append(members[l], i)
	}
	var chosen []int
	for _, class := range r.classes {
		available := members[class]
		if r.gaps && r.perClass == 0 {
			chosen = append(chosen, available...)
			continue
		}
		if len(available) == 0 || r.perClass > len(available) {
			return nil, badRequest(r.part.key(), "class %d (%s) of %s has %d %v samples, %d were asked for",
				class, className(class), name, len(available), r.part, max(r.perClass, 1))
		}
		if r.perClass > 0 {
			available = r.take(available, class)
		}
		chosen = append(chosen, available...)
	}
	return chosen, nil
}

// take chooses perClass of a class's samples, in file order.
func (r drawRule) take(available []int, class int) []int {
	if r.draw == DrawFirst {
		return available[:r.perClass]
	}
	// A stream for each class: its samples do not change when other classes
	// join. A partial Fisher–Yates shuffle makes smaller draws prefixes of
	// larger ones.
	rng := rand.New(rand.NewPCG(r.seed, uint64(r.part)<<32|uint64(class)))
	pool := slices.Clone(available)
	for i := range r.perClass {
		j := i + rng.IntN(len(pool)-i)
		pool[i], pool[j] = pool[j], pool[i]
	}
	pool = pool[:r.perClass]
	slices.Sort(pool)
	return pool
}
