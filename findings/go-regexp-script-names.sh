#!/usr/bin/env bash
# Go's regexp, from 1.25.0 to at least 1.26.8, refuses 46 of the 163 scripts in its own table unicode.Scripts: those with an
# underscore in their names, such as \p{Linear_B}, and \p{SignWriting}. Go 1.24 and RE2 take them. The names are looked up
# without underscores since 1.25, in a table whose keys still have them. cel-go inherits it: `matches` with such a pattern is an
# error. Needs Go; fetches Go 1.24.9 and 1.25.0 through Go's own toolchain switch.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'END'
module scripts

go 1.21
END
cat >main.go <<'END'
package main

import (
	"fmt"
	"regexp"
	"runtime"
	"unicode"
)

func main() {
	refused := 0
	for name := range unicode.Scripts {
		if _, err := regexp.Compile(`\p{` + name + `}`); err != nil {
			refused++
		}
	}
	_, err := regexp.Compile(`\p{Linear_B}`)
	fmt.Printf("%s: %d of %d scripts refused; \\p{Linear_B}: %v\n", runtime.Version(), refused, len(unicode.Scripts), err)
}
END
for version in go1.24.9 go1.25.0 local; do
  GOTOOLCHAIN=$version go run .
done
