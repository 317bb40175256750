// Credential-helper answers one question of build tools: which credentials for this URL?
//
// It speaks Bazel's credential-helper protocol: a request comes in on standard input, and the headers go out on standard output.
// Run "credential-helper help" for its commands, and see the package documentation of its parts for how it works:
// dialect reads the request, config finds the rule for the URL, a package below helpers makes the headers from what package lookup finds.
//
// Most runs never come here: package warm, which is initialized before the rest, answers them from the agent's memory.
package main

import (
	"bytes"
	"io"
	"log"
	"os"

	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/warm"
)

func main() {
	// Package net/http tells the standard logger what a server said out of turn, which may be anything.
	log.SetOutput(io.Discard)
	hideRun()
	a := &app{env: env.Process(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	if len(warm.Consumed) > 0 {
		a.stdin = io.MultiReader(bytes.NewReader(warm.Consumed), os.Stdin)
	}
	if isDockerName(os.Args[0]) {
		os.Exit(a.runDocker(os.Args[1:]))
	}
	os.Exit(a.run(os.Args[1:]))
}
