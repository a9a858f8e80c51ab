package onnx

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The functions here append messages with their fields in a fixed order, so that
// equal graphs are equal bytes.

func appendModel(g *Graph) []byte {
	b := appendInt(nil, 1, writtenIR)
	b = appendText(b, 2, "sobolev")
	b = appendMessage(b, 7, appendGraph(nil, g))
	return appendMessage(b, 8, appendInt(nil, 2, writtenOpset))
}

func appendGraph(b []byte, g *Graph) []byte {
	for i := range g.Nodes {
		b = appendMessage(b, 1, appendNode(nil, &g.Nodes[i]))
	}
	b = appendText(b, 2, "main_graph")
	for i := range g.Initializers {
		b = appendMessage(b, 5, appendTensor(nil, &g.Initializers[i]))
	}
	for _, v := range g.Inputs {
		b = appendMessage(b, 11, appendValue(nil, v))
	}
	for _, v := range g.Outputs {
		b = appendMessage(b, 12, appendValue(nil, v))
	}
	return b
}

func appendNode(b []byte, n *Node) []byte {
	for _, in := range n.Inputs {
		b = appendText(b, 1, in)
	}
	for _, out := range n.Outputs {
		b = appendText(b, 2, out)
	}
	b = appendText(b, 3, n.Name)
	b = appendText(b, 4, n.Op)
	for i := range n.Attributes {
		b = appendMessage(b, 5, appendAttribute(nil, &n.Attributes[i]))
	}
	if n.Domain != "" {
		b = appendText(b, 7, n.Domain)
	}
	return b
}

func appendAttribute(b []byte, a *Attribute) []byte {
	b = appendText(b, 1, a.Name)
	switch a.Type {
	case FloatAttribute:
		b = appendFloat32(b, 2, a.Float)
	case IntAttribute:
		b = appendInt(b, 3, a.Int)
	case StringAttribute:
		b = appendText(b, 4, a.String)
	case TensorAttribute:
		b = appendMessage(b, 5, appendTensor(nil, a.Tensor))
	case FloatsAttribute:
		for _, v := range a.Floats {
			b = appendFloat32(b, 7, v)
		}
	case IntsAttribute:
		for _, v := range a.Ints {
			b = appendInt(b, 8, v)
		}
	}
	return appendInt(b, 20, int64(a.Type))
}

func appendTensor(b []byte, t *Tensor) []byte {
	for _, dim := range t.Shape {
		b = appendInt(b, 1, int64(dim))
	}
	b = appendInt(b, 2, int64(t.DType))
	if t.Name != "" {
		b = appendText(b, 8, t.Name)
	}
	return appendMessage(b, 9, t.Data)
}

// appendValue writes the size -1, the batch, as a name.
func appendValue(b []byte, v Value) []byte {
	var shape []byte
	for _, size := range v.Shape {
		if size < 0 {
			shape = appendMessage(shape, 1, appendText(nil, 2, "batch"))
		} else {
			shape = appendMessage(shape, 1, appendInt(nil, 1, int64(size)))
		}
	}
	tensor := appendInt(nil, 1, int64(v.DType))
	tensor = appendMessage(tensor, 2, shape)
	b = appendText(b, 1, v.Name)
	return appendMessage(b, 2, appendMessage(nil, 1, tensor))
}

func appendInt(b []byte, number protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), uint64(v))
}

func appendFloat32(b []byte, number protowire.Number, v float32) []byte {
	return protowire.AppendFixed32(protowire.AppendTag(b, number, protowire.Fixed32Type), math.Float32bits(v))
}

func appendText(b []byte, number protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), s)
}

func appendMessage(b []byte, number protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), message)
}
