package rundir

import (
	"fmt"
	"reflect"
	"slices"
)

// difference says in which values the weights of two experiments' points would
// differ at equal method, η, B and repetition; "" is in none.
func difference(there, here Config) string {
	a, b := there.point(), here.point()
	for _, m := range methods {
		// A strength that was never set has no points: the method joins the grid.
		if was, _ := a.SGD.strength(m); was != nil && *was == 0 {
			now, _ := b.SGD.strength(m)
			*was = *now
		}
	}
	text, more := "", 0
	differ := func(key, was, is string) {
		if text == "" {
			text = fmt.Sprintf("%s is %s there and %s here", key, was, is)
			return
		}
		more++
	}
	was, is := leaves(a), leaves(b)
	for _, l := range was {
		if now := valueOf(is, l.key); now != l.value {
			differ(l.key, l.value, now)
		}
	}
	for _, l := range is {
		if valueOf(was, l.key) == missing { // an entry of a longer list of layers
			differ(l.key, missing, l.value)
		}
	}
	if more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}

type leaf struct{ key, value string }

const missing = "missing"

func valueOf(ls []leaf, key string) string {
	if i := slices.IndexFunc(ls, func(l leaf) bool { return l.key == key }); i >= 0 {
		return ls[i].value
	}
	return missing
}

// leaves lists the values of a point in the order of its fields, with the key
// that each has in a configuration.
func leaves(p Point) []leaf {
	var ls []leaf
	var walk func(key string, v reflect.Value)
	walk = func(key string, v reflect.Value) {
		if layers, ok := v.Interface().([]Layer); ok {
			for i, l := range layers {
				ls = append(ls, leaf{fmt.Sprintf("%s[%d]", key, i), l.String()})
			}
			return
		}
		if v.Kind() != reflect.Struct {
			ls = append(ls, leaf{key, shown(v)})
			return
		}
		for i := range v.NumField() {
			name := keyOf(v.Type().Field(i))
			if key != "" {
				name = key + "." + name
			}
			walk(name, v.Field(i))
		}
	}
	walk("", reflect.ValueOf(p))
	return ls
}

func shown(v reflect.Value) string {
	if v.Kind() == reflect.Slice && v.Len() == 0 {
		return "empty"
	}
	return asJSON(v.Interface())
}
