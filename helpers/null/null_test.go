package null

import (
	"context"
	"errors"
	"net/url"
	"testing"

	"github.com/fe055d52/credential-helper/helpers"
)

func TestNoOpinion(t *testing.T) {
	h, u := New(helpers.Rule{}, nil), &url.URL{Scheme: "https", Host: "a.test", Path: "/"}
	if _, ok := h.Scope(u); ok {
		t.Error("it has a scope, and so an answer")
	}
	if _, err := h.Credential(context.Background(), u); !errors.Is(err, helpers.ErrNotFound) {
		t.Errorf("it has a login: %v", err)
	}
	if resp, err := h.Headers(context.Background(), u, helpers.Credential{}); err != nil || !resp.Empty() {
		t.Errorf("it has headers: %v, %v", resp, err)
	}
	if bound, ok := h.(helpers.HostBound); !ok || !bound.HostBound() {
		t.Error("a rule without a host may not use it")
	}
}
