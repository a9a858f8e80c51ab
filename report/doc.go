// Package report turns the results of a run into what a reader looks at: the
// correlations that Ma & Ying (2021), "The Sobolev Regularization Effect of
// Stochastic Gradient Descent", predict, with intervals; the figures of the
// paper; and a page that needs nothing but a browser.
//
// A solution counts in the correlations when its training finished and it
// interpolates (Σ‖f−y‖²/Σ‖y‖² ≤ 1e-3), or, where the configuration trains to a
// target loss, when it reached that. All others are drawn hollow and listed
// with the reason; nothing is dropped in silence.
package report
