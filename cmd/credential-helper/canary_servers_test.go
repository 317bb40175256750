//go:build unix

package main

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/fe055d52/credential-helper/internal/registrytest"
)

// sent returns what a request carries of a credential: the header's value, what stands behind its scheme, and that decoded.
func sent(req *http.Request) []string {
	said := []string{req.URL.String()}
	for _, name := range []string{"Authorization", "Private-Token", "Job-Token", "X-Api-Key", "X-Key", "Proxy-Authorization"} {
		value := req.Header.Get(name)
		if value == "" {
			continue
		}
		said = append(said, value)
		if scheme, credential, ok := strings.Cut(value, " "); ok {
			said = append(said, credential)
			if decoded, err := base64.StdEncoding.DecodeString(credential); err == nil && scheme == "Basic" {
				said = append(said, string(decoded))
			}
		}
	}
	_ = req.ParseForm()
	for _, values := range req.PostForm {
		said = append(said, values...)
	}
	return said
}

// bareSecret returns the last and barest of what a request carries: the password of Basic, the token.
func bareSecret(req *http.Request) string {
	all := sent(req)
	last := all[len(all)-1]
	if _, password, ok := strings.Cut(last, ":"); ok && password != "" {
		return password
	}
	return last
}

// disguises are how a server may write what it was sent.
var disguises = []func(string) string{
	func(s string) string { return s },
	strings.ToUpper,
	backwards,
	func(s string) string { return strings.Map(rotate, s) },
	func(s string) string { return hex.EncodeToString([]byte(s)) },
	func(s string) string { return base64.URLEncoding.EncodeToString([]byte("it is " + s)) },
	func(s string) string { return base64.StdEncoding.EncodeToString([]byte(backwards(s))) },
	func(s string) string { return base32.StdEncoding.EncodeToString([]byte("is " + s)) },
	percent,
	escaped,
	func(s string) string { return s[:len(s)/2] },
	func(s string) string { return s[:len(s)/3] + " " + s[len(s)/3:len(s)*2/3] + " " + s[len(s)*2/3:] },
}

// inDisguise returns a sentence for each way to write what a request carries. The first are those that come before any text is cut.
func inDisguise(req *http.Request) []string {
	secret := bareSecret(req)
	var all []string
	for _, disguise := range disguises {
		all = append(all, "the token "+disguise(secret)+" is not valid")
	}
	return all
}

// sayItAll is a server that repeats a credential wherever a server can say something. The last part of the path says in which way.
func sayItAll(w http.ResponseWriter, req *http.Request) {
	way := req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]
	secret := bareSecret(req)
	disguised := inDisguise(req)
	var n int
	if _, err := fmt.Sscanf(way, "disguise%d", &n); err == nil {
		text := disguises[n%len(disguises)](secret)
		short := strings.ReplaceAll(strings.Trim(text[:min(len(text), 60)], "=%"), "%", "")
		word := strings.NewReplacer(" ", "", "=", "", `\`, "").Replace(short)
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("%s realm=%q, error=\"insufficient_scope\", scope=%q", word, text, text))
		w.Header().Set("X-OAuth-Scopes", text)
		w.Header().Set("X-Accepted-OAuth-Scopes", "x"+text)
		w.Header().Set("X-Accepted-GitHub-Permissions", text)
		w.Header().Set("Retry-After", text)
		switch n / len(disguises) {
		case 0:
			w.WriteHeader(http.StatusForbidden)
		case 1:
			w.Header().Del("Retry-After")
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Digest realm="https://%s.evil.test/%s"`, word, word))
			w.Header().Set("X-GitHub-SSO", "required; url=https://github.com/orgs/"+word+"/sso?authorization_request="+word)
			w.WriteHeader(http.StatusForbidden)
		case 2:
			w.Header().Del("Retry-After")
			w.WriteHeader(http.StatusUnauthorized)
		case 3:
			w.Header().Set("Location", "http://"+word+".evil.test/x")
			w.WriteHeader(http.StatusFound)
		case 4:
			w.Header().Set("Location", "/absent/"+word)
			w.WriteHeader(http.StatusFound)
		default:
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				fmt.Fprintf(conn, "%s\r\n\r\n", text)
				conn.Close()
			}
		}
		return
	}
	all := strings.Join(append(sent(req), disguised...), " ")
	w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q", all))
	w.Header().Set("X-Message", all)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(401)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": all, "message": "not with " + all, "errors": []map[string]string{{"code": "DENIED", "message": all}}})
}

// waysToSay is how many ways sayItAll has with each disguise.
const waysToSay = 6

// refuse returns a token endpoint, or an API, that refuses, and says why in its own way: a token that nobody here has met is in its answer, too.
func refuse(status int, unmet string) http.HandlerFunc {
	var asked atomic.Int64
	return func(w http.ResponseWriter, req *http.Request) {
		n := int(asked.Add(1))
		if n%9 == 0 {
			w.Header().Set("Location", "https://"+strings.Map(rotate, bareSecret(req))+".evil.test/")
			w.WriteHeader(http.StatusTemporaryRedirect)
			return
		}
		said := inDisguise(req)
		text := said[n%len(said)] + ", " + strings.Join(sent(req), " ")
		message, _ := json.Marshal(text)
		w.Header().Set("Retry-After", bareSecret(req))
		answer := fmt.Sprintf(`{"errors":[{"code":"DENIED","message":%s}], "error": "x", "message": %s, "token": ["%s"], "refresh_token": "%s"}`, message, message, unmet, unmet)
		if n%9 == 5 {
			answer = fmt.Sprintf(`{"message":"no login: %s"}`, strings.Map(rotate, unmet))
		}
		if n%9 == 7 {
			answer = answer[:len(answer)/2]
		}
		registrytest.Status(status, answer)(w, req)
	}
}
