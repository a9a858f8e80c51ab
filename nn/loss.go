package nn

import "fmt"

// Loss is a squared error. With residuals r = f(x) − y over a batch of B
// samples and c outputs:
//
//	MSE      (1/(B c)) Σ_i Σ_outputs r²   torch.nn.MSELoss
//	HalfMSE  (1/(2B)) Σ_i Σ_outputs r²    the paper's
//
// so that MSE is 2/c times HalfMSE, and its learning rate η acts as 2η/c.
type Loss int

// The zero value is MSE.
const (
	MSE Loss = iota
	HalfMSE
)

var lossNames = []string{"mse", "half-mse"}

func (l Loss) String() string { return lossNames[l] }

// ParseLoss is the inverse of String.
func ParseLoss(name string) (Loss, error) {
	for i, s := range lossNames {
		if s == name {
			return Loss(i), nil
		}
	}
	return 0, fmt.Errorf("loss %q is not known; one of %q", name, lossNames)
}

// Scale returns the factor by which gradients and curvature of l exceed those
// of HalfMSE for c outputs: 2/c or 1.
func (l Loss) Scale(c int) float64 {
	if l == MSE {
		return 2 / float64(c)
	}
	return 1
}

// EffectiveLearningRate returns the learning rate of HalfMSE that takes the same
// steps as eta does with l: 2η/c or η.
func (l Loss) EffectiveLearningRate(eta float64, c int) float64 {
	if l == MSE {
		return 2 * eta / float64(c)
	}
	return eta
}
