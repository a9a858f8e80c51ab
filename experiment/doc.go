// Package experiment takes one grid point from its configuration to its result:
// load the data, train, measure, record. It is the only place where data,
// networks, training and the run directory meet.
package experiment
