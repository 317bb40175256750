package helpers

import (
	"net/url"
	"strings"

	"github.com/fe055d52/credential-helper/internal/ascii"
)

// signatures are the query parameters, in lower case, that together say: this URL is already signed.
var signatures = [][]string{
	{"x-amz-signature"},                   // S3 signature version 4: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
	{"awsaccesskeyid", "signature"},       // S3 signature version 2
	{"x-goog-signature"},                  // Google Cloud Storage V4: https://cloud.google.com/storage/docs/authentication/signatures
	{"googleaccessid", "signature"},       // Google Cloud Storage V2
	{"sig", "sv"},                         // Azure shared access signature: https://learn.microsoft.com/rest/api/storageservices/create-service-sas
	{"key-pair-id", "signature"},          // CloudFront: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html
	{"ossaccesskeyid", "signature"},       // Alibaba OSS
	{"x-oss-signature"},                   // Alibaba OSS V4
	{"q-sign-algorithm", "q-signature"},   // Tencent COS
	{"expires", "keyname", "signature"},   // Google Cloud CDN: https://cloud.google.com/cdn/docs/using-signed-urls
	{"urlprefix", "keyname", "signature"}, // Google Cloud CDN, by prefix
}

// signedHosts are hosts that serve signed URLs only; a header with a credential makes them answer 400.
var signedHosts = map[string]bool{
	"objects.githubusercontent.com":        true,
	"release-assets.githubusercontent.com": true,
}

// tokenHosts are hosts where the query parameter "token" is GitHub's signature of a download.
var tokenHosts = map[string]bool{
	"raw.githubusercontent.com":   true,
	"codeload.github.com":         true,
	"media.githubusercontent.com": true,
}

// Presigned reports whether u carries its own authorization. Such a URL gets no header:
// a second authorization is refused by the server, and would hand the user's secret to a storage host.
func Presigned(u *url.URL) bool {
	if signedHosts[u.Host] {
		return true
	}
	if u.RawQuery == "" {
		return false
	}
	has := map[string]bool{}
	for pair := range strings.FieldsFuncSeq(u.RawQuery, func(r rune) bool { return r == '&' || r == ';' }) {
		key, value, _ := strings.Cut(pair, "=")
		if k, err := url.QueryUnescape(key); err == nil {
			key = k
		}
		if value != "" {
			has[ascii.Lower(key)] = true
		}
	}
	if tokenHosts[u.Host] && has["token"] {
		return true
	}
next:
	for _, keys := range signatures {
		for _, k := range keys {
			if !has[k] {
				continue next
			}
		}
		return true
	}
	return false
}
