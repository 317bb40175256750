package config

import "testing"

func TestPublicSuffix(t *testing.T) {
	for pattern, want := range map[string]string{
		"*.com": "com", "*com": "com", "*.*.com": "com", "**com": "com", "*om": "om", "*m": "com", "*.c*m": "com", "*.co*": "com", "*e*": "net", "*.co.*": "co.uk",
		"*.co.uk": "co.uk", "*co.uk": "co.uk", "*.k12.ca.us": "k12.ca.us", "*.ck": "ck", "*.kawasaki.jp": "kawasaki.jp", "*.arpa": "arpa",

		"*.example.com": "", "*example.com": "", "*.example.co.uk": "", "*.www.ck": "", "*.city.kawasaki.jp": "", "*-x.com": "", "*.x-*.com": "", "a*.com": "", "com": "", "*.example.*": "",
		"*.azurecr.io": "", "*.github.io": "", "*.s3.amazonaws.com": "", "*.app.snowflake.com": "", "*.pkg.dev": "", "*.buildbuddy.io": "",
		"*.test": "", "*.corp": "", "*.internal": "", "*.local": "", "*.home.arpa": "", "*corp": "", "*-cache": "", "*.0.0.1": "", "10.*": "", "[2001:db8:*]": "", "": "",
	} {
		h, problem := parseHost(pattern)
		if problem != "" {
			t.Errorf("%q: %s", pattern, problem)
		}
		if got := h.publicSuffix(); got != want {
			t.Errorf("%q matches all of %q, want %q", pattern, got, want)
		}
	}
}

// TestMatchWildcard holds that the answer for all hosts of a domain is not given where an earlier rule takes one of them.
func TestMatchWildcard(t *testing.T) {
	const corp, all = `{"host": "*.corp.test", "helper": "fake"}`, "https://*.corp.test/"
	for _, tt := range []struct {
		name, before, url string
		want              bool
	}{
		{"alone", ``, all, true},
		{"a host below", `{"host": "b.corp.test", "helper": "bound"}`, all, false},
		{"a host far below", `{"host": "a.b.corp.test", "helper": "bound"}`, all, false},
		{"hosts below", `{"host": "*.b.corp.test", "helper": "bound"}`, all, false},
		{"a glob below", `{"host": "b*.corp.test", "helper": "bound"}`, all, false},
		{"a glob across", `{"host": "registry.*", "helper": "bound"}`, all, false},
		{"a path of a host below", `{"host": "b.corp.test", "path": "/x/*", "helper": "bound"}`, all, false},
		{"a path of all", `{"host": "*.corp.test", "path": "/x/*", "helper": "bound"}`, all, false},
		{"a path of every host", `{"path": "/x/*", "helper": "bound"}`, all, false},
		{"the domain itself", `{"host": "corp.test", "helper": "bound"}`, all, true},
		{"another domain", `{"host": "b.other.test", "helper": "bound"}`, all, true},
		{"hosts of another domain", `{"host": "*.other.test", "helper": "bound"}`, all, true},
		{"a domain with such an end", `{"host": "b.evilcorp.test", "helper": "bound"}`, all, true},
		{"another scheme", `{"scheme": "http", "host": "b.corp.test", "helper": "bound"}`, all, true},
		{"another port", `{"host": "b.corp.test:8443", "helper": "bound"}`, all, true},
		{"the scheme's port", `{"host": "b.corp.test:443", "helper": "bound"}`, all, false},
		{"any port", `{"host": "b.corp.test:*", "helper": "bound"}`, all, false},
		{"any port of another domain", `{"host": "b.other.test:*", "helper": "bound"}`, all, true},
		{"the port that is asked for", `{"host": "b.corp.test:8443", "helper": "bound"}, {"host": "*.corp.test:8443", "helper": "fake"}`, "https://*.corp.test:8443/", false},
		{"another port than is asked for", `{"host": "b.corp.test", "helper": "bound"}, {"host": "*.corp.test:8443", "helper": "fake"}`, "https://*.corp.test:8443/", true},
		{"an address", `{"host": "[::*]:*", "helper": "bound"}, {"host": "127.0.0.1", "helper": "bound"}`, all, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rules := corp
			if tt.before != "" {
				rules = tt.before + ", " + corp
			}
			f, err := Parse("f", []byte(`{"urls": [`+rules+`]}`), kinds, false)
			if err != nil {
				t.Fatal(err)
			}
			builtin, err := builtIn()
			if err != nil {
				t.Fatal(err)
			}
			if got := (&Routes{Files: []File{f}, BuiltIn: builtin}).Match(request(t, tt.url)); (got != nil) != tt.want || got != nil && got.HelperName != "fake" {
				t.Errorf("served by %+v", got)
			}
			// Behind the rule, the other one takes nothing away.
			f, err = Parse("f", []byte(`{"urls": [`+corp+`, {"host": "b.corp.test", "helper": "bound"}]}`), kinds, false)
			if err != nil {
				t.Fatal(err)
			}
			if (&Routes{Files: []File{f}}).Match(request(t, all)) == nil {
				t.Error("a later rule counts")
			}
		})
	}
}
