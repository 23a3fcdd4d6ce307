// Prints the JSON shape of core/v1 PodTemplateSpec: for every struct its fields in the order in which Go writes them.
//
// A pod template hash is taken over bytes that Go's encoding/json makes, so the order of Go's struct fields, and which of
// them vanish when empty, belong to the identity of every revision. Run it after a change of the Kubernetes version:
//
//	go run . > ../../serinus/api/pods/pod_template_order.json
//
// Output: {"struct": [["json name", "type", when omitted]]}; omitted: 0 never, 1 when empty (omitempty), 2 when zero
// (omitzero). Types: string, int, bool, float, quantity, intstr, time, raw, a struct's name; "*T" pointer, "[]T" list,
// "{}T" map.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

type field struct {
	name    string
	kind    string
	omitted int
}

var shapes = map[string][]field{}

var own = map[reflect.Type]string{
	reflect.TypeOf(resource.Quantity{}):  "quantity",
	reflect.TypeOf(intstr.IntOrString{}): "intstr",
	reflect.TypeOf(metav1.Time{}):        "time",
	reflect.TypeOf(metav1.FieldsV1{}):    "raw",
}

func kindOf(t reflect.Type) string {
	if name, ok := own[t]; ok {
		return name
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + kindOf(t.Elem())
	case reflect.Slice:
		return "[]" + kindOf(t.Elem())
	case reflect.Map:
		return "{}" + kindOf(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "int"
	case reflect.Float64:
		return "float"
	case reflect.Struct:
		if _, seen := shapes[t.Name()]; !seen {
			shapes[t.Name()] = nil
			shapes[t.Name()] = fieldsOf(t)
		}
		return t.Name()
	}
	panic(fmt.Sprintf("no rule for %s", t))
}

func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if f.Anonymous && name == "" {
			fields = append(fields, fieldsOf(f.Type)...)
			continue
		}
		omitted := 0
		if strings.Contains(options, "omitzero") {
			omitted = 2
		} else if strings.Contains(options, "omitempty") {
			omitted = 1
		}
		fields = append(fields, field{name, kindOf(f.Type), omitted})
	}
	return fields
}

func main() {
	kindOf(reflect.TypeOf(corev1.PodTemplateSpec{}))
	names := make([]string, 0, len(shapes))
	for name := range shapes {
		names = append(names, name)
	}
	sort.Strings(names)
	lines := make([]string, 0, len(names))
	for _, name := range names {
		rows := make([][]any, 0, len(shapes[name]))
		for _, f := range shapes[name] {
			rows = append(rows, []any{f.name, f.kind, f.omitted})
		}
		text, err := json.Marshal(rows)
		if err != nil {
			panic(err)
		}
		lines = append(lines, fmt.Sprintf("%q:%s", name, text))
	}
	fmt.Fprintf(os.Stdout, "{\n%s\n}\n", strings.Join(lines, ",\n"))
}
