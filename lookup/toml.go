package lookup

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/pelletier/go-toml/v2"
)

// maxTOML is the size in bytes above which a file is not read as TOML: the parser's time grows with the square of the number of keys in a table,
// and is eight seconds for a megabyte of them.
const maxTOML = 64 << 10

// decodeTOML decodes a file that a tool keeps its logins in. shown is the file's name in errors, and tool that of the tool.
// No error quotes the file, which is full of tokens; own are those that types of this package return for a value, and may be shown.
func decodeTOML(shown, tool string, data []byte, into any, own ...error) error {
	if len(data) > maxTOML {
		return fmt.Errorf("reading %s: it is larger than %d bytes, which is too long for a file of %s", shown, maxTOML, tool)
	}
	err := toml.Unmarshal(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), into)
	var at *toml.DecodeError
	switch {
	case errors.As(err, &at):
		line, column := at.Position()
		for _, reason := range own {
			if at.Error() == "toml: "+reason.Error() {
				return fmt.Errorf("reading %s:%d:%d: %w", shown, line, column, reason)
			}
		}
		return fmt.Errorf("reading %s:%d:%d: not TOML as %s reads it", shown, line, column, tool)
	case err != nil:
		return fmt.Errorf("reading %s: not TOML as %s reads it", shown, tool)
	}
	return nil
}
