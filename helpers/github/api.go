package github

import (
	"net/url"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"golang.org/x/net/publicsuffix"
)

// API returns the base URL of the REST API that serves u, without a slash at its end: "https://api.github.com" for all of GitHub's own hosts,
// "https://api.SUB.ghe.com" for data residency, and "https://HOST/api/v3" for an Enterprise Server, whose port and scheme are u's.
// It is the caller's to see that plain HTTP is allowed (see [helpers.Secure]).
//
// https://docs.github.com/enterprise-server/rest/using-the-rest-api/getting-started-with-the-rest-api,
// https://docs.github.com/enterprise-cloud@latest/admin/data-residency/about-storage-of-your-data-with-data-residency
func API(u *url.URL) *url.URL {
	host := Host(u)
	if host == "github.com" {
		return &url.URL{Scheme: "https", Host: "api.github.com"}
	}
	if suffix, _ := publicsuffix.PublicSuffix(host); suffix == host && host != strings.TrimPrefix(u.Hostname(), "*.") {
		host = u.Hostname() // "raw.co.uk" is no service of a server "co.uk"
	}
	if strings.HasSuffix(host, ".ghe.com") {
		return &url.URL{Scheme: "https", Host: "api." + host}
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" {
		host += ":" + port
	}
	scheme := "http"
	if helpers.Secure(u) {
		scheme = "https"
	}
	return &url.URL{Scheme: scheme, Host: host, Path: "/api/v3"}
}

// Repository returns the owner and the name of the repository that u is the address of: https://github.com/OWNER/REPO, with or without
// ".git" and a slash at its end. ok is false for every other URL: archives, raw files, the API, git's own requests.
func Repository(u *url.URL) (owner, repo string, ok bool) {
	if u.Hostname() != Host(u) {
		return "", "", false
	}
	segments := strings.Split(strings.TrimSuffix(strings.TrimPrefix(u.Path, "/"), "/"), "/")
	if len(segments) != 2 {
		return "", "", false
	}
	owner, repo = segments[0], strings.TrimSuffix(segments[1], ".git")
	if !validOwner(owner) || reserved(owner) || !validRepository(repo) {
		return "", "", false
	}
	return owner, repo, true
}

// reserved reports whether a first segment of a path at github.com, or at an Enterprise Server, is not an owner but a page or a service.
func reserved(segment string) bool {
	switch ascii.Lower(segment) {
	case "api", "apps", "assets", "codeload", "collections", "contact", "customer-stories", "enterprise", "enterprises", "explore", "features", "gist", "join", "login",
		"logout", "marketplace", "media", "new", "notifications", "organizations", "orgs", "pricing", "raw", "search", "sessions", "settings", "site",
		"sponsors", "stars", "storage", "topics", "trending", "uploads", "users":
		return true
	}
	return false
}

// validOwner reports whether name can be an organization's or a user's: letters, digits and hyphens,
// and an underscore before the short code of managed users.
// https://docs.github.com/enterprise-cloud@latest/admin/managing-iam/iam-configuration-reference/username-considerations-for-external-authentication
func validOwner(name string) bool { return name != "" && len(name) <= 100 && consistsOf(name, "-_") }

// validRepository reports whether name can be a repository's.
func validRepository(name string) bool {
	return name != "" && len(name) <= 100 && name != "." && name != ".." && consistsOf(name, "-_.")
}

// consistsOf reports whether name has ASCII letters, digits, and characters of others only.
func consistsOf(name, others string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(others, c) >= 0:
		default:
			return false
		}
	}
	return true
}
