package loginstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/keyring"
	"github.com/fe055d52/credential-helper/internal/redact"
)

const canary = "cnry-login-5d07"

// TestMain makes the test binary a program that stores one login, or lists them, where OPERATION says so.
func TestMain(m *testing.M) {
	operation := os.Getenv("OPERATION")
	if operation == "" {
		os.Exit(m.Run())
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e := env.Process()
	var err error
	switch operation {
	case "put":
		err = Put(ctx, e, Login{os.Args[1], os.Args[2], redact.New(os.Args[3])})
	case "get":
		var l Login
		if l, err = Get(ctx, e, os.Args[1]); err == nil {
			fmt.Println(l.Server, l.Username, l.Secret.Reveal())
		}
	case "delete":
		err = Delete(ctx, e, os.Args[1])
	case "list":
		var list map[string]string
		if list, err = List(ctx, e); err == nil {
			_ = json.NewEncoder(os.Stdout).Encode(list)
		}
	}
	if err != nil {
		fmt.Println("error:", err)
		if h := (*helpers.HintError)(nil); errors.As(err, &h) {
			fmt.Println(h.Hint)
		}
		os.Exit(1)
	}
	fmt.Println("ok")
}

// fileEnv returns an environment with a keyring in a file, opened with a new identity, and its variables.
func fileEnv(t *testing.T) (*env.Env, []string) {
	t.Helper()
	dir := t.TempDir()
	identity := filepath.Join(dir, "identity")
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(identity, []byte(key.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{
		keyring.VarBackend:  "file",
		keyring.VarFile:     filepath.Join(dir, "new", "keyring.age"),
		keyring.VarIdentity: identity,
	}
	list := []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	for name, value := range vars {
		list = append(list, name+"="+value)
	}
	return &env.Env{Get: func(name string) (string, bool) { v, ok := vars[name]; return v, ok }, Dir: dir, Home: dir}, list
}

func mustPut(t *testing.T, e *env.Env, server, user, secret string) {
	t.Helper()
	if err := Put(t.Context(), e, Login{server, user, redact.New(secret)}); err != nil {
		t.Fatal(err)
	}
}

func TestPutGetListDelete(t *testing.T) {
	e, _ := fileEnv(t)
	if list, err := List(t.Context(), e); err != nil || len(list) != 0 {
		t.Errorf("an empty keyring lists %v, %v", list, err)
	}
	if err := Delete(t.Context(), e, "r.example.com"); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
	if _, err := Get(t.Context(), e, "r.example.com"); !errors.Is(err, helpers.ErrNotFound) || err.Error() != "the keyring has no login for r.example.com" {
		t.Errorf("getting what is not there: %v", err)
	}
	mustPut(t, e, "https://R.example.com/v2/", "bob", canary)
	mustPut(t, e, "r.example.com/team/app", "robot", canary+"-app")
	mustPut(t, e, "https://index.docker.io/v1/", "<token>", canary+"-hub")
	mustPut(t, e, "https://index.docker.io/v1/access-token", "bob", canary+"-access")
	for _, tt := range []struct{ server, want string }{
		{"r.example.com", "https://R.example.com/v2/ bob " + canary},
		{"r.example.com:443", "https://R.example.com/v2/ bob " + canary},
		{"r.example.com/team", "https://R.example.com/v2/ bob " + canary},
		{"r.example.com/team/app", "r.example.com/team/app robot " + canary + "-app"},
		{"https://r.example.com/team/app/sub/", "r.example.com/team/app robot " + canary + "-app"},
		{"r.example.com/team/apple", "https://R.example.com/v2/ bob " + canary},
		{"docker.io", "https://index.docker.io/v1/ <token> " + canary + "-hub"},
		{"index.docker.io/library/busybox", "https://index.docker.io/v1/ <token> " + canary + "-hub"},
		{"https://index.docker.io/v1/access-token", "https://index.docker.io/v1/access-token bob " + canary + "-access"},
		{"https://index.docker.io/v1/refresh-token", ""},
		{"other.example.com", ""},
	} {
		l, err := Get(t.Context(), e, tt.server)
		got := strings.TrimSpace(strings.Join([]string{l.Server, l.Username, l.Secret.Reveal()}, " "))
		if got != tt.want || (tt.want == "") != errors.Is(err, helpers.ErrNotFound) {
			t.Errorf("%s: got %q, %v; want %q", tt.server, got, err, tt.want)
		}
	}
	mustPut(t, e, "r.example.com", "eve", canary+"-2")
	want := map[string]string{"r.example.com": "eve", "r.example.com/team/app": "robot", "https://index.docker.io/v1/": "<token>", "https://index.docker.io/v1/access-token": "bob"}
	if list, err := List(t.Context(), e); err != nil || !maps.Equal(list, want) {
		t.Errorf("the list is %v, %v; want %v", list, err, want)
	}
	for server := range want {
		if err := Delete(t.Context(), e, server); err != nil {
			t.Error(err)
		}
	}
	if list, err := List(t.Context(), e); err != nil || len(list) != 0 {
		t.Errorf("after all were deleted: %v, %v", list, err)
	}
}

func TestRefused(t *testing.T) {
	e, _ := fileEnv(t)
	for _, tt := range []struct {
		login Login
		want  string
	}{
		{Login{"", "u", redact.New(canary)}, "the server's name is empty"},
		{Login{"r.example.com", "", redact.New(canary)}, "storing the login for r.example.com: the username is empty"},
		{Login{"r.example.com", "u", redact.Secret{}}, "storing the login for r.example.com: the secret is empty"},
		{Login{"r.example.com", "u", redact.New(canary + "\xff")}, "storing the login for r.example.com: username or secret is not valid UTF-8"},
		{Login{"r.example.com", "u", redact.New(strings.Repeat(canary, 80_000))}, "storing the login for r.example.com: it is longer than 1080000 bytes"},
	} {
		if err := Put(t.Context(), e, tt.login); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

// atMost is a keyring that takes values up to the length that is told, and dies at a write.
type atMost struct {
	entries map[string]string
	diesAt  int // the number of the write that fails, and all after it; 0 for none
	writes  int
}

var errDead = errors.New("dead")

func (m *atMost) write() error {
	m.writes++
	if m.diesAt > 0 && m.writes >= m.diesAt {
		return errDead
	}
	return nil
}

func (m *atMost) Get(_ context.Context, service, account string) (redact.Secret, error) {
	v, ok := m.entries[service+"|"+account]
	if !ok {
		return redact.Secret{}, helpers.NotFoundf("none")
	}
	return redact.Hold(v), nil
}

func (m *atMost) Set(_ context.Context, service, account string, s redact.Secret) error {
	if n := len(s.Reveal()); n > 2400 {
		return fmt.Errorf("%d bytes are too many", n)
	}
	if err := m.write(); err != nil {
		return err
	}
	m.entries[service+"|"+account] = s.Reveal()
	return nil
}

func (m *atMost) Delete(ctx context.Context, service, account string) error {
	if _, err := m.Get(ctx, service, account); err != nil {
		return err
	}
	if err := m.write(); err != nil {
		return err
	}
	delete(m.entries, service+"|"+account)
	return nil
}

func (m *atMost) put(t *testing.T, server, user, secret string) error {
	t.Helper()
	l := Login{server, user, redact.Hold(secret)}
	value, err := encode(l)
	if err != nil {
		t.Fatal(err)
	}
	name, err := Canonical(server)
	if err != nil {
		t.Fatal(err)
	}
	return put(t.Context(), m, name, l, value)
}

func TestLongSecrets(t *testing.T) {
	for _, n := range []int{1, 2300, 2400, 2560, 2561, 10_000, 200_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			m := &atMost{entries: map[string]string{}}
			secret := strings.Repeat("ä\"\n<x", n/6+1)
			secret = strings.ToValidUTF8(secret[:n], "_")
			for i := range 40 {
				if err := m.put(t, fmt.Sprintf("%s-%d.example.com", strings.Repeat("r", 60), i), "bob", "short"); err != nil {
					t.Fatal(err)
				}
			}
			if err := m.put(t, "r.example.com", "bob", secret); err != nil {
				t.Fatal(err)
			}
			l, err := read(t.Context(), m, "r.example.com")
			if err != nil || l.Secret.Reveal() != secret || l.Username != "bob" {
				t.Errorf("got a secret of %d bytes, %v", len(l.Secret.Reveal()), err)
			}
			if list, gone, err := verify(t.Context(), m); len(list) != 41 || len(gone) != 0 || err != nil {
				t.Errorf("%d logins, %v, %v", len(list), gone, err)
			}
			for i := range 40 {
				if err := remove(t.Context(), m, fmt.Sprintf("%s-%d.example.com", strings.Repeat("r", 60), i)); err != nil {
					t.Fatal(err)
				}
			}
			if err := remove(t.Context(), m, "r.example.com"); err != nil {
				t.Fatal(err)
			}
			if left := slices.Collect(maps.Keys(m.entries)); len(left) != 1 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// TestCrashAtEveryWrite lets the writer die at each of its writes: the login is the old one or the new one, and nothing is left behind in the end.
func TestCrashAtEveryWrite(t *testing.T) {
	short, long, longer := canary, strings.Repeat(canary, 500), strings.Repeat(canary+"!", 900)
	for _, tt := range []struct{ before, after string }{{"", short}, {"", long}, {short, long}, {long, longer}, {longer, long}, {long, short}, {long, ""}, {short, ""}} {
		t.Run(fmt.Sprintf("%d to %d bytes", len(tt.before), len(tt.after)), func(t *testing.T) {
			for n := 1; ; n++ {
				m := &atMost{entries: map[string]string{}}
				if tt.before != "" {
					if err := m.put(t, "r.example.com", "bob", tt.before); err != nil {
						t.Fatal(err)
					}
				}
				m.writes, m.diesAt = 0, n
				var died error
				if tt.after == "" {
					died = remove(t.Context(), m, "r.example.com")
				} else {
					died = m.put(t, "r.example.com", "eve", tt.after)
				}
				m.diesAt = 0
				l, err := read(t.Context(), m, "r.example.com")
				got := l.Secret.Reveal()
				if err != nil && !errors.Is(err, helpers.ErrNotFound) || got != tt.before && got != tt.after || died == nil && got != tt.after {
					t.Fatalf("after a crash at write %d (%v): %d bytes, %v", n, died, len(got), err)
				}
				list, gone, err := verify(t.Context(), m)
				if err != nil || got != "" && len(list) != 1 || got == "" && len(list) != 0 || len(list)+len(gone) > 1 {
					t.Fatalf("after a crash at write %d: the list is %v, %v, %v", n, list, gone, err)
				}
				if err := remove(t.Context(), m, "r.example.com"); err != nil {
					t.Fatal(err)
				}
				if left := slices.Collect(maps.Keys(m.entries)); len(left) > 1 || len(left) == 1 && left[0] != service+"|"+indexAccount {
					t.Fatalf("after a crash at write %d are left behind: %q", n, left)
				}
				if died == nil {
					break
				}
				if !errors.Is(died, errDead) {
					t.Fatal(died)
				}
			}
		})
	}
}

func TestListHeals(t *testing.T) {
	e, _ := fileEnv(t)
	mustPut(t, e, "a.example.com", "bob", canary)
	mustPut(t, e, "b.example.com", "bob", canary)
	if err := keyring.Delete(t.Context(), e, service, "a.example.com"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if list, err := List(t.Context(), e); err != nil || !maps.Equal(list, map[string]string{"b.example.com": "bob"}) {
			t.Errorf("the list is %v, %v", list, err)
		}
	}
	text, err := keyring.Get(t.Context(), e, service, indexAccount)
	if want := `{"version":1,"logins":[{"server":"b.example.com","username":"bob"}]}`; err != nil || text.Reveal() != want {
		t.Errorf("the index is %s, %v", text.Reveal(), err)
	}
}

func TestTampered(t *testing.T) {
	const entry = `the keyring's entry for service "credential-helper:docker", account `
	const here = entry + `"r.example.com" `
	long := strings.Repeat(canary, 500)
	good, _ := encode(Login{"r.example.com", "bob", redact.Hold(canary)})
	other, _ := encode(Login{"s.example.com", "bob", redact.Hold(canary)})
	for _, tt := range []struct{ name, secret, account, value, want string }{
		{"not JSON", canary, "r.example.com", canary, here + "does not hold what this program writes there"},
		{"another key", canary, "r.example.com", strings.Replace(good, "{", `{"x":1,`, 1), here + "does not hold what this program writes there"},
		{"a key twice", canary, "r.example.com", strings.Replace(good, "{", `{"secret":"x",`, 1), here + "does not hold what this program writes there"},
		{"without a username", canary, "r.example.com", strings.Replace(good, "bob", "", 1), here + "does not hold what this program writes there"},
		{"more behind it", canary, "r.example.com", good + good, here + "does not hold what this program writes there"},
		{"another server", canary, "r.example.com", other, here + "holds a login for another server"},
		{"later version", canary, "r.example.com", `{"version":2,"wallet":"x"}`, here + "is of version 2, and this program knows version 1"},
		{"piece missing", long, "r.example.com#a2", "", here + "is kept in pieces, and they do not make a whole"},
		{"piece changed", long, "r.example.com#a2", "YWJj", here + "is kept in pieces, and they do not make a whole"},
		{"piece not base64", long, "r.example.com#a2", canary, here + "is kept in pieces, and they do not make a whole"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, _ := fileEnv(t)
			mustPut(t, e, "t.example.com", "bob", canary)
			mustPut(t, e, "r.example.com", "bob", tt.secret)
			if err := keyring.Set(t.Context(), e, service, tt.account, redact.Hold(tt.value)); err != nil {
				t.Fatal(err)
			}
			l, err := Get(t.Context(), e, "r.example.com/app")
			if err == nil || err.Error() != tt.want || helpers.FallsThrough(err) || !l.Secret.IsZero() {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
			if h := (*helpers.HintError)(nil); !errors.As(err, &h) || h.Hint != "remove it, and log in again: docker logout r.example.com" {
				t.Errorf("the hint of %v is missing", err)
			}
			if list, err := List(t.Context(), e); err != nil || !maps.Equal(list, map[string]string{"t.example.com": "bob"}) {
				t.Errorf("the list is %v, %v", list, err)
			}
			if err := Delete(t.Context(), e, "r.example.com"); err != nil {
				t.Error(err)
			}
			if _, err := Get(t.Context(), e, "r.example.com"); !errors.Is(err, helpers.ErrNotFound) {
				t.Errorf("after it was deleted: %v", err)
			}
		})
	}
	t.Run("index", func(t *testing.T) {
		for _, value := range []string{"x", `{"version":1,"logins":[{"server":"","username":""}]}`} {
			e, _ := fileEnv(t)
			if err := keyring.Set(t.Context(), e, service, indexAccount, redact.Hold(value)); err != nil {
				t.Fatal(err)
			}
			_, err := List(t.Context(), e)
			if want := entry + `"#index" does not hold what this program writes there`; err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			if h := (*helpers.HintError)(nil); !errors.As(err, &h) || h.Hint != "the next login writes it anew; logins made before are found as they were, and listed once they are made again" {
				t.Errorf("the hint of %v is missing", err)
			}
			if err := Delete(t.Context(), e, "r.example.com"); err != nil {
				t.Error(err)
			}
			mustPut(t, e, "r.example.com", "bob", canary)
			if list, err := List(t.Context(), e); err != nil || len(list) != 1 {
				t.Errorf("the list is %v, %v", list, err)
			}
		}
	})
}

func TestWrongKey(t *testing.T) {
	e, _ := fileEnv(t)
	mustPut(t, e, "r.example.com", "bob", canary)
	other, _ := fileEnv(t)
	path := e.Var(keyring.VarFile)
	wrong := *other
	wrong.Get = func(name string) (string, bool) {
		if name == keyring.VarFile {
			return path, true
		}
		return other.Get(name)
	}
	want := "the identity in ~/identity does not open the keyring's file " + path
	_, getErr := Get(t.Context(), &wrong, "r.example.com")
	_, listErr := List(t.Context(), &wrong)
	for operation, err := range map[string]error{"get": getErr, "list": listErr, "delete": Delete(t.Context(), &wrong, "r.example.com")} {
		if err == nil || err.Error() != want || helpers.FallsThrough(err) {
			t.Errorf("%s: %v, want %s", operation, err, want)
		}
	}
	err := Put(t.Context(), &wrong, Login{"s.example.com", "bob", redact.New(canary)})
	if want := "storing the login for s.example.com: " + want; err == nil || err.Error() != want {
		t.Errorf("put: %v, want %s", err, want)
	}
	if _, err := Get(t.Context(), e, "r.example.com"); err != nil {
		t.Errorf("with the right one: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	good, _ := encode(Login{"r.example.com", "bob", redact.Hold("s\u2028<")})
	f.Add(good)
	f.Add(`{"version":1}`)
	f.Add(`{"version":1,"server":"a","username":"b","secret":"c"} `)
	f.Add(`{"version":1,"slot":"a","pieces":2,"sha256":""}`)
	f.Fuzz(func(t *testing.T, text string) {
		if l, err := decode(text); err == nil {
			again, err := encode(l)
			if err != nil || again != text {
				t.Errorf("%q decodes, and encodes to %q", text, again)
			}
		}
	})
}

// FuzzParseHead holds that a head is one that is written, and of a number of pieces that there may be: it says how many entries are read.
func FuzzParseHead(f *testing.F) {
	f.Add(`{"version":1,"slot":"a","pieces":2,"sha256":""}`)
	f.Add(`{"version":1,"slot":"a","pieces":601,"sha256":""}`)
	f.Add(`{"version":1,"slot":"a","pieces":2,"sha256":"","x":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		h, ok := parseHead(text)
		if !ok {
			return
		}
		again, err := json.Marshal(h)
		if err != nil || string(again) != text || h.Pieces < 1 || h.Pieces > maxPieces {
			t.Errorf("%q is %+v", text, h)
		}
		if _, err := decode(text); err == nil {
			t.Errorf("%q is a head, and a login", text)
		}
	})
}
