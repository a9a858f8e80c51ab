// Package slurm is the executor on a Slurm cluster: points are packed into the tasks
// of job arrays, which run the program's worker on a shared folder. What happened to
// a point is read from its files; Slurm is asked only which tasks are still to come.
//
//	DIR/slurm/3/submission.json   the array's name and the points of its tasks
//	DIR/slurm/3/job.sh            what sbatch was given
//	DIR/slurm/3/logs/12.log       what task 12 wrote
//	DIR/slurm/program/…           the program, as it was when it was submitted
package slurm
