package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"sobolev/rundir"
)

// notebook is what format 4 of Jupyter asks for.
type notebook struct {
	Format   int            `json:"nbformat"`
	Minor    int            `json:"nbformat_minor"`
	Metadata map[string]any `json:"metadata"`
	Cells    []struct {
		Kind     string           `json:"cell_type"`
		Metadata map[string]any   `json:"metadata"`
		Source   []string         `json:"source"`
		Outputs  []map[string]any `json:"outputs"`
		Count    *int             `json:"execution_count"`
	} `json:"cells"`
}

// lines are those of the code cells.
func (n *notebook) lines(t *testing.T) []string {
	t.Helper()
	var lines []string
	for i, c := range n.Cells {
		if c.Metadata == nil || len(c.Source) == 0 || c.Count != nil || len(c.Outputs) > 0 || c.Kind != "code" && c.Kind != "markdown" || (c.Outputs == nil) != (c.Kind == "markdown") {
			t.Errorf("cell %d of kind %q is no cell of a notebook without results", i, c.Kind)
		}
		for j, line := range c.Source {
			if strings.HasSuffix(line, "\n") != (j < len(c.Source)-1) {
				t.Errorf("cell %d: line %q", i, line)
			}
			if c.Kind == "code" {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines
}

var (
	quotedNames = regexp.MustCompile(`"(\w+)"`)
	selection   = regexp.MustCompile(`[\[(]((?:"\w+"(?:, )?)+)[\])]`)
	auditPath   = regexp.MustCompile(`audit((?:\["\w+"\]|\[\d\])+)`)
	pathStep    = regexp.MustCompile(`\["(\w+)"\]|\[(\d)\]`)
)

// docs/results.ipynb is a notebook, and what it reads is in the files.
func TestNotebookReadsWhatThereIs(t *testing.T) {
	var n notebook
	decoder := json.NewDecoder(strings.NewReader(readDoc(t, "../../docs/results.ipynb")))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&n); err != nil || n.Format != 4 || n.Minor != 4 || n.Metadata["kernelspec"] == nil {
		t.Fatalf("no notebook of format 4.4: %v, format %d.%d", err, n.Format, n.Minor)
	}
	columns := map[string]bool{}
	for _, c := range rundir.ResultColumns([]rundir.Record{{Result: &rundir.Result{Moments: []rundir.Moment{{K: 1}}}}}) {
		columns[c.Name] = true
	}
	audit := auditOfNotebook(t)
	named, paths := 0, 0
	for _, line := range n.lines(t) {
		if strings.Contains(line, "runs") || strings.Contains(line, "medians") {
			for _, s := range selection.FindAllStringSubmatch(line, -1) {
				for _, name := range quotedNames.FindAllStringSubmatch(s[1], -1) {
					if named++; !columns[name[1]] {
						t.Errorf("%s: results.parquet has no column %s", line, name[1])
					}
				}
			}
		}
		for _, p := range auditPath.FindAllStringSubmatchIndex(line, -1) {
			paths++
			value, ok := follow(audit, line[p[2]:p[3]])
			if !ok {
				t.Errorf("%s: an audit has no %s", line, line[p[2]:p[3]])
			}
			rows, ok := value.([]any)
			if s := selection.FindStringSubmatch(line[p[3]:]); ok && s != nil {
				for _, name := range quotedNames.FindAllStringSubmatch(s[1], -1) {
					if _, ok := rows[0].(map[string]any)[name[1]]; !ok {
						t.Errorf("%s: no key %s", line, name[1])
					}
				}
			}
		}
	}
	if named < 10 || paths < 8 {
		t.Errorf("%d columns and %d keys were found in the notebook", named, paths)
	}
}

// follow goes along a path such as ["moments"][0].
func follow(value any, path string) (any, bool) {
	for _, step := range pathStep.FindAllStringSubmatch(path, -1) {
		switch v := value.(type) {
		case map[string]any:
			next, ok := v[step[1]]
			if !ok {
				return nil, false
			}
			value = next
		case []any:
			if step[2] != "0" || len(v) == 0 {
				return nil, false
			}
			value = v[0]
		default:
			return nil, false
		}
	}
	return value, true
}

func auditOfNotebook(t *testing.T, more ...string) map[string]any {
	t.Helper()
	args := []string{"audit", "../../curvature/testdata/fnn-tiny/model.safetensors", "--activation", "relu", "--data", "../../experiment/testdata/audit/fnn-tiny.npz",
		"--lr", "0.05", "--batch", "2", "--loss", "half-mse", "--json", "-"}
	var stdout, stderr bytes.Buffer
	if status := run(append(args, more...), &stdout, &stderr); status != 0 {
		t.Fatalf("exit status %d: %s", status, &stderr)
	}
	var audit map[string]any
	if err := json.Unmarshal(stdout.Bytes(), &audit); err != nil {
		t.Fatal(err)
	}
	return audit
}

// auditKeys are the keys that other people's scripts rely on.
var auditKeys = strings.Fields(`
	["format"]
	["model"]["parameters"] ["model"]["inputs"] ["model"]["outputs"]
	["model"]["first_layer"]["kind"] ["model"]["first_layer"]["rows"] ["model"]["first_layer"]["cols"] ["model"]["first_layer"]["shared"]
	["data"]["samples"] ["data"]["min_norm"]["2"]
	["convention"]["loss"] ["convention"]["effective_learning_rate"] ["convention"]["sampling"] ["convention"]["preprocessing"] ["convention"]["precision"] ["convention"]["units"]
	["fit"]["loss"] ["fit"]["relative_loss"] ["fit"]["max_residual"] ["fit"]["interpolates"]
	["moments"][0]["k"] ["moments"][0]["g_W"] ["moments"][0]["g_x"] ["moments"][0]["g_W1"] ["moments"][0]["g_delta"] ["moments"][0]["sum_W"] ["moments"][0]["sum_x"]
	["moments"][0]["layers"][0]["name"] ["moments"][0]["layers"][0]["sum_weight"] ["moments"][0]["layers"][0]["sum_bias"]
	["curvature"]["trace"] ["curvature"]["lambda_max"] ["curvature"]["non_uniformity"] ["curvature"]["residual_share"] ["curvature"]["rank"]
	["stability"]["eta_mean"] ["stability"]["eta_var"]["value"] ["stability"]["eta_var"]["lower"] ["stability"]["eta_var"]["upper"] ["stability"]["eta_var"]["exact"]
	["stability"]["eta_all_orders"]["lower"] ["stability"]["eta_all_orders"]["upper"] ["stability"]["eta_all_orders"]["exact"]
	["stability"]["spectral_radius_2"] ["stability"]["spectral_radius_2_full"]
	["stability"]["wu_ma_e"]["eta_proposition_1"]["value"] ["stability"]["wu_ma_e"]["eta_proposition_1"]["bound"] ["stability"]["wu_ma_e"]["sharpness_limit"] ["stability"]["wu_ma_e"]["non_uniformity_limit"]
	["stability"]["orders"][0]["k"] ["stability"]["orders"][0]["eta_lower"] ["stability"]["orders"][0]["eta_upper"] ["stability"]["orders"][0]["exact"] ["stability"]["orders"][0]["stable"] ["stability"]["orders"][0]["margin"]
	["stability"]["frontier"] ["stability"]["lyapunov"]
	["operator_norms"][0]["p"] ["operator_norms"][0]["lower"] ["operator_norms"][0]["upper"]
	["bounds"][0]["statement"] ["bounds"][0]["k"] ["bounds"][0]["measured"] ["bounds"][0]["printed"] ["bounds"][0]["sharp"] ["bounds"][0]["sharp_form"] ["bounds"][0]["free"]
	["bounds"][0]["status"] ["bounds"][0]["applies"] ["bounds"][0]["hypotheses"][0]["name"] ["bounds"][0]["hypotheses"][0]["holds"] ["bounds"][0]["hypotheses"][0]["evidence"] ["bounds"][0]["why_not"]
	["seminorms"] ["geometry"] ["smoothness"] ["robustness"] ["spectrum"] ["warnings"]`)

// Every key is there; what was not asked for is null, with a reason.
func TestAuditHasEveryKey(t *testing.T) {
	around := []string{`["seminorms"]`, `["geometry"]`, `["smoothness"]`, `["robustness"]`}
	for _, radius := range []string{"", "0.01"} {
		var audit map[string]any
		if radius == "" {
			audit = auditOfNotebook(t)
		} else {
			audit = auditOfNotebook(t, "--radius", radius)
		}
		for _, path := range auditKeys {
			if _, ok := follow(audit, path); !ok {
				t.Errorf("radius %q: no key %s", radius, path)
			}
		}
		for _, path := range around {
			if value, _ := follow(audit, path); (value == nil) != (radius == "") {
				t.Errorf("radius %q: %s is %v", radius, path, value)
			}
		}
		if said := strings.Contains(fmt.Sprint(audit["warnings"]), "robustness are null"); said != (radius == "") {
			t.Errorf("radius %q: warnings %v", radius, audit["warnings"])
		}
	}
}
