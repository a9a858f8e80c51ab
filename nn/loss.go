package nn

import "fmt"

// Loss says how outputs f(x_i) and targets y_i are compared. With residuals
// r = f(x) − y over a batch of B samples and c outputs:
//
//	MSE           (1/(B c)) Σ_i Σ_outputs r²           torch.nn.MSELoss
//	HalfMSE       (1/(2B)) Σ_i Σ_outputs r²            the paper's
//	CrossEntropy  −(1/B) Σ_i Σ_outputs y log p,        torch.nn.CrossEntropyLoss
//	              p = softmax(f), y a distribution
//
// so that MSE is 2/c times HalfMSE, and its learning rate η acts as 2η/c.
//
// The Hessian of one sample's loss in its outputs is s RᵀR with s = Scale. R is the
// identity for the squared errors; for CrossEntropy it is c×c with the rows
// √p_o (e_o − p)ᵀ, so that RᵀR = diag p − p pᵀ. Networks are trained with squared
// errors alone; CrossEntropy is there to measure what others have trained.
type Loss int

// The zero value is MSE.
const (
	MSE Loss = iota
	HalfMSE
	CrossEntropy
)

var lossNames = []string{"mse", "half-mse", "cross-entropy"}

func (l Loss) String() string { return lossNames[l] }

// ParseLoss is the inverse of String.
func ParseLoss(name string) (Loss, error) {
	for i, s := range lossNames {
		if s == name {
			return Loss(i), nil
		}
	}
	return 0, fmt.Errorf("%q is not known; one of %q", name, lossNames)
}

// Squared says whether the loss is a squared error.
func (l Loss) Squared() bool { return l != CrossEntropy }

// Scale returns s for c outputs: 2/c for MSE, by which its gradients and curvature
// exceed those of HalfMSE, and 1 for the others.
func (l Loss) Scale(c int) float64 {
	if l == MSE {
		return 2 / float64(c)
	}
	return 1
}

// EffectiveLearningRate returns the learning rate that takes the same steps with
// s = 1 as eta does with l: 2η/c for MSE, in which case they are those of HalfMSE,
// or η.
func (l Loss) EffectiveLearningRate(eta float64, c int) float64 {
	if l == MSE {
		return 2 * eta / float64(c)
	}
	return eta
}
