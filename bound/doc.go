// Package bound evaluates what Ma & Ying (2021), "The Sobolev Regularization
// Effect of Stochastic Gradient Descent", prove: from linear stability of SGD to
// moments of gradients (Theorem 2), from parameter to input gradients
// (Proposition 2), to Sobolev seminorms at the data and around them
// (Corollary 4, Theorems 3–5), to the generalisation error and adversarial
// sensitivity (Theorems 6 and 7). One file a statement. Numbers in, numbers out.
//
// Every function returns a Bound: the right side as printed, the sharpest form
// known, the hypotheses with their evidence, and no number at all where a
// hypothesis fails or could not be decided.
//
// The learning rate is that of the loss (1/2n) Σ_i ‖f(x_i) − y_i‖², for which
// stability is defined: with a mean over c outputs, as torch's MSELoss takes, it
// is 2η/c. N_k is an upper value of ‖W₁ᵀ‖_{2k}; a value from below would prove
// nothing. A_ic denotes the gradient of f_c(x_i) in all parameters, δ_ic that in
// the first layer's pre-activations.
//
// Definition 1 speaks of one output, and so do Proposition 3 and Theorems 4–7:
// they are evaluated for the worst output, and "measured" is the largest over
// outputs. Theorem 3 and what precedes it is in the convention of g_x, which adds
// the 2k-th powers of all outputs.
package bound
