package onnx

// Model is the content of a file.
type Model struct {
	File     string // for messages
	Producer string // such as "pytorch 2.3.0"
	Opset    int    // version of the standard operators, 0 if the file uses none
	Graph    Graph
}

// Graph is a network of operators. Nodes are in topological order, every name
// of a value is given once, and every value that is read exists.
type Graph struct {
	Nodes        []Node
	Initializers []Tensor
	// Inputs are those that are not initializers.
	Inputs, Outputs []Value
}

// Node is one use of an operator. Inputs and Outputs are names of values; an
// empty one is an optional input or output that is left out.
type Node struct {
	Op, Domain, Name string
	Inputs, Outputs  []string
	Attributes       []Attribute
}

// Attribute is a constant argument of a node; Type says which field counts.
type Attribute struct {
	Name   string
	Type   AttributeType
	Float  float32
	Int    int64
	String string
	Tensor *Tensor
	Floats []float32
	Ints   []int64
}

// AttributeType is the type of an attribute, numbered as in the file. Types
// without a name here, such as graphs, have a number and no value.
type AttributeType int

// The types of attributes that have a value.
const (
	FloatAttribute  AttributeType = 1
	IntAttribute    AttributeType = 2
	StringAttribute AttributeType = 3
	TensorAttribute AttributeType = 4
	FloatsAttribute AttributeType = 6
	IntsAttribute   AttributeType = 7
)

// Value is an input or an output of a graph. Shape is nil if the file does not
// say it, and has -1 for a size that is symbolic, such as the batch.
type Value struct {
	Name  string
	DType DType
	Shape []int
}
