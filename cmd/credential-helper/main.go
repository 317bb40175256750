// Credential-helper answers one question of build tools: which credentials for this URL?
//
// It speaks Bazel's credential-helper protocol: a request comes in on standard input, and the headers go out on standard output.
// Run "credential-helper help" for its commands, and see the package documentation of its parts for how it works:
// dialect reads the request, config finds the rule for the URL, a package below helpers makes the headers from what package lookup finds.
package main

import (
	"os"

	"github.com/fe055d52/credential-helper/internal/env"
)

func main() {
	a := &app{env: env.Process(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(a.run(os.Args[1:]))
}
