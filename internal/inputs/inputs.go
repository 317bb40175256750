// Package inputs tells whether what an answer was made from is still as it was: environment variables and files.
//
// A lookup records what it reads; the record is kept beside the answer, and an answer is used again only while nothing in it has changed.
// A file is known by its size, times, inode and device; a value by a keyed hash, so that what is kept does not show it.
// A file that had been changed a moment before it was read is known by a keyed hash of its contents, too: the clock of its file system may not tick
// before the next change, which leaves size and times as they are. It ticks every few milliseconds on most, every second or two on some.
// On Linux it does not import package os, because the path of a hit goes through it before that is initialized (see package warm).
package inputs

import (
	"syscall"

	"github.com/dchest/siphash"
)

// Kinds of inputs.
const (
	Env     = "env"
	File    = "file"
	Environ = "environ" // all of the environment, as a program is given it
	Prefix  = "prefix"  // the variables whose names begin with a text
)

// An Input is one thing that an answer depends on, and how it was.
type Input struct {
	Kind string `json:"kind"` // Env, File, Environ or Prefix
	Name string `json:"name"` // the variable, the file's absolute path, or the text; empty for Environ
	Sum  string `json:"sum"`  // what Variable, Stat, WithContents or All returned
}

// A Salt keys the hashes of one record. It is 16 random bytes.
type Salt string

// Variable returns the sum of an environment variable's value.
func Variable(salt Salt, value string, set bool) string {
	if !set {
		return "-"
	}
	if len(salt) != 16 {
		return "" // no salt, no sum: equal to nothing that was recorded
	}
	a, b := siphash.Hash128(word(salt[:8]), word(salt[8:]), []byte(value))
	return hex(a, b)
}

// moment is how long after its change a file counts as changed just now, in nanoseconds: some ticks of the slowest clock, and of one that goes wrong.
const moment = 10e9

// maxContents is the size in bytes above which the contents of a file are not looked at: it is that of no file that is read.
const maxContents = 8 << 20

// WithContents returns the sum of a file out of that which Stat returned, and of the data that was read from it.
func WithContents(stat string, salt Salt, data []byte) string {
	return joined(stat, Variable(salt, string(data), true))
}

// joined is "", equal to nothing, where one of the two is.
func joined(stat, contents string) string {
	if stat == "" || contents == "" {
		return ""
	}
	return stat + "+" + contents
}

// All returns the sum of an environment, whatever its order. Variables that change with every shell and command
// and mean nothing to a program count for nothing.
func All(salt Salt, environ []string) string {
	if len(salt) != 16 {
		return ""
	}
	var a, b uint64
next:
	for _, variable := range environ {
		for _, noise := range [...]string{"_=", "PWD=", "OLDPWD=", "SHLVL="} {
			if len(variable) >= len(noise) && variable[:len(noise)] == noise {
				continue next
			}
		}
		x, y := siphash.Hash128(word(salt[:8]), word(salt[8:]), []byte(variable))
		a, b = a+x, b+y
	}
	return hex(a, b)
}

// WithPrefix returns the variables of an environment whose names begin with prefix, which is ASCII, in whatever case.
func WithPrefix(environ []string, prefix string) (list []string) {
next:
	for _, variable := range environ {
		if len(variable) < len(prefix) {
			continue
		}
		for i := range len(prefix) {
			if lower(variable[i]) != lower(prefix[i]) {
				continue next
			}
		}
		list = append(list, variable)
	}
	return list
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func word(s Salt) (w uint64) {
	for i := range 8 {
		w |= uint64(s[i]) << (8 * i)
	}
	return w
}

// text writes the 16 bytes of a hash as Variable writes its two halves.
func text(hash []byte) string { return hex(word(Salt(hash[:8])), word(Salt(hash[8:]))) }

// hex writes numbers of 16 hexadecimal digits each. Package strconv does not pad, and fmt is initialized late.
func hex(words ...uint64) string {
	digits := make([]byte, 0, 16*6)
	for _, w := range words {
		for shift := 60; shift >= 0; shift -= 4 {
			digits = append(digits, "0123456789abcdef"[w>>shift&15])
		}
	}
	return string(digits)
}

// Unchanged reports whether in is still as it was recorded, under the salt of its record.
func (in Input) Unchanged(salt Salt, get func(string) (string, bool)) bool {
	if in.Sum == "" {
		return false
	}
	switch in.Kind {
	case Env:
		value, set := get(in.Name)
		return Variable(salt, value, set) == in.Sum
	case File:
		for i := range len(in.Sum) {
			if in.Sum[i] == '+' {
				return Stat(in.Name) == in.Sum[:i] && contents(in.Name, salt) == in.Sum[i+1:]
			}
		}
		return Stat(in.Name) == in.Sum
	case Environ:
		return All(salt, syscall.Environ()) == in.Sum
	case Prefix:
		return All(salt, WithPrefix(syscall.Environ(), in.Name)) == in.Sum
	}
	return false
}

// Unchanged reports whether all of a record is still as it was.
func Unchanged(record []Input, salt Salt, get func(string) (string, bool)) bool {
	for _, in := range record {
		if !in.Unchanged(salt, get) {
			return false
		}
	}
	return true
}
