package dockerconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/fe055d52/credential-helper/internal/atomicfile"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// A State is what is remembered of docker's configuration as it was before, in docker.json of the program's own configuration directory.
// It is not kept in docker's file, where the next version of docker might drop it or give the key a meaning.
type State struct {
	// Former are the stores that were replaced.
	Former []Former `json:"former,omitempty"`
	// Copies are the copies of the program that were made, where the system has no symbolic links for everybody: the SHA-256 sum of each, by its path.
	Copies map[string]string `json:"copies,omitempty"`

	path, shown string
	before      string
}

// A Former is a credential store that another one replaced.
type Former struct {
	Config   string `json:"config"`             // the path of docker's configuration file
	Name     string `json:"name"`               // the store that came into its place
	Registry string `json:"registry,omitempty"` // a key of credHelpers; empty for credsStore
	Store    string `json:"store"`              // what stood there
}

// ReadState reads what is remembered. A file that does not exist remembers nothing.
func ReadState(e *env.Env) (*State, error) {
	s := &State{}
	if e.ConfigDir == "" {
		return nil, errors.New("there is no configuration directory of the user's to remember docker's settings in (is HOME set?)")
	}
	s.path = filepath.Join(e.ConfigDir, "credential-helper", "docker.json")
	s.shown = e.Display(s.path)
	data, _, err := e.ReadFile(s.path, maxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", s.shown, err)
	}
	err = strictjson.Decode(s.shown, data, func(o *strictjson.Object) {
		o.Objects("former", func(_ int, o *strictjson.Object) {
			var f Former
			o.String("config", &f.Config)
			o.String("name", &f.Name)
			o.String("registry", &f.Registry)
			o.String("store", &f.Store)
			s.Former = append(s.Former, f)
		})
		o.Object("copies", func(o *strictjson.Object) {
			s.Copies = map[string]string{}
			for _, m := range members(o.Raw()) {
				var sum string
				o.String(m.key, &sum)
				s.Copies[m.key] = sum
			}
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading what docker's settings were: %w", err)
	}
	s.before = s.text()
	return s, nil
}

func (s *State) text() string {
	data, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return string(data) + "\n"
}

// Remember notes that name took the place of store, for a registry or, where that is "", for credsStore.
// had is false where nothing stood there, which is what is remembered then.
func (s *State) Remember(config, name, registry, store string, had bool) {
	s.Former = slices.DeleteFunc(s.Former, func(f Former) bool { return f.Config == config && f.Name == name && f.Registry == registry })
	if had {
		s.Former = append(s.Former, Former{Config: config, Name: name, Registry: registry, Store: store})
	}
}

// Recall returns what name took the place of, and false where that was nothing.
func (s *State) Recall(config, name, registry string) (store string, had bool) {
	for _, f := range s.Former {
		if f.Config == config && f.Name == name && f.Registry == registry {
			return f.Store, true
		}
	}
	return "", false
}

// Forget drops what was remembered of a file for name.
func (s *State) Forget(config, name string) {
	s.Former = slices.DeleteFunc(s.Former, func(f Former) bool { return f.Config == config && f.Name == name })
}

// Save writes what has changed, whole or not at all.
func (s *State) Save() error {
	text := s.text()
	if text == s.before || s.before == "" && len(s.Former) == 0 && len(s.Copies) == 0 {
		return nil
	}
	if err := atomicfile.Replace(s.path, []byte(text), 0o600, nil); err != nil {
		return fmt.Errorf("writing %s: %w", s.shown, withoutPath(err))
	}
	s.before = text
	return nil
}
