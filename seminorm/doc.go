// Package seminorm computes Sobolev seminorms of a network f: R^d → R^c from its
// derivatives at given points, and the operator norms ‖W₁ᵀ‖_{2k} that connect
// them with gradients in the parameters (Ma & Ying, 2021,
// Proposition 2). Numbers in, numbers out: it knows no network.
//
// On finitely many points,
//
//	|f|_{q,2k,{x_i}} = ((1/n) Σ_i Σ_{|α|=q} (D^α f(x_i))^{2k})^{1/2k},
//
// and on a set X of positive volume the mean over i is the integral over X (not
// divided by its volume). AtPoints has the first, OnBalls the second for a union
// of balls, both from the norms ‖D^q f_c(x)‖_{2k}: Norm makes them of a gradient,
// q = 1, and HessianNorms of a Hessian, q = 2.
//
// Two conventions for several outputs are in print, and differ: the paper adds
// the outputs' seminorms (Sum), its authors' code adds the 2k-th powers of all
// outputs before the root (Joint ≤ Sum).
package seminorm
