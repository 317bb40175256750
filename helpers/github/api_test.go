package github

import "testing"

func TestAPI(t *testing.T) {
	for in, want := range map[string]string{
		"https://github.com/o/r":                    "https://api.github.com",
		"http://github.com/o/r":                     "https://api.github.com",
		"https://raw.githubusercontent.com/o/r/x/y": "https://api.github.com",
		"https://api.github.com/repos/o/r":          "https://api.github.com",
		"https://*.github.com/":                     "https://api.github.com",
		"https://npm.pkg.github.com/@o/p":           "https://api.github.com",
		"https://ghe.acme.test/o/r":                 "https://ghe.acme.test/api/v3",
		"https://raw.ghe.acme.test/o/r/x/y":         "https://ghe.acme.test/api/v3",
		"https://*.ghe.acme.test/":                  "https://ghe.acme.test/api/v3",
		"https://codeload.ghe.acme.test:8443/o/r/x": "https://ghe.acme.test:8443/api/v3",
		"http://127.0.0.1:8080/o/r":                 "http://127.0.0.1:8080/api/v3",
		"http://[::1]:8080/o/r":                     "http://[::1]:8080/api/v3",
		"http://localhost/o/r":                      "http://localhost/api/v3",
		"https://acme.ghe.com/o/r":                  "https://api.acme.ghe.com",
		"https://api.acme.ghe.com/repos/o/r":        "https://api.acme.ghe.com",
		"https://raw.acme.ghe.com/o/r/x/y":          "https://api.acme.ghe.com",
		"https://acme.ghe.com.evil.test/o/r":        "https://acme.ghe.com.evil.test/api/v3",
		"https://evilgithub.com/o/r":                "https://evilgithub.com/api/v3",
		"https://raw.co.uk/o/r":                     "https://raw.co.uk/api/v3",
		"grpcs://ghe.acme.test/":                    "https://ghe.acme.test/api/v3",
	} {
		t.Run(in, func(t *testing.T) {
			if got := API(parse(t, in)).String(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestRepository(t *testing.T) {
	for in, want := range map[string]string{
		"https://github.com/o/r":                                   "o/r",
		"https://github.com/o/r/":                                  "o/r",
		"https://github.com/o/r.git":                               "o/r",
		"https://github.com/o/r.git/":                              "o/r",
		"https://github.com/Octo-Org/re.po_1":                      "Octo-Org/re.po_1",
		"https://github.com/octo_short/r":                          "octo_short/r",
		"https://github.com/o/r?tab=readme":                        "o/r",
		"https://ghe.acme.test/o/r":                                "o/r",
		"http://127.0.0.1:8080/o/r":                                "o/r",
		"https://acme.ghe.com/o/r":                                 "o/r",
		"https://github.com/":                                      "",
		"https://github.com/o":                                     "",
		"https://github.com/o/.git":                                "",
		"https://github.com/o//r":                                  "",
		"https://github.com//o/r":                                  "",
		"https://github.com/o/r//":                                 "",
		"https://github.com/orgs/o":                                "",
		"https://github.com/settings/tokens":                       "",
		"https://github.com/o/r/archive/v1.tar.gz":                 "",
		"https://github.com/o/r/releases":                          "",
		"https://github.com/o/r.git/info/refs":                     "",
		"https://github.com/o/r%2fx":                               "",
		"https://github.com/o%20/r":                                "",
		"https://api.github.com/repos/o/r":                         "",
		"https://api.github.com/o/r":                               "",
		"https://raw.githubusercontent.com/o/r":                    "",
		"https://*.github.com/o/r":                                 "",
		"https://ghe.acme.test/raw/r":                              "",
		"https://ghe.acme.test/api/v3":                             "",
		"https://gist.github.com/o/0123":                           "",
		"https://github.com/o/r/tree/main":                         "",
		"https://objects.githubusercontent.com/o/r?X-Amz-Expires=": "",
	} {
		t.Run(in, func(t *testing.T) {
			owner, repo, ok := Repository(parse(t, in))
			got := ""
			if ok {
				got = owner + "/" + repo
			}
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
