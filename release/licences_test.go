package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// permitted are the licences under which a module may be linked: words that each of them has, and no other.
var permitted = []struct{ name, words string }{
	{"Apache-2.0", "Apache License Version 2.0"},
	{"BSD", "Redistribution and use in source and binary forms, with or without modification, are permitted provided that"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files"},
	{"MPL-2.0", "Mozilla Public License Version 2.0"},
	{"CC0-1.0", "CC0 1.0 Universal"},
}

// byExemption are the licences that are for the modules named here alone. CC0 gives everything away but patents, of which there are none on SipHash.
var byExemption = map[string][]string{"CC0-1.0": {"github.com/dchest/siphash"}}

// refused are words of licences, or of clauses added to one, that ask for more. The MPL names the first three among those that a receiver may choose.
var refused = []string{"GNU GENERAL PUBLIC LICENSE", "GNU LESSER GENERAL PUBLIC LICENSE", "GNU AFFERO GENERAL PUBLIC LICENSE", "Server Side Public License", "Business Source License", "Commons Clause"}

// licenceOf returns the name of the licence that a text is, "" where it is none that is permitted.
func licenceOf(text string) string {
	words := strings.Join(strings.Fields(text), " ")
	i := slices.IndexFunc(permitted, func(p struct{ name, words string }) bool { return strings.Contains(words, p.words) })
	if i < 0 {
		return ""
	}
	for _, r := range refused {
		if strings.Contains(strings.ToLower(words), strings.ToLower(r)) && !(permitted[i].name == "MPL-2.0" && strings.HasPrefix(r, "GNU ")) {
			return ""
		}
	}
	return permitted[i].name
}

// TestLicences holds that every module that is in an executable of a release has a licence that permits it.
func TestLicences(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, target := range targets {
		modules, err := linkedModules(root, target)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range modules {
			module, dir, _ := strings.Cut(strings.TrimSpace(line), "\t")
			if seen[module] {
				continue
			}
			seen[module] = true
			found, err := licencesIn(dir)
			if err != nil {
				t.Fatal(err)
			}
			path, _, _ := strings.Cut(module, " ")
			n := 0
			for _, f := range found {
				if name := strings.ToLower(f.path); strings.HasPrefix(name, "notice") || strings.HasPrefix(name, "patents") {
					continue
				}
				n++
				name := licenceOf(string(f.content))
				if only, exempt := byExemption[name]; name == "" || exempt && !slices.Contains(only, path) {
					t.Errorf("%s, which is linked for %s: its %s (%q) is none of the licences that are permitted", module, target, f.path, name)
				}
			}
			if n == 0 {
				t.Errorf("%s, which is linked for %s, has no licence", module, target)
			}
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d modules are linked", len(seen))
	}
}

func TestLicenceOf(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "",
		"All rights reserved":                   "",
		"GNU GENERAL PUBLIC LICENSE\nVersion 3": "",
		"Mozilla Public\nLicense Version 2.0\n… the GNU General Public License, Version 2.0": "MPL-2.0",
		"Apache License\n   Version 2.0": "Apache-2.0",
		"Commons Clause\n\nPermission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files":                                    "",
		"GNU LESSER GENERAL PUBLIC LICENSE\nwith parts under: Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files": "",
	} {
		if got := licenceOf(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
