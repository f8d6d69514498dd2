// What cel-go makes of filters: the reference that slipstream's own evaluator is held to.
//
//	record table FILE EVENTS            writes the verdicts of a table of expressions anew
//	record table FILE EVENTS --check    fails if cel-go says otherwise today
//	record judge                        a JSON object (expression, event) a line in, a verdict a line out
//	record vectors                      the test vectors of the CEL specification as filters, a JSON object a line
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	arguments := append(os.Args[1:], "", "", "", "")
	switch arguments[0] {
	case "table":
		table(arguments[1], arguments[2], arguments[3] == "--check")
	case "judge":
		judgeLines()
	case "vectors":
		vectors()
	default:
		log.Fatal("usage: record table FILE EVENTS [--check] | judge | vectors")
	}
}

func judgeLines() {
	env := declarations()
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	lines := json.NewDecoder(bufio.NewReader(os.Stdin))
	for lines.More() {
		var line struct {
			Expression string
			Event      event
		}
		must(0, lines.Decode(&line))
		fmt.Fprintln(out, judge(env, line.Expression, line.Event))
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
