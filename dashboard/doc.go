// Package dashboard shows runs in a browser while they go on: an index of all runs
// below the folders it is given, the report page of each, a page for every point,
// and their files.
//
// It only reads. What has changed is found by looking at the folders again and
// again, since no file system tells a reader of a network disk: the files of a run
// change by rename, which changes the time of the folder that holds them, so one
// look at a folder tells whether to read it. A browser gets the state of a run by
// server-sent events, each of which is the whole state: whoever connects late,
// misses some or comes back after a restart of the server needs no other.
//
// Everything that a request names (a run, a point, a file) is looked up among what
// is known, never joined to a path; see guard.go for what is refused before that.
package dashboard
