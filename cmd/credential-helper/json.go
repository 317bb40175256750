package main

import (
	"encoding/json"
	"io"
)

// writeJSON writes what a command's --json prints: one JSON object on one line, with "<", ">" and "&" as they are.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
