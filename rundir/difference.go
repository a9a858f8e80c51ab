package rundir

import (
	"fmt"
	"reflect"
)

// difference says in which values the weights of two experiments' points would
// differ at equal method, η, B and repetition; "" is in none.
func difference(there, here Config) string {
	a, b := leaves(there.point()), leaves(here.point())
	text, more := "", 0
	for i := range a {
		switch {
		case a[i] == b[i]:
		case text == "":
			text = fmt.Sprintf("%s is %s there and %s here", a[i].key, a[i].value, b[i].value)
		default:
			more++
		}
	}
	if more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}

type leaf struct{ key, value string }

// leaves lists the values of a point in the order of its fields, with the key
// that each has in a configuration.
func leaves(p Point) []leaf {
	var ls []leaf
	var walk func(key string, v reflect.Value)
	walk = func(key string, v reflect.Value) {
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
