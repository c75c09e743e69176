// Command wsdl writes a trimmed WSDL of the vSphere API to standard output. It describes the calls and types of
// operations.go, derived by reflection from govmomi's Apache-licensed Go types:
//
//	embedded struct → extension base · field order → sequence order · pointer or omitempty → minOccurs 0
//	slice → maxOccurs unbounded · Base… interface → that base type · enumeration → xsd:string
//
// The output depends on govmomi's version only; providers/vsphere/wsdl/vim.wsdl is its checked-in copy.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

func main() {
	log.SetFlags(0)
	out := bufio.NewWriter(os.Stdout)
	newGenerator().write(out)
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

type operation struct {
	name, requestType, responseElement string
}

type generator struct {
	operations []operation
	// bodies holds the XML of each complex type by its name; an empty text marks a type being described.
	bodies map[string]string
}

func newGenerator() *generator {
	g := &generator{bodies: map[string]string{}}
	for _, body := range operations {
		g.addOperation(reflect.TypeOf(body))
	}
	for _, derived := range derivedTypes {
		g.describe(reflect.TypeOf(derived))
	}
	sort.Slice(g.operations, func(i, j int) bool { return g.operations[i].name < g.operations[j].name })
	return g
}

// addOperation reads names from a govmomi method body: its field Req carries `urn:vim25 <operation>`.
func (g *generator) addOperation(body reflect.Type) {
	request, _ := body.FieldByName("Req")
	response, _ := body.FieldByName("Res")
	name, _, _ := strings.Cut(strings.TrimPrefix(request.Tag.Get("xml"), "urn:vim25 "), ",")

	requestType, found := types.TypeFunc()(strings.TrimSuffix(name, "_Task") + "RequestType")
	if !found || !request.Type.Elem().ConvertibleTo(requestType) {
		log.Fatalf("no request type for operation %s", name)
	}
	g.operations = append(g.operations, operation{
		name:            name,
		requestType:     g.describe(requestType),
		responseElement: name + "Response",
	})
	g.bodies[name+"Response"] = g.sequence(response.Type.Elem())
}

// describe adds a struct type and everything it refers to, and returns its name.
func (g *generator) describe(t reflect.Type) string {
	name := t.Name()
	if _, known := g.bodies[name]; known {
		return name
	}
	if registered, found := types.TypeFunc()(name); !found || registered != t {
		log.Fatalf("%s is not a type of the vSphere API", t)
	}
	g.bodies[name] = ""
	g.bodies[name] = g.body(t)
	return name
}

func (g *generator) body(t reflect.Type) string {
	if t == reflect.TypeOf(types.ManagedObjectReference{}) {
		return managedObjectReference
	}
	if base, found := baseOf(t); found {
		return fmt.Sprintf("      <complexContent><extension base=\"vim25:%s\">\n%s      </extension></complexContent>\n",
			g.describe(base), g.sequence(t))
	}
	return g.sequence(t)
}

func baseOf(t reflect.Type) (reflect.Type, bool) {
	if t.NumField() > 0 && t.Field(0).Anonymous {
		return t.Field(0).Type, true
	}
	return nil, false
}

func (g *generator) sequence(t reflect.Type) string {
	var xml strings.Builder
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous {
			continue
		}
		xml.WriteString(g.element(field))
	}
	if xml.Len() == 0 {
		return ""
	}
	return "      <sequence>\n" + xml.String() + "      </sequence>\n"
}

func (g *generator) element(field reflect.StructField) string {
	name, options, _ := strings.Cut(field.Tag.Get("xml"), ",")
	fieldType, bounds := field.Type, ""
	if fieldType.Kind() == reflect.Pointer || strings.Contains(options, "omitempty") {
		bounds += ` minOccurs="0"`
	}
	if fieldType.Kind() == reflect.Pointer {
		fieldType = fieldType.Elem()
	}
	if fieldType == reflect.TypeOf(types.ByteSlice{}) {
		return fmt.Sprintf("        <element name=%q type=\"xsd:byte\"%s maxOccurs=\"unbounded\"/>\n", name, bounds)
	}
	if fieldType.Kind() == reflect.Slice && fieldType.Elem().Kind() != reflect.Uint8 {
		bounds += ` maxOccurs="unbounded"`
		fieldType = fieldType.Elem()
	}
	return fmt.Sprintf("        <element name=%q type=%q%s/>\n", name, g.typeName(fieldType), bounds)
}

var primitives = map[reflect.Kind]string{
	reflect.Bool:    "xsd:boolean",
	reflect.String:  "xsd:string",
	reflect.Int8:    "xsd:byte",
	reflect.Uint8:   "xsd:byte",
	reflect.Int16:   "xsd:short",
	reflect.Int32:   "xsd:int",
	reflect.Int64:   "xsd:long",
	reflect.Float32: "xsd:float",
	reflect.Float64: "xsd:double",
	reflect.Slice:   "xsd:base64Binary",
}

func (g *generator) typeName(t reflect.Type) string {
	if name, found := primitives[t.Kind()]; found {
		return name
	}
	switch {
	case t == reflect.TypeOf(time.Time{}):
		return "xsd:dateTime"
	case t.Kind() == reflect.Struct:
		return "vim25:" + g.describe(t)
	case t.Kind() == reflect.Interface && t.NumMethod() == 0:
		return "xsd:anyType"
	case t.Kind() == reflect.Interface:
		base, found := types.TypeFunc()(t.Name())
		if !found {
			log.Fatalf("%s has no base type", t)
		}
		return "vim25:" + g.describe(base)
	}
	log.Fatalf("no XML schema type for %s", t)
	return ""
}
