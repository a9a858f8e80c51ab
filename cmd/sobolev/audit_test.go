package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// From the command line to the thresholds of an independent implementation.
func TestAuditOfGoldenFiles(t *testing.T) {
	for fixture, args := range map[string][]string{
		"fnn-tiny":   {"--activation", "relu"},
		"fnn-scalar": {"--activation", "tanh"},
		"cnn-tiny":   {"--arch", "../../experiment/testdata/audit/cnn-tiny.yaml"},
	} {
		folder := filepath.Join("..", "..", "curvature", "testdata", fixture)
		text, err := os.ReadFile(filepath.Join(folder, "golden.json"))
		if err != nil {
			t.Fatal(err)
		}
		var golden struct {
			Gradients  map[string]map[string]any
			Thresholds []struct {
				B       int
				EtaStar float64 `json:"eta_star"`
			} `json:"thresholds_k2"`
		}
		if err := json.Unmarshal(text, &golden); err != nil || golden.Thresholds[1].B != 2 {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		args = append(args, "--data", filepath.Join("..", "..", "experiment", "testdata", "audit", fixture+".npz"), "--lr", "10", "--batch", "2", "--loss", "half-mse", "--json", "-")
		if status := run(append([]string{"audit", filepath.Join(folder, "model.safetensors")}, args...), &stdout, &stderr); status != 0 || stderr.Len() > 0 {
			t.Fatalf("%s: exit status %d, stderr %s", fixture, status, &stderr)
		}
		var result struct {
			Moments   []map[string]any
			Stability struct {
				EtaVar struct{ Value float64 } `json:"eta_var"`
			}
		}
		if err := json.Unmarshal(stdout.Bytes(), &result); err != nil || len(result.Moments) != 3 {
			t.Fatal(err, len(result.Moments))
		}
		for _, c := range []struct{ got, want any }{
			{result.Stability.EtaVar.Value, golden.Thresholds[1].EtaStar},
			{result.Moments[0]["g_W"], golden.Gradients["k1"]["g_W"]},
			{result.Moments[1]["g_x"], golden.Gradients["k2"]["g_x"]},
			{result.Moments[2]["g_delta"], golden.Gradients["k3"]["g_delta"]},
		} {
			if got, want := c.got.(float64), c.want.(float64); !(math.Abs(got-want) <= 1e-6*want) {
				t.Errorf("%s: %v, want %v", fixture, got, want)
			}
		}
	}
}

func TestAuditOfDamagedFiles(t *testing.T) {
	model, data := "../../curvature/testdata/fnn-tiny/model.safetensors", "../../experiment/testdata/audit/fnn-tiny.npz"
	whole, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.safetensors")
	if err := os.WriteFile(cut, whole[:len(whole)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		status int
		want   []string
		args   []string
	}{
		{exitFailed, []string{"cut.safetensors"}, []string{cut, "--data", data, "--lr", "0.1", "--batch", "2"}},
		{exitFailed, []string{"gets 4 inputs"}, []string{model, "--data", "../../experiment/testdata/audit/fnn-scalar.npz", "--lr", "0.1", "--batch", "2"}},
		{exitUsage, []string{"--batch: 11 is above 10"}, []string{model, "--activation", "relu", "--data", data, "--lr", "0.1", "--batch", "11"}},
		{exitUsage, []string{"--activation: missing"}, []string{model, "--data", data, "--lr", "0.1", "--batch", "2"}},
	} {
		expectFailure(t, c.status, c.want, append([]string{"audit"}, c.args...)...)
	}
}

// An interrupted audit says so, and not how its work was cut off.
func TestAuditInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	opt := auditOptions{orders: "1", given: func(string) bool { return true }}
	opt.Model, opt.Activation, opt.Data = "../../curvature/testdata/fnn-tiny/model.safetensors", "relu", "../../experiment/testdata/audit/fnn-tiny.npz"
	opt.LearningRate, opt.BatchSize, opt.InterpolationTolerance = 0.1, 2, 1e-3
	var status statusError
	if err := auditModel(ctx, opt, io.Discard); !errors.As(err, &status) || status.status != exitInterrupted || !strings.HasPrefix(err.Error(), "interrupted") {
		t.Error(err)
	}
}
