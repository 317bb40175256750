package config

import (
	"fmt"

	"github.com/fe055d52/credential-helper/internal/jsonschema"
)

// Schema returns the JSON schema of configuration files, made from the functions that decode them. A key without a text is an error,
// and so is a text that belongs to no key.
func Schema(kinds Kinds) ([]byte, error) {
	text, unused, bare, err := jsonschema.Generate(Visitor(kinds), schemaTexts())
	switch {
	case err != nil:
		return nil, fmt.Errorf("making the schema: %w", err)
	case len(unused)+len(bare) > 0:
		return nil, fmt.Errorf("making the schema: texts of no key: %q; keys without a text: %q", unused, bare)
	}
	return text, nil
}
