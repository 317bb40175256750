package main

import (
	"context"

	"github.com/fe055d52/credential-helper/dialect"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/trace"
)

const helpGet = `Reads one JSON object on standard input, {"uri": "https://…"}, and writes one on standard output:
{"headers": {"NAME": ["VALUE", …]}, "expires": "TIME"}. This is Bazel's credential-helper protocol.
No headers means no opinion about that URL. On an error nothing is written to standard output, and the exit status is not 0.
`

const exampleGet = `  $ echo '{"uri": "https://registry.example.com/v2/team/app/manifests/latest"}' | credential-helper get
`

// get serves one request in Bazel's dialect.
func (a *app) get(args []string) error {
	if len(args) > 0 {
		return helpers.WithHint(usagef("get takes no arguments: the request comes on standard input"), "credential-helper check URL tells what comes of it, explain URL how")
	}
	resp, err := within(a, func(ctx context.Context) (helpers.Response, error) {
		req, err := a.readBazel(ctx)
		if err != nil {
			return helpers.Response{}, err
		}
		r, err := a.resolver(ctx)
		if err != nil {
			return helpers.Response{}, err
		}
		return r.headers(ctx, req)
	})
	if err != nil {
		return err
	}
	return dialect.WriteBazel(a.stdout, resp)
}

func (a *app) readBazel(ctx context.Context) (req helpers.Request, err error) {
	end := trace.Step(ctx, "reading the request from standard input")
	defer func() { end(err) }()
	return dialect.ReadBazel(a.stdin)
}
