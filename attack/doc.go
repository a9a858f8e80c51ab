// Package attack searches the neighbourhoods of samples, of inputs and of
// parameters, for what the bounds of Ma & Ying (2021) are about: the largest
// |f_c(x) − f_c(x_i)| (Theorem 7) and ‖∇_x f_c(x)‖_{2k} (Proposition 3) in a ball
// around an input, a class that is not the right one, and the constant of
// Definition 1 in a ball around the parameters.
//
// What a search found is attained at a point that it can show: a lower bound of the
// largest value, never more. CLEVER extrapolates from samples and is neither a lower
// nor an upper bound. Only Certify proves an upper bound.
package attack
