// Package sobolev is the root of an instrument that shows, measures and predicts
// how stochastic gradient descent chooses smooth functions (Ma & Ying, 2021, "The
// Sobolev Regularization Effect of Stochastic Gradient Descent").
//
// A reader follows the data:
//
//	presets                 one configuration per figure, as YAML
//	rundir                  what an experiment is: configuration, points, results, files
//	dataset                 images and functions → n×d inputs, n×c targets
//	nn                      networks f: R^d → R^c; passes, losses, exact gradient moments
//	internal/kernel         the arithmetic under nn: packed products in assembly and in Go
//	encoding/safetensors    parameters on disk
//	encoding/onnx           networks that were trained elsewhere
//	sgd                     batches, steps, stop rules: a training that resumes with the same bits
//	linop                   operators known by their products: eigenvalues, traces, spectra
//	curvature               Gauss–Newton matrix, Hessian, Gram matrix of a network's loss
//	stability               the learning rates up to which SGD stays at a minimum
//	geometry                how the data lie: covers, overlaps, volumes, dimension
//	seminorm                Sobolev seminorms of f, norms of the first layer
//	bound                   the theorems: what bounds these seminorms, and whether it applies
//	attack                  searches around the data for what the theorems bound
//	experiment              one point of a grid from configuration to result; audits
//	sweep                   the points of a grid that are not done yet, one worker a core
//	sweep/slurm             the same as job arrays of a cluster
//	report                  correlations with intervals, figures, the page
//	dashboard               the pages in a browser, while the grid runs
//	cmd/sobolev             flags → packages
//
// The import table is a test: layering_test.go.
//
// Everywhere, these letters and words mean:
//
//	n  samples                 i  index of a sample
//	d  inputs                  x  an input, n×d row-major
//	c  outputs                 y  a target, n×c row-major
//	w  parameters              W  the parameters; W₁ the first layer's weights
//	B  batch size              S  a batch, B indices out of n
//	η  learning rate           of the configured loss; 2η/c is its effect with mse
//	k  order                   of a moment of 2k-th powers; of stability, of E‖W‖^k
//	J  Jacobian                of the outputs, nc×w; K = J Jᵀ the Gram matrix
//	H  Gauss–Newton matrix     (1/n) Σ H_i, H_i = J_iᵀ J_i times the loss's scale
//	S  batch                   H_S the mean of H_i over it
//	g_W, g_x                   (1/n Σ_i Σ_outputs Σ g^{2k})^{1/2k} of gradients in W, in x
//	delta                      gradient with respect to a layer's pre-activation
package sobolev
