package dataset_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"

	"sobolev/dataset"
)

// The paper's subset: the first 200 images of each of five classes.
func ExampleLoad() {
	train, test, err := dataset.Load(context.Background(), dataset.Request{
		Name:     "fashion-mnist-mini",
		PerClass: 200,
		Draw:     dataset.DrawFirst,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("n =", train.Len(), "d =", train.Inputs(), "c =", train.Outputs)
	fmt.Println("test:", test.Len())
	fmt.Println(train.Preprocessing, train.Classes)
	fmt.Println(train.Labels[0], train.Target(0))
	// Output:
	// n = 1000 d = 784 c = 5
	// test: 5000
	// x/255 [T-shirt/top Trouser Pullover Dress Coat]
	// 0 [1 0 0 0 0]
}

func ExampleLoad_wrongRequest() {
	_, _, err := dataset.Load(context.Background(), dataset.Request{Name: "fashion-mnist-mini", PerClass: 2000})
	fmt.Println(err)
	// Output:
	// dataset.per_class: class 0 (T-shirt/top) of fashion-mnist-mini has 1000 training samples, 2000 were asked for
}

func ExamplePreprocessing_String() {
	fmt.Println(dataset.Preprocessing{Scale: 1. / 255, Mean: []float64{0.286}, Std: []float64{0.353}})
	// Output:
	// (x/255 - 0.286)/0.353
}

func ExampleSubspaces() {
	s, union := dataset.Subspaces(90, 3, 2, 10, rand.New(rand.NewPCG(1, 2)))
	fmt.Println(s.Len(), s.Inputs(), s.Classes)
	fmt.Println(len(union.Bases), "planes in dimension", union.Dim)
	// Output:
	// 90 10 [subspace 0 subspace 1 subspace 2]
	// 3 planes in dimension 10
}

func ExampleCatalogue() {
	for _, e := range dataset.Catalogue() {
		fmt.Printf("%-19s %d bytes\n", e.Name, e.Bytes)
	}
	// Output:
	// fashion-mnist-mini  0 bytes
	// fashion-mnist       30878645 bytes
	// cifar-10            170052171 bytes
	// function-1d         0 bytes
	// sphere              0 bytes
	// subspaces           0 bytes
}
