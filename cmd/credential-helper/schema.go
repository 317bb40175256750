package main

import (
	"github.com/fe055d52/credential-helper/config"
)

const helpSchema = `Prints the JSON schema of configuration files, with which editors complete and check them.
A file says where it is: "$schema": "./.credential-helper.schema.json".
`

const exampleSchema = `  $ credential-helper schema > .credential-helper.schema.json
`

// schema prints the JSON schema of configuration files.
func (a *app) schema(args []string) error {
	if _, err := a.parse("schema", args); err != nil {
		return err
	}
	text, err := config.Schema(helperKinds(newSources(a.env, nil), nil, nil))
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(text)
	return err
}
