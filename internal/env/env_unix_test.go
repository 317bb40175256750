//go:build unix

package env

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/internal/inputs"
)

func TestReadFileRefusesPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	e := &Env{}
	for _, path := range []string{path, "/dev/zero"} {
		if _, _, err := e.ReadFile(path, 5); err == nil || err.Error() != "it is not a regular file" {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestOpenDoesNotWait: a file may become a pipe at any time, so it is not enough to look before it is opened.
func TestOpenDoesNotWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		f, err := open(path)
		if err == nil {
			f.Close()
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("opening a pipe waits for its writer")
	}
}

const salt = inputs.Salt("0123456789abcdef")

// TestReadFileRecords holds what is recorded of a file: what package inputs will say of it later, whatever becomes of the reading.
func TestReadFileRecords(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("file"), "12345")
	write(t, at("closed"), "12345")
	if err := os.Chmod(at("closed"), 0); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Symlink("file", at("link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nothing", at("dangling")); err != nil {
		t.Fatal(err)
	}
	closed := "permission denied"
	if os.Geteuid() == 0 {
		closed = ""
	}
	read := func(name string) string {
		return inputs.WithContents(inputs.Stat(at(name)), salt, []byte("12345"))
	}
	closedSum := ""
	if closed == "" {
		closedSum = read("closed")
	}
	for _, tt := range []struct{ name, err, sum string }{
		{"file", "", read("file")}, // it was changed a moment ago
		{"link", "", read("link")},
		{"closed", closed, closedSum},
		{"pipe", "it is not a regular file", ""},
		{"socket", "it is not a regular file", ""},
		{".", "it is a directory", ""},
		{"absent", "no such file or directory", "-"},
		{"dangling", "no such file or directory", "-"},
		{"file/below", "file does not exist", "-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, seen := (&Env{Get: os.LookupEnv}).Observe(salt)
			_, _, err := e.ReadFile(at(tt.name), 100)
			if err == nil && tt.err != "" || err != nil && err.Error() != tt.err {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			record, volatile := seen.Inputs()
			if tt.sum == "" {
				tt.sum = inputs.Stat(at(tt.name))
			}
			want := inputs.Input{Kind: inputs.File, Name: at(tt.name), Sum: tt.sum}
			if len(record) != 1 || record[0] != want || want.Sum == "" || volatile {
				t.Errorf("recorded %v (volatile: %v), want %v", record, volatile, want)
			}
		})
	}
}

// TestReadFileRecordsOld holds that a file which has not changed for a while is not read again to know it.
func TestReadFileRecordsOld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "12345")
	e, seen := (&Env{Get: os.LookupEnv}).Observe(salt)
	seen.began += int64(time.Minute)
	if _, _, err := e.ReadFile(path, 100); err != nil {
		t.Fatal(err)
	}
	if record, _ := seen.Inputs(); len(record) != 1 || record[0].Sum != inputs.Stat(path) {
		t.Errorf("recorded %v", record)
	}
	// One that is read twice in a run is known by the same each time.
	e, seen = (&Env{Get: os.LookupEnv}).Observe(salt)
	for range 2 {
		if _, _, err := e.ReadFile(path, 100); err != nil {
			t.Fatal(err)
		}
	}
	if _, volatile := seen.Inputs(); volatile {
		t.Error("a file that was read twice counts as changed in between")
	}
}

func TestWorkdir(t *testing.T) {
	e := with(map[string]string{VarWorkspace: "/ws"})
	e.CacheDir = "/c"
	// The last element is the MD5 sum of "/ws".
	if got, want := e.Workdir(), "/c/tweag-credential-helper/948361d4354174853dd04ced978d78d1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e = with(map[string]string{VarWorkdir: "/w"})
	if got := e.Workdir(); got != "/w" {
		t.Errorf("got %q, want /w", got)
	}
}
