// The events in single-object encoding, by the Avro libraries of Go: library, version, event, hex.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"runtime/debug"

	hamba "github.com/hamba/avro/v2"
	"github.com/hamba/avro/v2/soe"
	goavro "github.com/linkedin/goavro/v2"
	twmb "github.com/twmb/avro"
)

type event struct {
	EventID     string            `json:"event_id" avro:"event_id"`
	Time        int64             `json:"time" avro:"time"`
	Service     string            `json:"service" avro:"service"`
	Environment string            `json:"environment" avro:"environment"`
	Endpoint    string            `json:"endpoint" avro:"endpoint"`
	Method      string            `json:"method" avro:"method"`
	StatusCode  int               `json:"status_code" avro:"status_code"`
	LatencyMs   *float64          `json:"latency_ms" avro:"latency_ms"`
	Weight      int               `json:"weight" avro:"weight"`
	TraceID     *string           `json:"trace_id" avro:"trace_id"`
	UserRef     *string           `json:"user_ref" avro:"user_ref"`
	Attributes  map[string]string `json:"attributes" avro:"attributes"`
}

func main() {
	schema := string(must(os.ReadFile(os.Args[1])))
	var events []event
	if err := json.Unmarshal(must(os.ReadFile(os.Args[2])), &events); err != nil {
		log.Fatal(err)
	}
	byGoavro := must(goavro.NewCodec(schema))
	byHamba := must(soe.NewCodec(hamba.MustParse(schema)))
	byTwmb := must(twmb.Parse(schema))
	for number, e := range events {
		say("github.com/linkedin/goavro/v2", number, must(byGoavro.SingleFromNative(nil, native(e))))
		say("github.com/hamba/avro/v2", number, must(byHamba.Encode(e)))
		say("github.com/twmb/avro", number, must(byTwmb.AppendSingleObject(nil, e)))
	}
}

// What goavro takes: maps, and a union's branch by its name.
func native(e event) map[string]any {
	attributes := map[string]any{}
	for key, value := range e.Attributes {
		attributes[key] = value
	}
	return map[string]any{
		"event_id": e.EventID, "time": e.Time, "service": e.Service, "environment": e.Environment,
		"endpoint": e.Endpoint, "method": e.Method, "status_code": e.StatusCode,
		"latency_ms": union("double", e.LatencyMs), "weight": e.Weight,
		"trace_id": union("string", e.TraceID), "user_ref": union("string", e.UserRef), "attributes": attributes,
	}
}

func union[T any](branch string, value *T) any {
	if value == nil {
		return nil
	}
	return goavro.Union(branch, *value)
}

func say(module string, number int, message []byte) {
	build, _ := debug.ReadBuildInfo()
	for _, dependency := range build.Deps {
		if dependency.Path == module {
			fmt.Printf("%s (Go)\t%s\t%d\t%x\n", module, dependency.Version, number, message)
		}
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
