package lookup

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/httpclient"
)

// TestMain makes the test binary a program that asks a source for the login of a URL, where JULIA_LOGIN_OF or GIT_LOGIN_OF has one.
func TestMain(m *testing.M) {
	s := &Sources{Env: env.Process(), Client: httpclient.New("test")}
	for variable, source := range map[string]Source{"JULIA_LOGIN_OF": s.Julia(), "GIT_LOGIN_OF": s.Git(false)} {
		if at := os.Getenv(variable); at != "" {
			os.Exit(printLogin(source, at))
		}
	}
	os.Exit(m.Run())
}

func printLogin(source Source, at string) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := helpers.ParseRequest(at)
	var values Values
	if err == nil {
		values, err = source.Lookup(ctx, Query{URL: r.URL})
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(values[Default].Reveal())
	return 0
}
