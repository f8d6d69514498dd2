package main

import (
	"encoding/json"
	"os"

	"cel.dev/cel-go/cel"
)

// An event as the table and the judge's input write it.
type event struct {
	Service     string            `json:"service"`
	Environment string            `json:"environment"`
	Endpoint    string            `json:"endpoint"`
	Method      string            `json:"method"`
	StatusCode  int64             `json:"status_code"`
	LatencyMs   *float64          `json:"latency_ms"`
	Attributes  map[string]string `json:"attributes"`
}

// What a filter may read, declared to cel-go. Everything else is cel-go's default.
func declarations() *cel.Env {
	return must(cel.NewEnv(
		cel.Variable("service", cel.StringType),
		cel.Variable("environment", cel.StringType),
		cel.Variable("endpoint", cel.StringType),
		cel.Variable("method", cel.StringType),
		cel.Variable("status_code", cel.IntType),
		cel.Variable("latency_ms", cel.DoubleType),
		cel.Variable("attributes", cel.MapType(cel.StringType, cel.StringType)),
	))
}

func (e event) facts() map[string]any {
	facts := map[string]any{
		"service": e.Service, "environment": e.Environment, "endpoint": e.Endpoint, "method": e.Method,
		"status_code": e.StatusCode, "attributes": e.Attributes,
	}
	// A latency that was not measured is a variable without a value: reading it is an error.
	if e.LatencyMs != nil {
		facts["latency_ms"] = *e.LatencyMs
	}
	return facts
}

// true, false, error (at evaluation) or refused (by the parser or the checker, or because it is no condition).
func judge(env *cel.Env, expression string, on event) string {
	ast, issues := env.Compile(expression)
	if issues.Err() != nil || !ast.OutputType().IsExactType(cel.BoolType) && !ast.OutputType().IsExactType(cel.DynType) {
		return "refused"
	}
	program, err := env.Program(ast)
	if err != nil {
		return "refused"
	}
	value, _, err := program.Eval(on.facts())
	if err != nil {
		return "error"
	}
	switch value.Value() {
	case true:
		return "true"
	case false:
		return "false"
	}
	return "refused"
}

func events(file string) map[string]event {
	var events map[string]event
	must(0, json.Unmarshal(must(os.ReadFile(file)), &events))
	return events
}
