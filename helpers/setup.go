package helpers

import "net/url"

// A Remedy is one way to have a login found: lines to copy, with words in capitals where the user's own go.
type Remedy struct {
	// Do says what the lines do, in lower case: "log in with npm".
	Do string
	// File is the file that Lines are to be put into, as people write it; where it is empty, they are commands for a shell.
	File string
	// Lines never contain a secret.
	Lines []string
	// And says that it goes with the remedy before it, rather than in its place.
	And bool
	// Tool names whose login it is ("npm", "netrc"): a helper whose server speaks many protocols chooses by it. It is empty where it is nobody's.
	Tool string
	// Source names the lookup source that then finds the login, as [Credential] does. It is empty where the source is not known.
	Source string
}

// Guided is implemented by helpers, and lookup sources, that know how a user makes them find a login for u.
// The likeliest remedy comes first. There is none where nothing is to be found.
type Guided interface {
	Setup(u *url.URL) []Remedy
}
