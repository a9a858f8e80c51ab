package rundir

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The YAML library parses; this file turns its tree into our types. The
// library's own decoder is too kind for numbers that end in a paper: it reads
// `repetitions: 1.5` as 1, `seed: 18446744073709551616` as 2^63, `010` as 8, the
// first of two documents, and a page of nested aliases in exponential time.

// maxText bounds a configuration's size, and maxDepth how deeply its brackets
// nest: the parser takes time in proportion to the square of both.
const (
	maxText  = 64 << 10
	maxDepth = 50
)

// parseYAML returns the value of the only document in text, nil if it is empty.
func parseYAML(text []byte) (ast.Node, error) {
	text = []byte(strings.TrimPrefix(string(text), "\ufeff")) // some editors' mark of UTF-8
	switch {
	case len(text) > maxText:
		return nil, fmt.Errorf("has %d bytes, more than the %d of any sensible configuration", len(text), maxText)
	case !utf8.Valid(text) || strings.ContainsRune(string(text), 0):
		return nil, errors.New("is not a text file in UTF-8")
	case depth(text) > maxDepth:
		return nil, fmt.Errorf("has brackets nested more than %d deep", maxDepth)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, err
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.DirectiveType {
			continue
		}
		if body != nil {
			return nil, wrong(doc.Body, "a second document begins here; a file holds one")
		}
		body = doc.Body
	}
	return body, nil
}

func depth(text []byte) int {
	deepest, now := 0, 0
	for _, b := range text {
		switch b {
		case '[', '{':
			now++
			deepest = max(deepest, now)
		case ']', '}':
			now = max(0, now-1)
		}
	}
	return deepest
}

// decode reads a YAML value into v, which holds the defaults for keys that the
// value does not have. Keys are the yaml tags; null means the zero value. Its
// errors carry their position.
func decode(n ast.Node, v reflect.Value) error {
	switch n.Type() {
	case ast.NullType:
		v.SetZero()
		return nil
	case ast.AliasType, ast.AnchorType, ast.TagType, ast.MergeKeyType:
		return wrong(n, "anchors, aliases and tags are not read; write the value out")
	}
	if layers, ok := v.Addr().Interface().(*[]Layer); ok {
		var err error
		*layers, err = decodeLayers(n)
		return err
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return decode(n, v.Elem())
	case reflect.Struct:
		return decodeStruct(n, v)
	case reflect.Slice:
		return decodeList(n, v)
	}
	text, quoted, ok := scalar(n)
	if !ok {
		return wrong(n, "want %s, not %s", wanted(v), found(n))
	}
	if v.Kind() == reflect.String {
		v.SetString(text)
		return nil
	}
	if quoted {
		return wrong(n, "want %s, not the text %q", wanted(v), text)
	}
	if problem := setPlain(v, text); problem != "" {
		return wrong(n, "%s", problem)
	}
	return nil
}

func decodeStruct(n ast.Node, v reflect.Value) error {
	m, ok := n.(ast.MapNode)
	if !ok {
		return wrong(n, "want keys and values (%s), not %s", strings.Join(keysOf(v.Type()), ", "), found(n))
	}
	for it := m.MapRange(); it.Next(); {
		name := it.Key().GetToken().Value
		field, ok := fieldOf(v, name)
		if !ok {
			return wrong(it.Key(), "unknown key %q; the keys here are %s", name, strings.Join(keysOf(v.Type()), ", "))
		}
		if err := decode(it.Value(), field); err != nil {
			return err
		}
	}
	return nil
}

func decodeList(n ast.Node, v reflect.Value) error {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		return wrong(n, "want a list such as [%s], not %s", exampleOf(v.Type().Elem()), found(n))
	}
	out := reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values))
	for i, e := range s.Values {
		if e.Type() == ast.NullType {
			return wrong(e, "an element of the list is empty")
		}
		if err := decode(e, out.Index(i)); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

// scalar returns the text of a scalar as it was written, and whether it was
// quoted and so is no number.
func scalar(n ast.Node) (text string, quoted, ok bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		t := n.Token.Type
		return n.Value, t == token.SingleQuoteType || t == token.DoubleQuoteType, true
	case *ast.LiteralNode:
		return n.Value.Value, true, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, false, true
	}
	return "", false, false
}

// setPlain reads a number or a truth value into v and returns what is wrong with
// the text.
func setPlain(v reflect.Value, text string) string {
	var err error
	switch v.Kind() {
	case reflect.Float64:
		var f float64
		f, err = strconv.ParseFloat(strings.Replace(text, ".inf", "inf", 1), 64)
		if text == ".nan" {
			f, err = math.NaN(), nil
		}
		v.SetFloat(f)
	case reflect.Int:
		var i int64
		i, err = strconv.ParseInt(text, 10, strconv.IntSize)
		if whole, ok := wholeFloat(text); err != nil && ok {
			i, err = whole, nil
		}
		v.SetInt(i)
	case reflect.Uint64:
		var u uint64
		u, err = strconv.ParseUint(text, 10, 64)
		if whole, ok := wholeFloat(text); err != nil && ok && whole >= 0 {
			u, err = uint64(whole), nil
		}
		v.SetUint(u)
	case reflect.Bool:
		v.SetBool(text == "true")
		if text != "true" && text != "false" {
			return fmt.Sprintf("want %s, not %q", wanted(v), text)
		}
	default:
		panic("rundir: a configuration has no values of this type")
	}
	switch {
	case errors.Is(err, strconv.ErrRange):
		return fmt.Sprintf("%s is out of range", text)
	case err != nil:
		return fmt.Sprintf("want %s, not %q", wanted(v), text)
	}
	return ""
}

// wholeFloat reads 1e5, which people write for a number of iterations.
func wholeFloat(text string) (int64, bool) {
	f, err := strconv.ParseFloat(text, 64)
	const exact = 1 << 53
	return int64(f), err == nil && f == math.Trunc(f) && math.Abs(f) <= exact && strings.ContainsAny(text, "eE.")
}

// wanted says in the words of YAML what a field takes.
func wanted(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Uint64:
		return "a whole number ≥ 0"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	}
	return "text"
}

func found(n ast.Node) string {
	switch n.(type) {
	case ast.MapNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	}
	if text, _, ok := scalar(n); ok {
		return strconv.Quote(text)
	}
	return "this"
}

func exampleOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int:
		return "10, 20"
	case reflect.Float64:
		return "0.1, 0.2"
	}
	return "a, b"
}

// keyOf is the name of a field in YAML, "" if it has none.
func keyOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		keys = append(keys, keyOf(t.Field(i)))
	}
	return keys
}

func fieldOf(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if keyOf(v.Type().Field(i)) == key && key != "" {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// wrong is an error at a node of the tree.
func wrong(n ast.Node, format string, args ...any) error {
	return &yaml.SyntaxError{Message: fmt.Sprintf(format, args...), Token: start(n)}
}

// start is the first token of a node: a block's own token is a colon further on.
func start(n ast.Node) *token.Token {
	if m, ok := n.(ast.MapNode); ok {
		if it := m.MapRange(); n.GetToken().Value != "{" && it.Next() {
			return it.Key().GetToken()
		}
	}
	return n.GetToken()
}
