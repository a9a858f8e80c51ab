package rundir

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// column is one column of an index: its name and its value for a record, one of
// string, int, uint64, float64, bool, or nil where it does not apply.
type column struct {
	name  string
	kind  reflect.Type
	value func(Record) any
}

var (
	textType    = reflect.TypeFor[string]()
	integerType = reflect.TypeFor[int64]()
	seedType    = reflect.TypeFor[uint64]()
	numberType  = reflect.TypeFor[float64]()
	truthType   = reflect.TypeFor[bool]()
)

// resultColumns are those of results.csv, for the union of the measured orders.
func resultColumns(records []Record) []column {
	training := func(f func(*Training) any) func(Record) any {
		return func(r Record) any {
			if r.Result == nil || r.Result.Training == nil {
				return nil
			}
			return f(r.Result.Training)
		}
	}
	result := func(f func(*Result) any) func(Record) any {
		return func(r Record) any {
			if r.Result == nil {
				return nil
			}
			return f(r.Result)
		}
	}
	columns := []column{
		{"point", textType, func(r Record) any { return r.Name }},
		{"method", textType, func(r Record) any { return r.Point.Method }},
		{"learning_rate", numberType, func(r Record) any { return r.Point.LearningRate }},
		{"effective_learning_rate", numberType, result(func(r *Result) any { return number(r.Convention.EffectiveLearningRate) })},
		{"batch_size", integerType, func(r Record) any {
			if b := r.BatchSize(); b > 0 {
				return int64(b)
			}
			return nil
		}},
		{"repetition", integerType, func(r Record) any { return int64(r.Point.Repetition) }},
		{"seed", seedType, func(r Record) any { return r.Point.Seed }},
		{"status", textType, func(r Record) any { return r.Outcome() }},
		{"steps", integerType, training(func(t *Training) any { return int64(t.Steps) })},
		{"train_loss", numberType, training(func(t *Training) any { return number(t.TrainLoss) })},
		{"train_accuracy", numberType, training(func(t *Training) any { return number(t.TrainAccuracy) })},
		{"test_loss", numberType, training(func(t *Training) any { return number(t.TestLoss) })},
		{"test_accuracy", numberType, training(func(t *Training) any { return number(t.TestAccuracy) })},
		{"interpolates", truthType, result(func(r *Result) any { return r.Fit.Interpolates })},
	}
	for _, k := range ordersOf(records) {
		moment := func(f func(Moment) Number) func(Record) any {
			return result(func(r *Result) any {
				if i := slices.IndexFunc(r.Moments, func(m Moment) bool { return m.K == k }); i >= 0 {
					return number(f(r.Moments[i]))
				}
				return nil
			})
		}
		columns = append(columns,
			column{fmt.Sprintf("g_W_%d", k), numberType, moment(func(m Moment) Number { return m.GW })},
			column{fmt.Sprintf("g_x_%d", k), numberType, moment(func(m Moment) Number { return m.GX })},
			column{fmt.Sprintf("g_W1_%d", k), numberType, moment(func(m Moment) Number { return m.GW1 })})
		if slices.ContainsFunc(records, Record.hasFeatures) {
			columns = append(columns, column{fmt.Sprintf("g_image_%d", k), numberType, moment(func(m Moment) Number {
				if m.GImage == nil {
					return Number(math.NaN())
				}
				return *m.GImage
			})})
		}
	}
	curvature := func(f func(*Curvature) *Number) func(Record) any {
		return result(func(r *Result) any {
			if r.Curvature == nil || f(r.Curvature) == nil {
				return nil
			}
			return number(*f(r.Curvature))
		})
	}
	columns = append(columns,
		column{"trace", numberType, curvature(func(c *Curvature) *Number { return &c.Trace })},
		column{"lambda_max", numberType, curvature(func(c *Curvature) *Number { return c.LambdaMax })},
		column{"non_uniformity", numberType, curvature(func(c *Curvature) *Number { return c.NonUniformity })})
	stability := func(f func(*Stability) any) func(Record) any {
		return result(func(r *Result) any {
			if r.Stability == nil {
				return nil
			}
			return f(r.Stability)
		})
	}
	return append(columns,
		column{"eta_mean", numberType, stability(func(s *Stability) any { return number(s.EtaMean) })},
		column{"eta_var", numberType, stability(func(s *Stability) any { return number(s.EtaVar.Value) })},
		column{"eta_var_lower", numberType, stability(func(s *Stability) any { return number(s.EtaVar.Lower) })},
		column{"eta_var_upper", numberType, stability(func(s *Stability) any { return number(s.EtaVar.Upper) })},
		column{"stable_2", truthType, stability(func(s *Stability) any {
			if v := s.verdict(2); v != nil {
				return *v
			}
			return nil
		})})
}

// hasFeatures says whether g_x is the gradient with respect to features, so that
// the one with respect to the image has columns of its own.
func (r Record) hasFeatures() bool { return r.Result != nil && r.Result.Model.Frozen > 0 }

func ordersOf(records []Record) []int {
	var orders []int
	for _, r := range records {
		if r.Result != nil {
			for _, m := range r.Result.Moments {
				orders = append(orders, m.K)
			}
		}
	}
	slices.Sort(orders)
	return slices.Compact(orders)
}

// number is a float64, or nil where there is none. A -0 is written as 0.
func number(v Number) any {
	if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
		return nil
	}
	return float64(v) + 0
}

// runtimeColumns are those of runtime.csv: what differs from run to run.
var runtimeColumns = []column{
	{"point", textType, func(r Record) any { return r.Name }},
	{"state", textType, func(r Record) any { return string(r.Status.State) }},
	{"seconds", numberType, func(r Record) any { return r.Status.Seconds }},
	{"steps", integerType, func(r Record) any { return int64(r.Status.Steps) }},
	{"attempts", integerType, func(r Record) any { return int64(r.Status.Attempts) }},
	{"host", textType, func(r Record) any { return r.Status.Host }},
	{"version", textType, func(r Record) any { return r.Status.Version }},
	{"kernel", textType, func(r Record) any { return r.Status.Kernel }},
	{"error", textType, func(r Record) any { return r.Status.Error }},
}

// tablesNote is the note of the tables.
const tablesNote = ".results"

// WriteIndexes rebuilds results.csv, results.parquet and runtime.csv from the
// points. A results row holds nothing that depends on how often or where the point
// was run.
func (d *Dir) WriteIndexes() error {
	r, err := d.Read()
	if err != nil {
		return err
	}
	table, err := ResultsParquet(r.Records)
	if err != nil {
		return fmt.Errorf("results.parquet: %w", err)
	}
	n := Note{Files: map[string]string{}}
	for _, f := range []struct {
		name string
		data []byte
	}{
		{"results.csv", ResultsCSV(r.Records)},
		{"results.parquet", table},
		{"runtime.csv", encodeCSV(runtimeColumns, r.Records)},
	} {
		if err := WriteFile(filepath.Join(d.Path, f.name), f.data); err != nil {
			return err
		}
		n.Files[f.name] = Digest(f.data)
	}
	if n.Source, err = NoteSource(r.Stamp); err != nil {
		return nil // written, though nobody will know from what
	}
	return d.WriteNote(tablesNote, n)
}

// RenewIndexes is WriteIndexes, unless this program wrote them when the points had the
// Stamp that they have now, and they hold what it wrote.
func (d *Dir) RenewIndexes(stamp string) error {
	source, err := NoteSource(stamp)
	if n, holds := d.ReadNote(tablesNote); err == nil && holds && n.Source == source && len(n.Files) > 0 {
		return nil
	}
	return d.WriteIndexes()
}

// Column is a column of the results: its value for every record, one of string,
// int64, uint64, float64 and bool, nil where there is none.
type Column struct {
	Name   string
	Values []any
}

// ResultColumns are the columns of results.csv, for the records in their order.
func ResultColumns(records []Record) []Column {
	columns := resultColumns(records)
	found := make([]Column, len(columns))
	for i, c := range columns {
		found[i] = Column{c.name, make([]any, len(records))}
	}
	for i, r := range records {
		for j, c := range columns {
			found[j].Values[i] = c.value(r)
		}
	}
	return found
}

// ResultsCSV is results.csv of the records, which are in the order of Records.
func ResultsCSV(records []Record) []byte { return encodeCSV(resultColumns(records), records) }

// ResultsParquet is results.parquet of the records.
func ResultsParquet(records []Record) ([]byte, error) {
	return encodeParquet(resultColumns(records), records)
}

// encodeCSV writes floats as the shortest decimals that read back exactly, and
// missing values as empty cells.
func encodeCSV(columns []column, records []Record) []byte {
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	line := make([]string, len(columns))
	for i, c := range columns {
		line[i] = c.name
	}
	w.Write(line)
	for _, r := range records {
		for i, c := range columns {
			line[i] = CSVCell(c.value(r))
		}
		w.Write(line)
	}
	w.Flush() // a bytes.Buffer takes every write
	return buf.Bytes()
}

// CSVCell is a value of a table as text: a float as the shortest decimal that reads
// back exactly, nil as nothing. A text that a spreadsheet would take for a formula
// has an apostrophe before it, which makes it a text there.
func CSVCell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		if strings.IndexAny(v, "=+-@\t\r\n") == 0 {
			return "'" + v
		}
		return v
	default:
		return fmt.Sprint(v)
	}
}

// encodeParquet writes every column as optional, in the order given: a struct
// type made at run time keeps the order, which a parquet.Group would sort.
func encodeParquet(columns []column, records []Record) ([]byte, error) {
	fields := make([]reflect.StructField, len(columns))
	for i, c := range columns {
		fields[i] = reflect.StructField{
			Name: fmt.Sprintf("C%d", i),
			Type: reflect.PointerTo(c.kind),
			Tag:  reflect.StructTag(fmt.Sprintf(`parquet:"%s,optional"`, c.name)),
		}
	}
	row := reflect.StructOf(fields)
	var buf bytes.Buffer
	w := parquet.NewWriter(&buf, parquet.SchemaOf(reflect.New(row).Interface()))
	for _, r := range records {
		v := reflect.New(row)
		for i, c := range columns {
			if x := c.value(r); x != nil {
				p := reflect.New(c.kind)
				p.Elem().Set(reflect.ValueOf(x))
				v.Elem().Field(i).Set(p)
			}
		}
		if err := w.Write(v.Interface()); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
