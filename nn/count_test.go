package nn

import "testing"

func TestArchitectureCountsItsParameters(t *testing.T) {
	for seed := range uint64(100) {
		net, _ := randomNetwork[float64](seed)
		if got, err := net.Architecture.ParameterCount(); err != nil || got != float64(net.ParameterCount()) {
			t.Errorf("%+v has %v parameters (%v), the network %d", net.Architecture, got, err, net.ParameterCount())
		}
	}
	if _, err := (Architecture{}).ParameterCount(); err == nil {
		t.Error("no layers: no error")
	}
	huge := FNN(1<<40, []int{1 << 40}, 1, ReLU)
	if got, err := huge.ParameterCount(); err != nil || got < 0x1p80 {
		t.Errorf("an absurd architecture has %v parameters (%v)", got, err)
	}
}

// The count is near what a workspace of one sample takes, and never above what
// measuring needs.
func TestArchitectureCountsTheValuesOfASample(t *testing.T) {
	for seed := range uint64(100) {
		net, _ := randomNetwork[float64](seed)
		values, err := net.Architecture.SampleValues()
		if err != nil {
			t.Fatal(err)
		}
		if bytes := 8 * values; !(bytes <= float64(net.MeasuringBytes(1))) || !(8*bytes >= float64(net.workspaceBytes())) {
			t.Errorf("%+v: %v bytes a sample, a workspace has %d and measuring needs %d", net.Architecture, bytes, net.workspaceBytes(), net.MeasuringBytes(1))
		}
	}
	// A convolution of many channels that is fused with its pooling makes no patches.
	fused := Architecture{Input: []int{64, 32, 32}, Layers: []Layer{Conv(8, 3, 1, 1), Activate(ReLU), MaxPool(2), Flatten(), Linear(1)}}
	net, err := New[float64](fused)
	if err != nil {
		t.Fatal(err)
	}
	if values, err := fused.SampleValues(); err != nil || !(8*values <= float64(net.MeasuringBytes(1))) {
		t.Errorf("%v values of a sample (%v), measuring needs %d bytes", values, err, net.MeasuringBytes(1))
	}
	padded := Architecture{Input: []int{1, 2, 2}, Layers: []Layer{Conv(1, 1, 1, 1e6), AvgPool(2e6), Flatten(), Linear(1)}}
	if values, err := padded.SampleValues(); err != nil || !(values >= 16e12) {
		t.Errorf("an absurd padding makes %v values (%v)", values, err)
	}
}
