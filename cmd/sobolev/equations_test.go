package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/equations.md names functions and tests that exist, and a function's tests
// stand in files that use it.
func TestEquationsNameWhatExists(t *testing.T) {
	rows, errs := equationRows(readDoc(t, "../../docs/equations.md"))
	s := sources{root: "../.."}
	for _, row := range rows {
		errs = append(errs, s.check(row)...)
	}
	for _, err := range errs {
		t.Error("docs/equations.md: " + err)
	}
}

// Every statement of the paper that theory explains has a row, and so has every
// statement that package bound evaluates.
func TestEquationsAreComplete(t *testing.T) {
	var first, functions []string
	rows, _ := equationRows(readDoc(t, "../../docs/equations.md"))
	for _, row := range rows {
		first = append(first, row.subject)
		functions = append(functions, row.functions...)
	}
	want := []string{"Sobolev seminorm", "Lemma 2", "Lemma 3", "Corollary 1", "Corollary 3", "Corollary 4", "Corollary 5"}
	for name, last := range map[string]int{"Theorem": 7, "Proposition": 3, "Definition": 5, "Remark": 3} {
		for i := range last {
			want = append(want, fmt.Sprintf("%s %d", name, i+1))
		}
	}
	for _, number := range []int{6, 7, 8, 13, 16, 17, 19, 25, 26, 30, 31, 32, 33, 34, 35, 38, 39, 40, 41, 42, 43, 44, 46, 48, 49, 50, 52, 53, 54} {
		want = append(want, fmt.Sprintf("(%d)", number))
	}
	for _, name := range want {
		if !strings.Contains(strings.Join(first, "\n"), name) {
			t.Errorf("docs/equations.md has no row for %s", name)
		}
	}
	s := sources{root: "../.."}
	for name, isFunction := range s.of("bound").exported {
		if isFunction && !slices.Contains(functions, "bound."+name) {
			t.Errorf("docs/equations.md has no row with bound.%s", name)
		}
	}
}

// What the check is there to find, it finds.
func TestEquationErrorsAreFound(t *testing.T) {
	for doc, want := range map[string]string{
		"`bound.Theorem2`, `bound.Solution.Rank` | `TestTheorem3Forms`, `TestCoordinateForm`": "",
		"`nn.Network.Gram` | `nn.TestGramRefuses`":                                            "",
		"— | —": "",
		"`bound.Theorem8` | `TestCoordinateForm`":                           "a: there is no bound.Theorem8",
		"`bound.Bound.Theorem2` | `TestCoordinateForm`":                     "a: there is no bound.Bound.Theorem2",
		"`bounds.Theorem2` | `bound.TestCoordinateForm`":                    "a: there is no bounds.Theorem2",
		"`bound.conclude` | `TestCoordinateForm`":                           `a: "bound.conclude" is not package.Function`,
		"bound.Theorem2 | `bound.TestCoordinateForm`":                       `a: "bound.Theorem2" is not a list of names; a: tests of nothing`,
		"`bound.Theorem2` | `TestCoordinates`":                              "a: there is no test bound.TestCoordinates",
		"`bound.Theorem2` | `example`":                                      "a: there is no test bound.example",
		"`bound.Theorem2`, `stability.Theorem2Left` | `TestCoordinateForm`": "a: TestCoordinateForm of which package?",
		"`bound.Theorem2` | —":                                              "a: bound.Theorem2 is in no file of its tests",
		"`bound.Proposition3` | `TestCoordinateForm`":                       "a: bound.Proposition3 is in no file of its tests",
		"— | `bound.TestCoordinateForm`":                                    "a: tests of nothing",
		"`bound.Theorem2`":                                                  "a: 2 cells, want 3",
	} {
		rows, errs := equationRows("| paper | function | test |\n| --- | --- | --- |\n| a | " + doc + " |\n")
		s := sources{root: "../.."}
		for _, row := range rows {
			errs = append(errs, s.check(row)...)
		}
		if got := strings.Join(errs, "; "); got != want {
			t.Errorf("%s: %q, want %q", doc, got, want)
		}
	}
	for doc, want := range map[string]string{
		"| paper | code |\n| --- | --- |\n| a | b |\n": `"| paper | code |" does not end with function and test`,
		"no table": "no rows",
	} {
		if _, errs := equationRows(doc); !slices.Equal(errs, []string{want}) {
			t.Errorf("%s: %q, want %q", doc, errs, want)
		}
	}
}

// equationRow is one row of a table: what it is about, and the names in its last
// two columns.
type equationRow struct {
	subject          string
	functions, tests []string
}

// equationRows reads every table of a page.
func equationRows(doc string) (rows []equationRow, errs []string) {
	columns := 0 // 0 outside of tables
	for line := range strings.Lines(doc) {
		line = strings.TrimSpace(line)
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "| "), " |"), " | ")
		switch {
		case !strings.HasPrefix(line, "|"):
			columns = 0
		case columns == 0:
			columns = len(cells)
			if !strings.HasSuffix(line, "| function | test |") {
				return nil, []string{fmt.Sprintf("%q does not end with function and test", line)}
			}
		case strings.HasPrefix(line, "| --- |"):
		case len(cells) != columns:
			errs = append(errs, fmt.Sprintf("%s: %d cells, want %d", cells[0], len(cells), columns))
		default:
			row := equationRow{subject: cells[0]}
			for i, to := range []*[]string{&row.functions, &row.tests} {
				names, ok := namesIn(cells[columns-2+i])
				if !ok {
					errs = append(errs, fmt.Sprintf("%s: %q is not a list of names", row.subject, cells[columns-2+i]))
				}
				*to = names
			}
			rows = append(rows, row)
		}
	}
	if rows == nil && errs == nil {
		errs = []string{"no rows"}
	}
	return rows, errs
}

var (
	nameList  = regexp.MustCompile("^`[^`]+`(, `[^`]+`)*$")
	qualified = regexp.MustCompile(`^([a-z]+)\.([A-Z]\w*(?:\.[A-Z]\w*)?)$`)
)

// namesIn returns the names of a cell; a dash stands for none.
func namesIn(cell string) (names []string, ok bool) {
	if cell == "—" {
		return nil, true
	}
	if !nameList.MatchString(cell) {
		return nil, false
	}
	return strings.Split(strings.Trim(cell, "`"), "`, `"), true
}

// sources are the packages of this module, read when they are asked for.
type sources struct {
	root     string
	packages map[string]*packageSource
}

// packageSource is what the files of a package declare.
type packageSource struct {
	// exported holds functions (true), and types, constants, variables, and methods
	// and fields as Type.Name (false).
	exported map[string]bool
	// tests holds, for every test, the identifiers in its file.
	tests map[string]map[string]bool
}

func (p *packageSource) has(name string) bool {
	_, ok := p.exported[name]
	return ok
}

// check returns what is wrong with a row.
func (s *sources) check(row equationRow) (errs []string) {
	report := func(format string, args ...any) {
		errs = append(errs, row.subject+": "+fmt.Sprintf(format, args...))
	}
	var packages []string
	var functions [][2]string // package and name
	for _, f := range row.functions {
		switch m := qualified.FindStringSubmatch(f); {
		case m == nil:
			report("%q is not package.Function", f)
		case !s.of(m[1]).has(m[2]):
			report("there is no %s", f)
		default:
			functions, packages = append(functions, [2]string{m[1], m[2]}), append(packages, m[1])
		}
	}
	if errs != nil {
		return errs
	}
	packages = slices.Compact(slices.Sorted(slices.Values(packages)))
	var files []map[string]bool
	for _, name := range row.tests {
		pkg, test, ok := strings.Cut(name, ".")
		if !ok {
			if len(packages) != 1 {
				report("%s of which package?", name)
				continue
			}
			pkg, test = packages[0], name
		}
		file, ok := s.of(pkg).tests[test]
		if !ok {
			report("there is no test %s.%s", pkg, test)
		}
		files = append(files, file)
	}
	if errs != nil {
		return errs
	}
	if row.functions == nil && row.tests != nil {
		report("tests of nothing")
	}
	for _, f := range functions {
		last := f[1][strings.LastIndex(f[1], ".")+1:]
		if !slices.ContainsFunc(files, func(file map[string]bool) bool { return file[last] }) {
			report("%s.%s is in no file of its tests", f[0], f[1])
		}
	}
	return errs
}

// of parses a package; one that is not there declares nothing.
func (s *sources) of(name string) *packageSource {
	if p, ok := s.packages[name]; ok {
		return p
	}
	p := &packageSource{exported: map[string]bool{}, tests: map[string]map[string]bool{}}
	paths, err := filepath.Glob(filepath.Join(s.root, name, "*.go"))
	if err != nil {
		panic(err) // the pattern is malformed
	}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		switch {
		case err != nil:
			panic(err) // then this would not compile
		case strings.HasSuffix(path, "_test.go"):
			p.addTests(file)
		default:
			p.addDeclarations(file)
		}
	}
	if s.packages == nil {
		s.packages = map[string]*packageSource{}
	}
	s.packages[name] = p
	return p
}

var testName = regexp.MustCompile(`^(Test|Fuzz|Example)`)

func (p *packageSource) addTests(file *ast.File) {
	used := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			used[id.Name] = true
		}
		return true
	})
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && testName.MatchString(f.Name.Name) {
			p.tests[f.Name.Name] = used
		}
	}
}

func (p *packageSource) addDeclarations(file *ast.File) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				p.add("", true, d.Name)
			} else {
				p.add(receiver(d.Recv.List[0].Type)+".", false, d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					p.add("", false, spec.Names...)
				case *ast.TypeSpec:
					p.add("", false, spec.Name)
					if st, ok := spec.Type.(*ast.StructType); ok {
						for _, f := range st.Fields.List {
							p.add(spec.Name.Name+".", false, f.Names...)
						}
					}
				}
			}
		}
	}
}

func (p *packageSource) add(prefix string, isFunction bool, names ...*ast.Ident) {
	for _, n := range names {
		if n.IsExported() {
			p.exported[prefix+n.Name] = isFunction
		}
	}
}

// receiver returns the name of a method's type: T of *T and T[P].
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
