package lookup

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// maxYAML and maxYAMLTokens are the sizes, in bytes and in tokens, above which YAML is not taken for a tool's list of logins.
const (
	maxYAML       = 64 << 10
	maxYAMLTokens = 4096
)

// decodeYAML decodes a list of logins, a map by host or setting, into file. what says what it is a list of, and writer which tool writes it, both for errors.
// No error quotes the text, which is full of secrets.
func decodeYAML(shown string, data []byte, what, writer string, file any) error {
	// An alias is written in a few bytes and may stand for as much as one likes, and the parser takes seconds for what is nested deeply.
	tokens := lexer.Tokenize(string(data))
	if len(tokens) > maxYAMLTokens {
		return fmt.Errorf("%s: it has more than %d YAML tokens, which is too long for a list of %s", shown, maxYAMLTokens, what)
	}
	for _, t := range tokens {
		if t.Type == token.AliasType || t.Type == token.MergeKeyType {
			return fmt.Errorf("%s:%d:%d: YAML aliases are not read here, and %s writes none", shown, t.Position.Line, t.Position.Column, writer)
		}
	}
	if err := yaml.Unmarshal(data, file); err != nil {
		var at yaml.Error
		if errors.As(err, &at) && at.GetToken() != nil {
			p := at.GetToken().Position
			return fmt.Errorf("%s:%d:%d: not YAML as %s writes it", shown, p.Line, p.Column, writer)
		}
		return fmt.Errorf("%s: not YAML as %s writes it", shown, writer)
	}
	return nil
}

// yamlPlace returns where a value of a file stands.
func yamlPlace(shown string, node ast.Node) string {
	if node == nil || node.GetToken() == nil || node.GetToken().Position == nil {
		return shown
	}
	return fmt.Sprintf("%s:%d", shown, node.GetToken().Position.Line)
}

// yamlText returns the text of a value as it is spelled, "0123" and "true" too; "" for one that is no text.
func yamlText(node ast.Node) string {
	switch n := node.(type) {
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value
	}
	return ""
}
