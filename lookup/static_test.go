package lookup

import "testing"

func TestStatic(t *testing.T) {
	s := newSources(t, nil)
	expect(t, s, Static("bob"), Query{}, outcome{values: "default=bob"})
	expect(t, s, decodeOne(t, s, `{"source": "static", "name": "bob"}`), Query{}, outcome{values: "default=bob"})
}
