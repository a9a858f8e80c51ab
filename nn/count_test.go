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
