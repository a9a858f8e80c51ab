package rundir_test

import (
	"fmt"

	"sobolev/rundir"
)

// A configuration is read strictly, and an error says where it is.
func ExampleSource_Config() {
	s := rundir.Source{Name: "lr.yaml", Text: []byte(`
dataset: {name: fashion-mnist}
sgd: {iterations: 1e5}
grid: {learning_rate: [0.1, -0.2], batch_size: [20]}
`)}
	_, err := s.Config()
	fmt.Println(err)
	s.Set = []string{"grid.learning_rate=[0.1, 0.2]", "repetitions=2"}
	c, err := s.Config()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range c.Points() {
		fmt.Println(p.Name())
	}
	// Output:
	// lr.yaml:4:29: grid.learning_rate[1]: -0.2 is not a positive number
	//    2 | dataset: {name: fashion-mnist}
	//    3 | sgd: {iterations: 1e5}
	// >  4 | grid: {learning_rate: [0.1, -0.2], batch_size: [20]}
	//                                    ^
	// lr=0.1,batch=20,rep=1-d9d2b336b884
	// lr=0.1,batch=20,rep=2-fa7e157e3709
	// lr=0.2,batch=20,rep=1-9c6b6741ed76
	// lr=0.2,batch=20,rep=2-bb886d9cb491
}
