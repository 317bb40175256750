package wire

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	for _, m := range []Message{
		{Op: Quit}, {Op: Ask, Fields: []string{"1 2", "https://example.com/", "", strings.Repeat("x", 70000)}},
	} {
		got, err := Read(bytes.NewReader(Append(nil, m)))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%v came back as %v, %v", m, got, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	frame := Append(nil, Message{Op: Load, Fields: []string{"b", "key"}})
	other := append([]byte("CHA9"), frame[4:]...)
	for _, tt := range []struct {
		name string
		in   []byte
		want error
	}{
		{"nothing", nil, io.EOF},
		{"cut in the head", frame[:5], io.ErrUnexpectedEOF},
		{"cut in a field", frame[:len(frame)-1], io.ErrUnexpectedEOF},
		{"not ours", []byte("GET / HTTP/1.1\r\n\r\n"), ErrFrame},
		{"another version", other, ErrMagic},
		{"empty", []byte("CHA1\x00\x00\x00\x00q"), ErrFrame},
		{"too large", []byte("CHA1\x7f\xff\xff\xffq"), ErrFrame},
		{"negative", []byte("CHA1\xff\xff\xff\xffq"), ErrFrame},
		{"field too long", []byte("CHA1\x00\x00\x00\x05l\x00\x00\x00\x09"), ErrFrame},
		{"half a length", []byte("CHA1\x00\x00\x00\x03l\x00\x00"), ErrFrame},
	} {
		if _, err := Read(bytes.NewReader(tt.in)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if m, _ := Read(bytes.NewReader(other)); m.Op != Load {
		t.Errorf("the operation of another version is %q", m.Op)
	}
}

// FuzzRead holds that whatever is read is what Append would have written, and that nothing makes Read take much memory.
func FuzzRead(f *testing.F) {
	f.Add(Append(nil, Message{Op: Hit, Fields: []string{"a", "", "b"}}))
	f.Add([]byte("CHA1\x00\x0f\xff\xffl"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		if again := Append(nil, m); !bytes.HasPrefix(data, again) {
			t.Errorf("%q was read as %v", data, m)
		}
	})
}
