package sgd

import (
	"slices"
	"testing"
	"time"
)

// BenchmarkMethods compares a step of each method and optimizer with a step of
// plain SGD on the same network and data, taken in turn. Gradient descent is
// left out: its step is n/B forward and backward passes.
func BenchmarkMethods(b *testing.B) {
	vgg, _ := vggTrainer(b, 20)
	for _, net := range []struct {
		name  string
		plain *Trainer[float32]
	}{{"vgg", vgg}, {"fnn", paperTrainer(b, 20)}} {
		for _, method := range everyMethod() {
			if method.Method == GD {
				continue
			}
			for _, cfg := range everyOptimizer(method) {
				b.Run(net.name+"/"+cfg.label(), func(b *testing.B) {
					cfg.BatchSize, cfg.LearningRate, cfg.Iterations, cfg.HistoryEvery = 20, 1e-6, 1<<40, 1<<40
					t, err := NewTrainer(net.plain.Network, net.plain.data, cfg, 1)
					if err != nil {
						b.Fatal(err)
					}
					var ratios []float64
					seconds := func(t *Trainer[float32]) float64 {
						start := time.Now()
						if err := t.Step(); err != nil {
							b.Fatal(err)
						}
						return time.Since(start).Seconds()
					}
					for b.Loop() {
						ratios = append(ratios, seconds(t)/seconds(net.plain))
					}
					slices.Sort(ratios)
					b.ReportMetric(ratios[len(ratios)/2], "median-sgd-steps")
				})
			}
		}
	}
}
