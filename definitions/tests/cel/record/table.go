package main

import (
	"fmt"
	"log"
	"os"
	"strings"
)

// The lines of a table: `event <tab> verdict <tab> ours <tab> expression`; others are kept as they are. In an expression ⏎ stands
// for a line break.
func table(file, eventsFile string, check bool) {
	env, events := declarations(), events(eventsFile)
	text := string(must(os.ReadFile(file)))
	lines := strings.Split(text, "\n")
	judged := 0
	for at, line := range lines {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.SplitN(line, "\t", 4)
		on, known := events[columns[0]]
		if len(columns) != 4 || !known {
			log.Fatalf("%s:%d: not a line of the table: %q", file, at+1, line)
		}
		verdict := judge(env, strings.ReplaceAll(columns[3], "⏎", "\n"), on)
		if check && verdict != columns[1] {
			log.Fatalf("%s:%d: cel-go says %s, not %s: %s", file, at+1, verdict, columns[1], columns[3])
		}
		columns[1] = verdict
		lines[at] = strings.Join(columns, "\t")
		judged++
	}
	if !check {
		must(0, os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644))
	}
	fmt.Printf("%d expressions judged by cel-go\n", judged)
}
