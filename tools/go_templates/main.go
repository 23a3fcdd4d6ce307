// Renders templates with Go's text/template and sprig, to compare with what Serinus gives:
//
//	go run . VALUES.json < TEMPLATES.json
//
// TEMPLATES.json is a list of texts. Each is printed with "out", with "parse" (it cannot be read) or "error" (it fails).
// tests/notifications/go_templates.json holds such answers.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

// integers stay integers where "ints" is set (the condition path), else all floats.
func ints(v any) any {
	switch x := v.(type) {
	case json.Number:
		if i, err := x.Int64(); err == nil {
			return i
		}
		f, _ := x.Float64()
		return f
	case map[string]any:
		for k, e := range x {
			x[k] = ints(e)
		}
	case []any:
		for i, e := range x {
			x[i] = ints(e)
		}
	}
	return v
}

type c struct {
	Template string `json:"template"`
	Out      string `json:"out,omitempty"`
	Error    string `json:"error,omitempty"`
	Parse    string `json:"parse,omitempty"`
}

func main() {
	os.Setenv("TZ", "UTC")
	time.Local = time.UTC
	raw, _ := os.ReadFile(os.Args[1])
	var vars any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&vars); err != nil {
		panic(err)
	}
	v := ints(vars).(map[string]any)
	if s, ok := v["secrets"].(map[string]any); ok {
		m := map[string][]byte{}
		for k, x := range s {
			m[k] = []byte(x.(string))
		}
		v["secrets"] = m
	}
	v["time"] = map[string]any{"Now": time.Now, "Parse": func(s string) time.Time {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			panic(err)
		}
		return t
	}}
	f := sprig.TxtFuncMap()
	delete(f, "env")
	delete(f, "expandenv")
	var in []string
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		panic(err)
	}
	var out []c
	for _, t := range in {
		one := c{Template: t}
		p, err := template.New("n").Funcs(f).Parse(t)
		if err != nil {
			one.Parse = err.Error()
		} else {
			var b strings.Builder
			func() {
				defer func() {
					if r := recover(); r != nil {
						one.Error = fmt.Sprint("panic: ", r)
					}
				}()
				if err := p.Execute(&b, v); err != nil {
					one.Error = err.Error()
				} else {
					one.Out = b.String()
				}
			}()
		}
		out = append(out, one)
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	enc.Encode(out)
}
