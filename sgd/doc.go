// Package sgd trains networks by stochastic gradient descent, equation (8) of Ma
// & Ying (2021):
//
//	W_{t+1} = W_t − (η/B) Σ_{i∈S_t} ∇ℓ_i(W_t)
//
// and by the methods that it is compared with: see Method.
//
// A training is a function of the initial parameters, the data, the Config and
// the stream of its batches and noise alone: it can be interrupted after any step
// and continued from its State with the same bits.
package sgd
