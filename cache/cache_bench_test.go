package cache

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/cache/wire"
	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/inputs"
	"github.com/fe055d52/credential-helper/internal/redact"
)

// sizes are the numbers of things for which the cost of each is shown: it grows linearly, or not at all.
var sizes = []int{10, 100, 1_000, 10_000}

// benchEntry is like those for a registry: a long token, and what it was made from.
func benchEntry(b *testing.B) (e Entry, data []byte) {
	salt := inputs.Salt("0123456789abcdef")
	e = Entry{
		Salt: salt,
		Response: helpers.Response{
			Expires: time.Now().Add(time.Hour),
			Headers: map[string][]redact.Secret{
				"Authorization": {redact.Hold("Bearer " + strings.Repeat("t", 700))},
				"Accept":        {redact.Hold("application/vnd.oci.image.index.v1+json"), redact.Hold("application/vnd.oci.image.manifest.v1+json")},
			},
		},
		Inputs: []inputs.Input{
			{Kind: inputs.Env, Name: "REGISTRY_USER", Sum: inputs.Variable(salt, "alice", true)},
			{Kind: inputs.Env, Name: "REGISTRY_PASSWORD", Sum: inputs.Variable(salt, "wonderland", true)},
		},
	}
	if !e.seal(time.Now()) {
		b.Fatal("there is no point in keeping the entry")
	}
	data, err := e.encode()
	if err != nil {
		b.Fatal(err)
	}
	return e, data
}

func benchKey(i int) Key {
	return Key{Helper: "oci", Rule: `{"host": "registry.example.com", "helper": "oci"}`, Scope: fmt.Sprintf("repository:team/app%d:pull", i), Context: "/home/alice\x00/work\x00/work"}
}

func BenchmarkKeyID(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint("rule of ", n, " bytes"), func(b *testing.B) {
			key := benchKey(1)
			key.Rule = strings.Repeat("x", n)
			b.ReportAllocs()
			for b.Loop() {
				key.ID()
			}
		})
	}
}

func BenchmarkEntry(b *testing.B) {
	e, data := benchEntry(b)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.encode(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decode(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMemory(b *testing.B) {
	e, data := benchEntry(b)
	for _, n := range sizes {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = benchKey(i).ID()
		}
		m := newMemory(n, time.Now)
		for _, id := range ids {
			m.put(id, data, &e)
		}
		b.Run(fmt.Sprint("get of ", n), func(b *testing.B) {
			i := 0
			for b.Loop() {
				if _, ok := m.get(ids[i%n]); !ok {
					b.Fatal("it is not there")
				}
				i++
			}
		})
		b.Run(fmt.Sprint("put into ", n), func(b *testing.B) {
			i := 0
			for b.Loop() {
				m.put(benchKey(i).ID(), data, &e) // once it is full, each one drives another one out
				i++
			}
		})
	}
}

// benchWide is benchKey for one of many files below eight directories, all of whose scopes are wider.
func benchWide(i int) Key {
	key := benchKey(i)
	dir := "/"
	for n := range 8 {
		key.Wider = append(key.Wider, "https://registry.example.com below "+dir)
		dir += fmt.Sprintf("directory%d/", n)
	}
	key.Scope = fmt.Sprintf("https://registry.example.com %sfile%d", dir, i)
	return key
}

// BenchmarkWider does what a key with eight wider scopes costs more than another.
func BenchmarkWider(b *testing.B) {
	b.Run("key", func(b *testing.B) {
		key := benchWide(1)
		b.ReportAllocs()
		for b.Loop() {
			key.IDs()
		}
	})
	_, data := benchEntry(b)
	for _, at := range []int{0, 7, 8} { // the widest, the deepest, and its own
		a := &Agent{
			Ask:    func(Question) (Asked, bool) { return Asked{Key: benchWide(1)}, true },
			Encode: func(helpers.Response, time.Time) ([]byte, bool) { return []byte(strings.Repeat("x", 800)), true },
		}
		a.prepare()
		build, ids := a.Build.String(), benchWide(1).IDs()
		if r := a.reply(wire.Message{Op: wire.Save, Fields: []string{build, ids[at], string(data)}}); r.Op != wire.Done {
			b.Fatal(r)
		}
		for name, m := range map[string]wire.Message{
			"ask":  {Op: wire.Ask, Fields: []string{build, "https://registry.example.com/", "", "c"}},
			"load": {Op: wire.Load, Fields: append([]string{build}, ids...)},
		} {
			b.Run(fmt.Sprint(name, ", found as ", at+1, " of 9"), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if r := a.reply(m); r.Op != wire.Hit && r.Op != wire.Entry {
						b.Fatal(r)
					}
				}
			})
		}
	}
}

// BenchmarkAsk answers what a client asks, from the frame to the frame.
func BenchmarkAsk(b *testing.B) {
	_, data := benchEntry(b)
	for _, n := range sizes {
		b.Run(fmt.Sprint(n, " entries"), func(b *testing.B) {
			a := &Agent{
				MaxEntries: n, Ask: func(q Question) (Asked, bool) { return Asked{Key: Key{Scope: q.URI}}, true },
				Encode: func(helpers.Response, time.Time) ([]byte, bool) { return []byte(strings.Repeat("x", 800)), true },
			}
			a.prepare()
			build := a.Build.String()
			frames := make([]string, n)
			for i := range n {
				uri := fmt.Sprintf("https://registry.example.com/v2/team/app%d/manifests/latest", i)
				if r := a.reply(wire.Message{Op: wire.Save, Fields: []string{build, Key{Scope: uri}.ID(), string(data)}}); r.Op != wire.Done {
					b.Fatal(r)
				}
				frames[i] = string(wire.Append(nil, wire.Message{Op: wire.Ask, Fields: []string{
					build, uri, "", "/home/alice\x00/src/app\x00/src/app", "/src/app/config.json", "-", "/home/alice/.config/credential-helper/config.json", "-",
				}}))
			}
			answer := func(frame string) {
				m, err := wire.Read(strings.NewReader(frame))
				if err != nil {
					b.Fatal(err)
				}
				r := a.reply(m)
				if r.Op != wire.Hit {
					b.Fatal(r)
				}
				wire.Append(nil, r)
			}
			for _, frame := range frames {
				answer(frame) // the first time an entry is decoded
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				answer(frames[i%n])
				i++
			}
		})
	}
}
