package experiment_test

import (
	"context"
	"fmt"
	"log"

	"sobolev/experiment"
)

// A network of PyTorch, saved as safetensors, on its training data.
func ExampleAudit() {
	opt := experiment.AuditOptions{
		Model: "../curvature/testdata/fnn-tiny/model.safetensors", Activation: "relu",
		Data:         "testdata/audit/fnn-tiny.npz",
		LearningRate: 0.1, BatchSize: 2, Loss: "half-mse",
	}
	r, err := experiment.Audit(context.Background(), opt)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Model.Parameters, "parameters,", r.Data.Samples, "samples")
	for _, m := range r.Moments {
		fmt.Printf("k = %d: g_W = %.4f, g_x = %.4f\n", m.K, float64(m.GW), float64(m.GX))
	}
	fmt.Printf("η*_var = %.4f, stable: %v\n", float64(r.Stability.EtaVar.Value), *r.Stability.Orders[1].Stable)
	// Output:
	// 143 parameters, 10 samples
	// k = 1: g_W = 6.1990, g_x = 2.2261
	// k = 2: g_W = 2.9108, g_x = 1.6041
	// k = 3: g_W = 2.6031, g_x = 1.5408
	// η*_var = 0.0880, stable: false
}
