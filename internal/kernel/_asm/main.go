// Command asm writes the amd64 assembly of package kernel. It is run by
// go generate in the parent folder.
package main

import (
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// An element type with the instructions that work on eight float32 or four
// float64 at once. A row of a panel is three such vectors, 96 bytes, for both.
type element struct {
	suffix, name string
	size         int
	lanes        int
	log2         uint64

	load, broadcast          func(...Op)
	add, mul, fma, max, hadd func(...Op)
	and, xor                 func(...Op)
	compare                  func(...Op)
}

const (
	vector   = 32
	rowBytes = 3 * vector
)

var elements = []element{
	{
		suffix: "32", name: "float32", size: 4, lanes: 8, log2: 2,
		load:      func(o ...Op) { VMOVUPS(o[0], o[1]) },
		broadcast: func(o ...Op) { VBROADCASTSS(o[0], o[1]) },
		add:       func(o ...Op) { VADDPS(o...) },
		mul:       func(o ...Op) { VMULPS(o...) },
		fma:       func(o ...Op) { VFMADD231PS(o...) },
		max:       func(o ...Op) { VMAXPS(o...) },
		hadd:      func(o ...Op) { VHADDPS(o[0], o[1], o[2]) },
		and:       func(o ...Op) { VANDPS(o...) },
		xor:       func(o ...Op) { VXORPS(o...) },
		compare:   func(o ...Op) { VCMPPS(o...) },
	},
	{
		suffix: "64", name: "float64", size: 8, lanes: 4, log2: 3,
		load:      func(o ...Op) { VMOVUPD(o[0], o[1]) },
		broadcast: func(o ...Op) { VBROADCASTSD(o[0], o[1]) },
		add:       func(o ...Op) { VADDPD(o...) },
		mul:       func(o ...Op) { VMULPD(o...) },
		fma:       func(o ...Op) { VFMADD231PD(o...) },
		max:       func(o ...Op) { VMAXPD(o...) },
		hadd:      func(o ...Op) { VHADDPD(o[0], o[1], o[2]) },
		and:       func(o ...Op) { VANDPD(o...) },
		xor:       func(o ...Op) { VXORPD(o...) },
		compare:   func(o ...Op) { VCMPPD(o...) },
	},
}

func main() {
	ConstraintExpr("amd64")
	ConstraintExpr("!purego")
	for _, e := range elements {
		forwardTile(e)
		for _, s := range forwardShapes {
			forwardLive(e, s[0], s[1])
		}
		for _, s := range backwardShapes {
			backwardTile(e, s[0], s[1])
		}
		updateTile(e)
		for panels := 1; panels <= 3; panels++ {
			updateRow(e, panels)
		}
		packDelta(e)
		gate(e)
		liveIndex(e)
		liveMasks(e)
		axpy(e)
		scale(e)
		dot(e)
		evenPowers(e)
		peak(e)
	}
	Generate()
}

// begin starts a function; T in the signature stands for the element type.
func (e element) begin(name, signature string, doc ...string) {
	TEXT(name+e.suffix, NOSPLIT, strings.ReplaceAll(signature, "T", e.name))
	Pragma("noescape")
	Doc(doc...)
}

func param(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// bytes loads a parameter that counts elements and turns it into bytes.
func (e element) bytes(name string) reg.GPVirtual {
	r := param(name)
	SHLQ(Imm(e.log2), r)
	return r
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

// panelRow turns the row number in r into its offset in a panel, r·96 bytes.
func panelRow(r reg.GPVirtual) {
	LEAQ(indexed(r, r, 2, 0), r)
	SHLQ(Imm(5), r)
}

func end() {
	VZEROUPPER()
	RET()
}
