// Package nn holds feed-forward networks f: R^d → R^c: their layers, losses and
// initialisation, the forward and backward passes, and the exact moments of
// their per-sample gradients, in float32 or float64.
//
// A Network holds parameters and the running averages of batch normalisations; a
// Workspace holds the activations and gradients of one batch. Several goroutines
// may evaluate one network at once, each with a workspace of its own; changing the
// parameters needs exclusive access.
package nn
