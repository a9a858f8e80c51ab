package nn

import (
	"fmt"
	"math"

	"sobolev/internal/kernel"
)

// Activation is a function that is applied to every unit of a layer.
type Activation int

// GELU is the exact form x·Φ(x); Softplus is log(1+eˣ), Sigmoid 1/(1+e⁻ˣ).
// ReLU'(0) = 0.
const (
	Identity Activation = iota
	ReLU
	Tanh
	GELU
	Softplus
	Sigmoid
)

var activationNames = []string{"identity", "relu", "tanh", "gelu", "softplus", "sigmoid"}

func (a Activation) String() string { return activationNames[a] }

// ParseActivation is the inverse of String.
func ParseActivation(name string) (Activation, error) {
	for i, s := range activationNames {
		if s == name {
			return Activation(i), nil
		}
	}
	return 0, fmt.Errorf("activation %q is not known; one of %q", name, activationNames)
}

// Value returns a(z).
func (a Activation) Value(z float64) float64 {
	switch a {
	case ReLU:
		return max(z, 0)
	case Tanh:
		return math.Tanh(z)
	case GELU:
		return z * normalCDF(z)
	case Softplus:
		return softplus(z)
	case Sigmoid:
		return sigmoid(z)
	}
	return z
}

// Derivative returns a′(z).
func (a Activation) Derivative(z float64) float64 {
	switch a {
	case ReLU:
		if z <= 0 {
			return 0
		}
	case Tanh:
		t := math.Tanh(z)
		return 1 - t*t
	case GELU:
		return normalCDF(z) + z*math.Exp(-z*z/2)/math.Sqrt(2*math.Pi)
	case Softplus:
		return sigmoid(z)
	case Sigmoid:
		s := sigmoid(z)
		return s * (1 - s)
	}
	return 1
}

// apply sets y = a(z) of a smooth activation, element by element. ReLU never comes
// here: it is part of the product before it.
func apply[T kernel.Float](a Activation, y, z []T) {
	for i, v := range z {
		y[i] = T(a.Value(float64(v)))
	}
}

// applyDerivative multiplies dy by a'(z) of a smooth activation, element by element.
func applyDerivative[T kernel.Float](a Activation, dy, z []T) {
	for i, v := range z {
		dy[i] *= T(a.Derivative(float64(v)))
	}
}

// addCurvature adds opened·a″(z)·ż to zeta, element by element.
func addCurvature[T kernel.Float](a Activation, zeta, opened, zdot, z []T) {
	for i := range zeta {
		zeta[i] += opened[i] * zdot[i] * T(a.secondDerivative(float64(z[i])))
	}
}

// secondDerivative returns a″(z) of a smooth activation.
func (a Activation) secondDerivative(z float64) float64 {
	switch a {
	case Tanh:
		t := math.Tanh(z)
		return -2 * t * (1 - t*t)
	case GELU:
		return (2 - z*z) * math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
	case Softplus:
		s := sigmoid(z)
		return s * (1 - s)
	case Sigmoid:
		s := sigmoid(z)
		return s * (1 - s) * (1 - 2*s)
	}
	panic("nn: secondDerivative: not a smooth activation")
}

func normalCDF(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// softplus is log(1+eˣ) without overflow.
func softplus(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
