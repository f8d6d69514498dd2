// What `docker compose config --format json` prints, where Docker has no compose: the library that compose is made of
// loads, interpolates and validates the file. Its version is the newest that Debian's Go can build.
//
// Usage: go run . FILE
package main

import (
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/cli"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: config FILE")
		os.Exit(2)
	}
	resolved, err := config(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Stdout.Write(resolved)
}

// config is the project as JSON, with variables from .env beside the file, as compose reads them.
func config(file string) ([]byte, error) {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithOsEnv, cli.WithEnvFiles(), cli.WithDotEnv)
	if err != nil {
		return nil, err
	}
	project, err := cli.ProjectFromOptions(options)
	if err != nil {
		return nil, err
	}
	return project.MarshalJSON()
}
