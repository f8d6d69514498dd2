package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/parser"
	spec "cel.dev/expr"
	test "cel.dev/expr/conformance/test"
	_ "cel.dev/expr/conformance/proto2"
	_ "cel.dev/expr/conformance/proto3"
	"google.golang.org/protobuf/encoding/prototext"
)

// A vector as a filter: what it must come to on any event.
type vector struct {
	Name       string `json:"name"`
	Expression string `json:"expression"`
	Verdict    string `json:"verdict"`
}

// The vectors of the specification that can be asked as a condition over scalars. The others, and those that cel-go itself
// does not hold to with its defaults, are counted on standard error.
func vectors() {
	folder := strings.TrimSpace(string(must(exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "cel.dev/expr").Output())))
	env := declarations()
	out := json.NewEncoder(os.Stdout)
	all, asked := 0, 0
	for _, file := range must(filepath.Glob(filepath.Join(folder, "tests/simple/testdata/*.textproto"))) {
		var tests test.SimpleTestFile
		must(0, prototext.Unmarshal(must(os.ReadFile(file)), &tests))
		for _, section := range tests.Section {
			for _, one := range section.Test {
				all++
				vector, applies := condition(env, one)
				if !applies || judge(env, vector.Expression, event{}) != vector.Verdict {
					continue
				}
				asked++
				vector.Name = strings.Join([]string{tests.Name, section.Name, one.Name}, "/")
				must(0, out.Encode(vector))
			}
		}
	}
	fmt.Fprintf(os.Stderr, "%d vectors, %d of them conditions over scalars\n", all, asked)
}

func condition(env *cel.Env, of *test.SimpleTest) (vector, bool) {
	if of.CheckOnly || of.DisableMacros || of.Container != "" {
		return vector{}, false
	}
	expression, bound := bind(env, of)
	if !bound {
		return vector{}, false
	}
	expected := of.GetValue()
	if of.GetTypedResult() != nil {
		expected = of.GetTypedResult().Result
	}
	if of.GetEvalError() != nil || of.GetAnyEvalErrors() != nil {
		// What is an error in itself is one in a comparison, too.
		checked, issues := env.Compile(expression)
		if issues.Err() == nil && !checked.OutputType().IsExactType(cel.BoolType) {
			expression = fmt.Sprintf("(%s\n) == (%s\n)", expression, expression)
		}
		return vector{Expression: expression, Verdict: "error"}, issues.Err() == nil
	}
	if expected == nil || expected.Kind == nil {
		return vector{Expression: expression, Verdict: "true"}, of.ResultMatcher == nil
	}
	if kind, isBool := expected.Kind.(*spec.Value_BoolValue); isBool {
		return vector{Expression: expression, Verdict: strconv.FormatBool(kind.BoolValue)}, true
	}
	literal, ok := literal(expected)
	return vector{Expression: fmt.Sprintf("(%s\n) == %s", expression, literal), Verdict: "true"}, ok
}

// The expression with literals in place of its variables.
func bind(env *cel.Env, of *test.SimpleTest) (string, bool) {
	if len(of.Bindings) == 0 {
		return of.Expr, len(of.TypeEnv) == 0
	}
	values := map[string]ref.Val{}
	for name, bound := range of.Bindings {
		value := scalar(bound.GetValue())
		if value == nil {
			return "", false
		}
		values[name] = value
	}
	parsed, issues := env.Parse(of.Expr)
	if issues.Err() != nil {
		return "", false
	}
	tree := parsed.NativeRep()
	factory := ast.NewExprFactory()
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(part ast.Expr) {
		if part.Kind() == ast.IdentKind && values[part.AsIdent()] != nil {
			part.SetKindCase(factory.NewLiteral(part.ID(), values[part.AsIdent()]))
		}
	}))
	text, err := parser.Unparse(tree.Expr(), tree.SourceInfo())
	return text, err == nil
}

func scalar(value *spec.Value) ref.Val {
	switch kind := value.GetKind().(type) {
	case *spec.Value_BoolValue:
		return types.Bool(kind.BoolValue)
	case *spec.Value_Int64Value:
		return types.Int(kind.Int64Value)
	case *spec.Value_DoubleValue:
		return types.Double(kind.DoubleValue)
	case *spec.Value_StringValue:
		return types.String(kind.StringValue)
	}
	return nil
}

func literal(value *spec.Value) (string, bool) {
	switch kind := value.GetKind().(type) {
	case *spec.Value_Int64Value:
		return strconv.FormatInt(kind.Int64Value, 10), true
	case *spec.Value_Uint64Value:
		return strconv.FormatUint(kind.Uint64Value, 10) + "u", true
	case *spec.Value_DoubleValue:
		text := strconv.FormatFloat(kind.DoubleValue, 'e', -1, 64)
		return text, !strings.ContainsAny(text, "IN")
	case *spec.Value_StringValue:
		return quoted(kind.StringValue), true
	}
	return "", false
}

// A string literal of CEL: Go's differs in what it escapes.
func quoted(text string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, char := range text {
		if char < ' ' || char == '"' || char == '\\' || char > '~' {
			fmt.Fprintf(&out, "\\U%08x", char)
		} else {
			out.WriteRune(char)
		}
	}
	out.WriteByte('"')
	return out.String()
}
