package experiment

import (
	"fmt"
	"math"
	"slices"

	"sobolev/nn"
	"sobolev/rundir"
	"sobolev/seminorm"
)

// hessianBudget limits the multiplications that second derivatives take, to some ten
// seconds of one core: where all samples need more, some of them stand for all.
const hessianBudget = 1e11

// secondOrder measures the second derivatives in the input at the samples, and returns
// their seminorms by order.
func (a *around) secondOrder() func(k int) *rundir.SecondSeminorm {
	orders, c := slices.Max(a.MeasuredOrders), a.net.Outputs()
	multi, full := make([][]float64, orders), make([][]float64, orders)
	cost, err := a.net.HessianCost()
	samples := a.data.N
	if err == nil {
		samples = hessianSamples(samples, cost)
		_, x := spread(a.data, samples)
		data := nn.Data[float64]{N: samples, X: x, Y: make([]float64, samples*c)}
		err = a.net.EachHessianSums(data, orders, a.memory, func(_, _ int, s *nn.HessianSums) {
			for k := 1; k <= orders; k++ {
				multi[k-1] = append(multi[k-1], math.Pow(s.MultiIndex[k-1], 1/float64(2*k)))
				full[k-1] = append(full[k-1], math.Pow(s.FullMatrix[k-1], 1/float64(2*k)))
			}
		})
	}
	if err != nil {
		return func(int) *rundir.SecondSeminorm {
			return &rundir.SecondSeminorm{Points: notKnown, PointsSum: notKnown, FullMatrix: notKnown, FullMatrixSum: notKnown, WhyNot: err.Error()}
		}
	}
	if samples < a.data.N {
		a.warn(fmt.Sprintf("seminorms: second derivatives are those of %d of the %d samples, evenly spread: all would take too long", samples, a.data.N))
	}
	return func(k int) *rundir.SecondSeminorm {
		m, f := seminorm.AtPoints(multi[k-1], c, k), seminorm.AtPoints(full[k-1], c, k)
		return &rundir.SecondSeminorm{Points: rundir.Number(m.Joint), PointsSum: rundir.Number(m.Sum),
			FullMatrix: rundir.Number(f.Joint), FullMatrixSum: rundir.Number(f.Sum), Samples: samples}
	}
}

// hessianSamples returns how many of n samples are within the budget, at least one.
func hessianSamples(n int, cost float64) int {
	return int(max(1, min(float64(n), hessianBudget/max(cost, 1))))
}
