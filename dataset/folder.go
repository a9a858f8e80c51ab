package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// EnvDataDir is the environment variable that names the data folder.
const EnvDataDir = "SOBOLEV_DATA"

// DefaultDir is the folder that [Fetch] fills when none is given: SOBOLEV_DATA,
// or "sobolev" in the user's cache folder.
func DefaultDir() (string, error) {
	if dir := os.Getenv(EnvDataDir); dir != "" {
		return dir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no data folder: %w; set %s", err, EnvDataDir)
	}
	return filepath.Join(cache, "sobolev"), nil
}

// DataDirs returns the data folders that are searched for the files of an
// entry, in order. An explicit dir is the only one: what the user named is
// used, or its absence is reported. Otherwise SOBOLEV_DATA, the user's cache
// folder and the system folder of the entry's Debian package.
func DataDirs(dir string, e Entry) []string {
	if dir != "" {
		return []string{dir}
	}
	var dirs []string
	if env := os.Getenv(EnvDataDir); env != "" {
		dirs = append(dirs, env)
	}
	if cache, err := os.UserCacheDir(); err == nil {
		dirs = append(dirs, filepath.Join(cache, "sobolev"))
	}
	if e.system != "" {
		dirs = append(dirs, e.system)
	}
	return dirs
}

// Locate returns the paths of an entry's files, in the order of e.Files. They
// have to be together: in one of the data folders or in its subfolder with the
// entry's name, packed (.gz) or not. For cifar-10 it returns one path, that of
// the archive or of the folder of its unpacked batches. The error is
// [ErrMissing] and says how to get them, or one of the file system.
func Locate(e Entry, dataDir string) ([]string, error) {
	var seen []string
	for _, dir := range DataDirs(dataDir, e) {
		for _, folder := range []string{dir, filepath.Join(dir, e.Name)} {
			paths, remark, err := e.locateIn(folder)
			if paths != nil || err != nil {
				return paths, err
			}
			if remark != "" {
				seen = append(seen, remark)
			}
		}
		seen = append(seen, dir+" was searched")
	}
	return nil, &missingError{entry: e, seen: seen}
}

// locateIn looks in one folder: the paths, or nil and a remark on what is there
// instead.
func (e Entry) locateIn(folder string) (paths []string, remark string, err error) {
	if e.find != nil {
		path, remark, err := e.find(folder)
		if path == "" || err != nil {
			return nil, remark, err
		}
		return []string{path}, "", nil
	}
	paths, missing, err := placesIn(folder, e.Files)
	switch {
	case err != nil:
		return nil, "", err
	case len(missing) == 0:
		return paths, "", nil
	case len(missing) < len(e.Files):
		remark = fmt.Sprintf("%s lacks %s", folder, strings.Join(missing, ", "))
	}
	return nil, remark, nil
}

func placesIn(folder string, files []File) (paths, missing []string, err error) {
	for _, f := range files {
		path, err := firstFile(f.places(folder)...)
		if err != nil {
			return nil, nil, err
		}
		if path == "" {
			missing = append(missing, f.Name)
		}
		paths = append(paths, path)
	}
	return paths, missing, nil
}

// firstFile returns the first path that is a regular file, or "".
func firstFile(paths ...string) (string, error) {
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err == nil && info.Mode().IsRegular():
			return path, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNotDir):
			return "", err
		}
	}
	return "", nil
}

// missingError is ErrMissing with the ways out.
type missingError struct {
	entry Entry
	seen  []string
}

func (e *missingError) Error() string {
	msg := fmt.Sprintf("%s: %v (%s). Get them with `sobolev data fetch %s`",
		e.entry.Name, ErrMissing, strings.Join(e.seen, "; "), e.entry.Name)
	if e.entry.Debian != "" {
		msg += fmt.Sprintf(", with `apt install %s`", e.entry.Debian)
	}
	msg += ", or name the folder that holds them with --data-dir"
	if e.entry.Name == fashionName {
		msg += fmt.Sprintf(". Without files: the embedded %s has 1,000 training and 1,000 test images of each of the classes 0 to 4", fashionMiniName)
	}
	return msg
}

func (e *missingError) Unwrap() error { return ErrMissing }
