package onnx_test

import (
	"fmt"
	"log"

	"sobolev/encoding/onnx"
)

func ExampleReadFile() {
	m, err := onnx.ReadFile("testdata/keras.onnx")
	if err != nil {
		log.Fatal(err)
	}
	net, err := m.Network()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("input", net.Input, "channels last:", net.ChannelsLast)
	for _, l := range net.Layers {
		fmt.Println(l.Kind, l.Activation, len(l.Weight), len(l.Bias))
	}
	// Output:
	// input [2 6 4] channels last: true
	// conv  54 3
	// activation relu 0 0
	// avgpool  0 0
	// flatten  0 0
	// activation softplus 0 0
	// batchnorm  18 18
	// linear  36 2
}

func ExampleEncode() {
	net := &onnx.Network{Input: []int{2}, Layers: []onnx.Layer{
		{Kind: onnx.Linear, Out: 1, Weight: []float64{1, -1}, Bias: []float64{0.5}},
		{Kind: onnx.Activate, Activation: onnx.Tanh},
	}}
	b, err := onnx.Encode(net, onnx.Float)
	if err != nil {
		log.Fatal(err)
	}
	m, err := onnx.Read(b, "net.onnx")
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range m.Graph.Nodes {
		fmt.Println(n.Op, n.Inputs, n.Outputs)
	}
	// Output:
	// Gemm [x net.0.weight net.0.bias] [/net.0/Gemm_output_0]
	// Tanh [/net.0/Gemm_output_0] [y]
}
