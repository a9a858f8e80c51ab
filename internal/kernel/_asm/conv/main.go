// Command conv writes the amd64 assembly of the fused convolution with pooling
// of package kernel. It is run by go generate in the folder of the package.
//
// All distances between elements come as bytes. A patch is three rows of three
// pixels; a row pointer each and an index register reach all nine.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const vector = 32

func main() {
	ConstraintExpr("amd64")
	ConstraintExpr("!purego")
	forward()
	patches8()
	patches3()
	sortWindows()
	spread8()
	spreadImage()
	columnSums()
	transpose()
	winogradInput()
	winogradTile()
	winogradOutput()
	winogradWeights()
	Generate()
}

func begin(name, signature string, doc ...string) {
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(doc...)
}

func param(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// address is the place of a parameter, for what is needed too rarely to keep.
func address(name string) Mem {
	m, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return m.Addr
}

func ymms(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = YMM()
	}
	return v
}

func at(base reg.Register, disp int) Mem { return Mem{Base: base, Disp: disp} }

func indexed(base, index reg.Register, scale uint8, disp int) Mem {
	return Mem{Base: base, Index: index, Scale: scale, Disp: disp}
}

func zero(v []reg.VecVirtual) {
	for _, r := range v {
		VXORPS(r, r, r)
	}
}

func end() {
	VZEROUPPER()
	RET()
}
