#!/usr/bin/env bash
# The linter behind `promtool check metrics` (promlint of client_golang 1.25.0; promtool 2.42.0 says the same) reads the older text
# format only, while Prometheus asks for OpenMetrics first. So what a correct server sends to Prometheus cannot be checked as it is
# sent: a counter of OpenMetrics, whose HELP and TYPE have its name without `_total`, is "no help text", and with an exemplar the page
# is a syntax error, "expected integer as timestamp". The same counter in the older format has nothing wrong. Ask a server for that
# one to lint it (curl without an Accept header). Needs Go.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GOFLAGS=-mod=mod
cd "$work"
cat >go.mod <<'END'
module lint

go 1.24

require github.com/prometheus/client_golang v1.25.0
END
cat >main.go <<'END'
package main

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

func main() {
	pages := []struct{ name, text string }{
		{"text", "# HELP a_total Help.\n# TYPE a_total counter\na_total 7\n"},
		{"openmetrics", "# HELP a Help.\n# TYPE a counter\na_total 7\n# EOF\n"},
		{"exemplar", "# HELP a Help.\n# TYPE a counter\na_total 7 # {trace_id=\"4bf9\"} 1.0 1.5\n# EOF\n"},
	}
	for _, page := range pages {
		problems, err := promlint.New(strings.NewReader(page.text)).Lint()
		fmt.Println(page.name, problems, err)
	}
}
END
go mod tidy >/dev/null 2>&1
seen=$(go run .)
echo "$seen"
diff <(echo "$seen") - <<'END'
text [] <nil>
openmetrics [{a_total no help text}] <nil>
exemplar [] text format parsing error in line 3: expected integer as timestamp, got "#"
END
