package sweep

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sobolev/rundir"
)

// childVariable makes the test binary a process that runs a sweep into that
// directory, and that can be killed.
const childVariable = "SOBOLEV_TEST_SWEEP"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		if err := sweepOnce(path); err != nil {
			println(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func killable() rundir.Config {
	c, err := rundir.Config{
		Dataset: rundir.Dataset{Name: "d"}, SGD: rundir.SGD{Iterations: 100}, Repetitions: 6,
		Grid: rundir.Grid{LearningRate: []float64{0.1, 0.2}, BatchSize: []int{4}},
	}.Resolve()
	if err != nil {
		panic(err)
	}
	return c
}

func sweepOnce(path string) error {
	d, err := rundir.Create(path, killable())
	if err != nil {
		return err
	}
	defer d.Close()
	_, err = Run(context.Background(), d, d.Config.Points(), func(ctx context.Context, pd rundir.PointDir, progress func(int)) error {
		time.Sleep(5 * time.Millisecond)
		return succeed(ctx, pd, progress)
	}, Options{Jobs: 2, Done: done})
	return err
}

func TestKilledSweepsGoOn(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	whole, killed := t.TempDir(), t.TempDir()
	if err := sweepOnce(whole); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(4, 2))
	kills := 0
	for range 100 {
		child := exec.Command(binary)
		child.Env = append(os.Environ(), childVariable+"="+killed)
		var stderr strings.Builder
		child.Stderr = &stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(random.IntN(70))*time.Millisecond, func() { child.Process.Kill() })
		err := child.Wait()
		timer.Stop()
		if stderr.Len() > 0 {
			t.Fatalf("after %d kills: %s", kills, stderr.String())
		}
		if err == nil {
			break
		}
		kills++
	}
	if err := sweepOnce(killed); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d kills", kills)
	for _, name := range []string{"results.csv", "results.parquet"} {
		want, err1 := os.ReadFile(filepath.Join(whole, name))
		got, err2 := os.ReadFile(filepath.Join(killed, name))
		if err1 != nil || err2 != nil || string(got) != string(want) {
			t.Errorf("%s differs: %v, %v", name, err1, err2)
		}
	}
	left, err := filepath.Glob(filepath.Join(killed, "points", "*", ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %q, %v", left, err)
	}
}
