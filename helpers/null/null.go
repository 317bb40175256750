// Package null is the helper that has no opinion: its rules keep other rules away from a URL.
package null

import (
	"context"
	"net/url"

	"github.com/fe055d52/credential-helper/helpers"
	"github.com/fe055d52/credential-helper/internal/strictjson"
)

// New is the [helpers.Factory]. The helper takes no config of its own.
func New(helpers.Rule, *strictjson.Object) helpers.Helper { return helper{} }

type helper struct{}

func (helper) HostBound() bool { return true }

func (helper) Scope(*url.URL) (string, bool) { return "", false }

func (helper) Credential(context.Context, *url.URL) (helpers.Credential, error) {
	return helpers.Credential{}, helpers.NotFoundf("the null helper has no login")
}

func (helper) Headers(context.Context, *url.URL, helpers.Credential) (helpers.Response, error) {
	return helpers.Response{}, nil
}

// Setup implements [helpers.Guided]: nothing is missing.
func (helper) Setup(*url.URL) []helpers.Remedy { return nil }
