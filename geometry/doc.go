// Package geometry measures data sets: how densely n training points cover their
// distribution and how much the balls around them overlap. Ma & Ying (2021) turn
// smoothness at the training points into smoothness around them (Theorem 4) and
// into errors on new points (Theorems 5–7) with these quantities.
//
//	nearest neighbours   Nearest, NearestOthers, CountWithin
//	cover                CoverAt, RadiusAt, CoverRate, CoveredCondition
//	scatter              ScatterBracket, ScatteredCondition
//	union of balls       SampleUnion, MeasureUnion, LogBallVolume
//	dimension            TwoNN, Gride, Decimate
//
// The norm is the Euclidean one. A ball is closed: x is in the ball around x_i if
// ‖x − x_i‖ ≤ δ, and κ(x) is the number of the n balls that x is in. X_δ is their
// union.
//
// Distances are exact to the rounding of float64, and counts and neighbours are
// those of these distances: products in float32 only rule out, with a bound on
// their error, what need not be looked at.
package geometry
