package github

import (
	"net/url"
	"strings"
)

// A form is how a token is written into the header.
type form string

const (
	none    form = ""
	bearer  form = "bearer"
	rawFile form = "raw"
	git     form = "git"
)

// why says of a form what it is, and which URLs take it.
func (f form) why() string {
	switch f {
	case bearer:
		return "bearer: the token as a Bearer, as the API, archives, releases and packages take it"
	case rawFile:
		return "raw: the token as the user name of Basic, as the host of raw files takes it"
	case git:
		return "git: the token as the password of Basic, as git over HTTPS takes it"
	}
	return "none: the host serves signed URLs"
}

// formOf returns the form that u's server takes.
func formOf(u *url.URL) form {
	name := u.Hostname()
	switch {
	case name == "objects.githubusercontent.com", name == "release-assets.githubusercontent.com":
		return none
	case name == "raw.githubusercontent.com", strings.HasPrefix(name, "raw."):
		return rawFile
	case name != "github.com" && name == Host(u) && strings.HasPrefix(u.Path, "/raw/"): // Enterprise Server without subdomain isolation
		return rawFile
	case (name == Host(u) || strings.HasPrefix(name, "gist.")) && isGit(u.Path):
		return git
	default:
		return bearer
	}
}

// isGit reports whether path is git's smart HTTP protocol, or LFS: https://git-scm.com/docs/http-protocol
func isGit(path string) bool {
	for _, suffix := range []string{"/info/refs", "/git-upload-pack", "/git-receive-pack"} {
		if strings.HasSuffix(path, suffix) {
			return true
		}
	}
	return strings.HasSuffix(path, ".git") || strings.Contains(path, ".git/")
}

// services are the first labels of an Enterprise Server's host names with subdomain isolation:
// https://docs.github.com/enterprise-server/admin/configuring-settings/hardening-security-for-your-enterprise/enabling-subdomain-isolation
var services = map[string]bool{
	"api": true, "assets": true, "avatars": true, "codeload": true, "containers": true, "docker": true, "gist": true, "maven": true, "media": true,
	"npm": true, "nuget": true, "objects": true, "raw": true, "rubygems": true, "uploads": true,
}

// Host returns the host that the GitHub CLI knows u's server by: "github.com" for all of GitHub's own,
// the name without its service ("raw.", "api.") for an Enterprise Server.
func Host(u *url.URL) string {
	name := u.Hostname()
	if name == "github.com" || strings.HasSuffix(name, ".github.com") || strings.HasSuffix(name, ".githubusercontent.com") || name == "ghcr.io" {
		return "github.com"
	}
	if label, rest, ok := strings.Cut(name, "."); ok && (services[label] || label == "*") && strings.Contains(rest, ".") {
		return rest
	}
	return name
}
