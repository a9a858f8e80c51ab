package sgd

// descend moves the parameters by one step and returns the batch loss before the
// move. With g the method's gradient, the step is that of torch.optim.SGD:
//
//	g ← g + λW                     weight decay, biases included
//	v ← βv + g                     momentum, v = 0 at first
//	W ← W − ηv                     or
//	W ← W − η(g + βv)              Nesterov's, with the new v
//
// Batch normalisations use the statistics of the batch during the step alone:
// whatever is measured between two steps is of the network in evaluation mode.
func (t *Trainer[T]) descend() float64 {
	t.Network.UseBatchStatistics(true)
	defer t.Network.UseBatchStatistics(false)
	if t.Config.Method != GD {
		t.batch = t.draw(t.step)
		t.load()
	}
	if t.Config.Method == LabelNoise {
		t.drawNoise()
	}
	if t.gradient == nil {
		return t.descendDirectly()
	}
	loss := t.setGradient()
	if t.Config.WeightDecay != 0 {
		t.gradient.AddParameters(T(t.Config.WeightDecay))
	}
	eta, beta := T(t.Config.LearningRate), T(t.Config.Momentum)
	if t.velocity == nil {
		t.Network.Add(-eta, t.gradient)
		return loss
	}
	t.velocity.Scale(beta)
	t.velocity.Add(1, t.gradient)
	if t.Config.Nesterov {
		t.Network.Add(-eta, t.gradient)
		t.Network.Add(-eta*beta, t.velocity)
	} else {
		t.Network.Add(-eta, t.velocity)
	}
	return loss
}

// descendDirectly forms the gradient where it is to go: in the parameters, or in
// the velocity.
func (t *Trainer[T]) descendDirectly() float64 {
	cfg := t.Config
	if t.velocity == nil {
		return t.withoutNoise(t.Network.Descend(t.ws, cfg.Loss, cfg.LearningRate, t.target, len(t.batch)))
	}
	t.velocity.Scale(T(cfg.Momentum))
	loss := t.addBatchGradient(t.velocity)
	t.Network.Add(T(-cfg.LearningRate), t.velocity)
	return loss
}

// needsGradient says whether steps need the gradient in a place of its own.
func (c Config) needsGradient() bool {
	return c.Nesterov || c.WeightDecay != 0 || c.Method != SGD && c.Method != LabelNoise
}

// load copies the batch's samples to the workspace.
func (t *Trainer[T]) load() {
	d := t.Network.Inputs()
	for i, sample := range t.batch {
		t.Network.SetInput(t.ws, i, t.data.X[sample*d:(sample+1)*d])
	}
}
