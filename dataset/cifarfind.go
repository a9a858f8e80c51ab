package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// findCIFAR looks in one folder, in this order, for
//
//  1. folder itself: an archive, or the folder of the unpacked batches;
//  2. its subfolder cifar-10-batches-bin;
//  3. cifar-10-binary.tar.gz;
//  4. the only other archive cifar-10-binary*.tar.gz. Several are an error: which
//     one is meant must not depend on their names' order.
//
// Batches are a hit only if all six are there. The remark says what else was.
func findCIFAR(folder string) (path, remark string, err error) {
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotDir):
		return "", "", nil
	case err != nil:
		return "", "", err
	case info.Mode().IsRegular() && isTarGz(folder):
		return folder, "", nil
	case !info.IsDir():
		return "", "", nil
	}
	var remarks []string
	for _, batches := range []string{folder, filepath.Join(folder, cifarFolder)} {
		there, missing, err := batchesIn(batches)
		if err != nil {
			return "", "", err
		}
		if len(missing) == 0 {
			return batches, "", nil
		}
		if len(there) > 0 || filepath.Base(batches) == cifarFolder && isFolder(batches) {
			remarks = append(remarks, fmt.Sprintf("%s lacks %s", batches, strings.Join(missing, ", ")))
		}
	}
	path, remark, err = findArchive(folder)
	if remark != "" {
		remarks = append(remarks, remark)
	}
	return path, strings.Join(remarks, "; "), err
}

// findArchive chooses among the archives of a folder.
func findArchive(folder string) (path, remark string, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", "", err
	}
	var archives []string
	for _, e := range entries {
		name := e.Name()
		if name == "cifar-10-python.tar.gz" || name == "cifar-10-batches-py" {
			remark = filepath.Join(folder, name) + " is the Python version, the binary version is needed"
		}
		if !strings.HasPrefix(name, "cifar-10-binary") || !isTarGz(name) {
			continue
		}
		path, err := firstFile(filepath.Join(folder, name)) // follows symbolic links
		if err != nil {
			return "", "", err
		}
		if path != "" && name == cifarArchive {
			return path, "", nil
		}
		if path != "" {
			archives = append(archives, name)
		}
	}
	switch len(archives) {
	case 0:
		return "", remark, nil
	case 1:
		return filepath.Join(folder, archives[0]), "", nil
	}
	return "", "", fmt.Errorf("%s: %s has the archives %s, and none has the official name %s; name one of them with --data-dir",
		cifarName, folder, strings.Join(archives, ", "), cifarArchive)
}

func isTarGz(name string) bool { return strings.HasSuffix(name, ".tar.gz") }

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
