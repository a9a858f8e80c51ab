// Package nn holds feed-forward networks f: R^d → R^c: their layers, losses and
// initialisation, the forward and backward passes, and the exact moments of
// their per-sample gradients, in float32 or float64.
//
// A Differential gives exact products with the derivatives of the outputs and of
// the loss with respect to the parameters; Network.Gram, GramBlocks and
// CoordinateSums are sums of products of per-sample gradients.
//
// A Network holds parameters and the running averages of batch normalisations; a
// Workspace holds the activations and gradients of one batch. Several goroutines
// may evaluate one network at once, each with a workspace of its own; changing the
// parameters needs exclusive access.
package nn
