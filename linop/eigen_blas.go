package linop

import "sobolev/internal/kernel/blas"

// Who imports linop does dense linear algebra: from then on, Gonum's
// factorisations use the products of package kernel, too. The registration is
// global and has to be over before anybody computes, hence init.
func init() { blas.Use() }
