package lookup

import (
	"strings"
	"testing"
	"time"
)

// TestXMLBombs holds that a file that is made for it cannot take long.
func TestXMLBombs(t *testing.T) {
	for name, file := range map[string]string{
		"elements":   "<a>" + strings.Repeat("<a/>", maxNative/4),
		"depth":      strings.Repeat("<a>", maxNative/3),
		"attributes": "<a " + strings.Repeat("a='' ", maxNative/5) + ">",
		"namespaces": "<a " + strings.Repeat("xmlns:a='b' ", maxNative/12) + ">",
		"text":       "<a>" + strings.Repeat("x<!---->", maxNative/8),
		"entities":   "<a>" + strings.Repeat("&amp;", maxNative/5),
		"brackets":   strings.Repeat("<", maxNative),
		"directive":  "<!DOCTYPE a [" + strings.Repeat("<!-- ", maxNative/5),
		"sections":   "<a>" + strings.Repeat("<![CDATA[", maxNative/9),
		"word":       strings.Repeat("a", maxNative),
	} {
		start := time.Now()
		if _, err := parseXML("file.xml", []byte(file), "b"); err == nil {
			t.Errorf("%s are read", name)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}
