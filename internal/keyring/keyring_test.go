package keyring

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	gokeyring "github.com/zalando/go-keyring"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/redact"
)

const canary = "cnry-keyring-81c2"

// TestMain makes the test binary a program that does one operation on the keyring of the session in which it is started:
// with OPERATION set, it does that with its arguments as service, account and secret, and prints what came of it.
func TestMain(m *testing.M) {
	operation := os.Getenv("OPERATION")
	if operation == "" {
		os.Exit(m.Run())
	}
	limit, err := time.ParseDuration(os.Getenv("LIMIT"))
	if err != nil {
		limit = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	e := env.Process()
	arg := func(i int) string {
		if i < len(os.Args) {
			return os.Args[i]
		}
		return ""
	}
	start := time.Now()
	var secret redact.Secret
	switch operation {
	case "get":
		secret, err = Get(ctx, e, arg(1), arg(2))
	case "set":
		err = Set(ctx, e, arg(1), arg(2), redact.New(arg(3)))
	case "delete":
		err = Delete(ctx, e, arg(1), arg(2))
	}
	kind := "broken"
	switch {
	case err == nil:
		kind = "ok"
	case errors.Is(err, helpers.ErrNotFound):
		kind = "not found"
	case errors.Is(err, helpers.ErrUnavailable):
		kind = "unavailable"
	case errors.Is(err, ErrLocked):
		kind = "locked"
	}
	hint := ""
	if h := (*helpers.HintError)(nil); errors.As(err, &h) {
		hint = h.Hint
	}
	quick := time.Since(start) < 2*time.Second
	fmt.Printf("%s\n%s\n%v\n%s\nquick=%v\n", kind, secret.Reveal(), err, hint, quick)
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct{ name, in, want, err string }{
		{"plain", "secret", "secret", ""},
		{"base64", base64Prefix + base64.StdEncoding.EncodeToString([]byte("a\nb")), "a\nb", ""},
		{"hex", hexPrefix + "61ff", "a\xff", ""},
		{"bad base64", base64Prefix + canary + "!", "", "the value has the prefix of an encoded one, and does not decode"},
		{"bad hex", hexPrefix + "6", "", "the value has the prefix of an encoded one, and does not decode"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decode(tt.in)
			if got != tt.want || fmt.Sprint(err) != tt.err && (err != nil || tt.err != "") {
				t.Errorf("got %q, %v; want %q, %q", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	if err := explain(gokeyring.ErrUnsupportedPlatform, "reading"); !errors.Is(err, helpers.ErrUnavailable) {
		t.Errorf("an unsupported system is %v", err)
	}
	err := explain(errors.New("failed to unlock correct collection '/x'"), "writing service \"x\" to the keyring")
	if want := `writing service "x" to the keyring: the keyring was not unlocked: its prompt was closed, or there is nowhere to show it`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if explain(nil, "reading") != nil {
		t.Error("nil is explained")
	}
}

func TestRunLeavesWhatHangs(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("the time is up"))
	defer cancel()
	hang := make(chan struct{})
	defer close(hang)
	err := run(ctx, "hanging", func(context.Context) error { <-hang; return nil })
	if want := "the keyring did not answer in time: the time is up"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if helpers.FallsThrough(err) {
		t.Error("a timeout falls through")
	}
}

func TestRunSurvivesPanic(t *testing.T) {
	err := run(t.Context(), "panicking", func(context.Context) error { panic(canary) })
	if want := "the keyring gave an answer that makes no sense"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestMocked(t *testing.T) {
	if runtime.GOOS != "windows" && runtime.GOOS != "darwin" {
		t.Skip("elsewhere the session bus is asked first, and the real Secret Service is tested")
	}
	gokeyring.MockInit()
	ctx, e := t.Context(), env.Process()
	if _, err := Get(ctx, e, "s", ""); !errors.Is(err, helpers.ErrNotFound) {
		t.Errorf("an absent entry is %v", err)
	}
	if err := Set(ctx, e, "s", "", redact.New(canary)); err != nil {
		t.Fatal(err)
	}
	if got, err := Get(ctx, e, "s", ""); err != nil || got.Reveal() != canary {
		t.Errorf("got %v, %v", got, err)
	}
	if err := Delete(ctx, e, "s", ""); err != nil {
		t.Error(err)
	}
	gokeyring.MockInitWithError(gokeyring.ErrSetDataTooBig)
	err := Set(ctx, e, "s", "", redact.New(canary))
	if err == nil || !strings.Contains(err.Error(), "the secret of 17 bytes") || strings.Contains(err.Error(), canary) {
		t.Errorf("a secret that is too long is %v", err)
	}
}
