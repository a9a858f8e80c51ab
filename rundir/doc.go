// Package rundir is the directory of a run as a format: what an experiment is
// (Config), the points of its grid (Point), what is known about each (Status,
// History, Result) and how all of that lies on disk. It knows no network.
//
//	DIR/experiment.yaml                      resolved configuration
//	DIR/points/lr=0.1,batch=20,rep=1-<hash>/ one point
//	    point.yaml           what determines the weights
//	    status.json          where it stands, attempts, seconds, host
//	    checkpoint.safetensors  while it trains
//	    history.parquet      the training loss along the way
//	    model.safetensors    the trained network
//	    result.json          what was measured
//	DIR/results.csv, results.parquet, runtime.csv   indexes, rebuilt from the points
//	DIR/claims/POINT@N                       who works on a point, in which attempt
//	DIR/.index                               the records in binary form, for speed alone
//	DIR/.results, DIR/.report                what tables and report were made from, for speed alone
//
// Files appear by rename: a reader never sees half a file, and a process that
// is killed leaves at worst a temporary file that the next Create removes.
package rundir
