package doctor

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/fe055d52/credential-helper/config"
	"github.com/fe055d52/credential-helper/internal/ascii"
	"github.com/fe055d52/credential-helper/internal/env"
	"github.com/fe055d52/credential-helper/internal/keyring"
	"github.com/fe055d52/credential-helper/internal/redact"
	"github.com/fe055d52/credential-helper/internal/suggest"
)

// knownVars are the variables of the program's own.
var knownVars = []string{
	env.VarAgentPID, env.VarCache, env.VarConfigFile, env.VarGuessOCI, env.VarIdle, env.VarLogging, env.VarPrune, env.VarSocket, env.VarStandalone,
	env.VarTimeout, env.VarWorkdir, env.VarWorkspace, keyring.VarBackend, keyring.VarFile, keyring.VarPassphraseFile, keyring.VarIdentity,
	"CREDENTIAL_HELPER_REMOTEAPIS_SECRET", "CREDENTIAL_HELPER_NESTED",
}

// Variables checks the program's own variables: unknown ones, and bad values, which the errors tell.
func Variables(e *env.Env, bad []error) []Finding {
	var f findings
	const prefix = "CREDENTIAL_HELPER_"
	set := 0
	if e.Environ != nil {
		for _, v := range e.Environ() {
			name, _, _ := strings.Cut(v, "=")
			switch {
			case !strings.HasPrefix(name, prefix):
			case slices.Contains(knownVars, name):
				set++
			default:
				fix := "unset it; credential-helper help lists those that are known"
				if near, ok := suggest.Nearest(strings.TrimPrefix(name, prefix), withoutPrefix(knownVars, prefix)); ok {
					fix = "is $" + prefix + near + " meant?"
				}
				f.warn(fmt.Sprintf("$%s is not a variable of this program, and does nothing", redact.Quote(name, 100)), fix)
			}
		}
	}
	for _, err := range bad {
		f.fail(Broken, err, "correct or unset it")
	}
	if v := e.Var(env.VarGuessOCI); v != "" && v != "1" && v != "0" {
		f.warn(fmt.Sprintf("$%s is %q, which counts as not set", env.VarGuessOCI, redact.Quote(v, 40)), "it takes 1")
	}
	if v := e.Var(env.VarStandalone); v != "" && !slices.Contains([]string{"0", "1", "true", "false"}, ascii.Lower(v)) {
		f.warn(fmt.Sprintf("$%s is %q, which counts as not set", env.VarStandalone, redact.Quote(v, 40)), "it takes 1")
	}
	if v := e.Var(env.VarWorkspace); v != "" {
		if info, err := os.Stat(e.Workspace()); err != nil || !info.IsDir() {
			f.broken(fmt.Sprintf("$%s names %s, which is not a directory", env.VarWorkspace, e.Display(e.Workspace())), "correct or unset it")
		}
	}
	if len(f) == 0 {
		switch set {
		case 0:
			f.ok("no variable of this program is set")
		default:
			f.ok("%s of this program: all known, with values that it takes", count(set, "variable"))
		}
	}
	return f
}

func withoutPrefix(names []string, prefix string) []string {
	var all []string
	for _, name := range names {
		all = append(all, strings.TrimPrefix(name, prefix))
	}
	return all
}

// Directories checks the places that the environment names.
func Directories(e *env.Env) []Finding {
	var f findings
	if home := e.Var("HOME"); e.Home == "" && home != "" && runtime.GOOS != "windows" {
		f.warn(fmt.Sprintf("HOME is not an absolute path (%s), and is not used: your own configuration, logins and cache are not found", redact.Quote(home, 100)), "export HOME")
	} else if e.Home == "" {
		f.warn("HOME is not set: your own configuration, logins and cache are not found", "export HOME")
	} else if info, err := os.Stat(e.Home); err != nil || !info.IsDir() {
		f.warn(fmt.Sprintf("the home directory %s does not exist", e.Home), "correct HOME")
	}
	tmp := e.Tmp()
	if info, err := os.Stat(tmp); err != nil || !info.IsDir() {
		f.warn(fmt.Sprintf("the directory for temporary files does not exist: %s", tmp), "correct or unset TMPDIR")
	} else if err := writable(tmp); err != nil {
		f.warn(fmt.Sprintf("the directory for temporary files cannot be written: %s: %s", tmp, err), "correct or unset TMPDIR")
	}
	if dir := e.Var("XDG_RUNTIME_DIR"); dir != "" && runtime.GOOS != "windows" {
		info, err := os.Stat(dir)
		switch {
		case !filepath.IsAbs(dir):
			f.warn("XDG_RUNTIME_DIR is not an absolute path, and is not used", "correct or unset it")
		case err != nil || !info.IsDir():
			f.warn(fmt.Sprintf("XDG_RUNTIME_DIR names %s, which does not exist: the agent goes to the cache directory, and the keyring's bus is not found", dir), "log in anew, or unset it (sudo and su leave it behind)")
		case !owned(info):
			f.warn(fmt.Sprintf("XDG_RUNTIME_DIR names %s, which belongs to another user", dir), "unset it (sudo and su leave it behind)")
		case info.Mode().Perm()&0o022 != 0:
			f.warn(fmt.Sprintf("other users can write XDG_RUNTIME_DIR, %s (mode %04o)", dir, info.Mode().Perm()), "chmod 700 "+shellPath(e, dir))
		}
	}
	if len(f) == 0 {
		f.ok("home, temporary and runtime directories are as they should be")
	}
	return f
}

// proxyVars are the variables of proxies that count, in the order in which they do.
var proxyVars = []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"}

// Proxies checks which hosts of rules are reached by way of a proxy. proxy is what the HTTP client asks.
func Proxies(e *env.Env, files []config.File, proxy func(*http.Request) (*url.URL, error)) []Finding {
	var f findings
	var set []string
	for _, name := range proxyVars {
		v := e.Var(name)
		if v == "" {
			continue
		}
		u, err := url.Parse(v)
		if !strings.Contains(v, "://") { // HOST:PORT is taken for http://HOST:PORT
			u, err = url.Parse("http://" + v)
		}
		// An @ that is not the end of user info: the password has a character that has to be written in another way. What is taken for the host may be a part of it.
		if err != nil || u.Hostname() == "" || u.User == nil && strings.Contains(v, "@") || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
			f.broken(fmt.Sprintf("$%s does not name a proxy, and is not used", name), "write it as http://HOST:PORT; in a user name and a password, write %2F for /, %40 for @ and so on")
			continue
		}
		shown := u.Scheme + "://" + u.Host
		if u.User != nil {
			shown = u.Scheme + "://" + redact.Mark + "@" + u.Host
		}
		set = append(set, fmt.Sprintf("$%s is %s", name, redact.Quote(shown, 120)))
	}
	for _, pair := range [][2]string{{"HTTPS_PROXY", "https_proxy"}, {"HTTP_PROXY", "http_proxy"}, {"NO_PROXY", "no_proxy"}} {
		upper, lower := e.Var(pair[0]), e.Var(pair[1])
		if upper != "" && lower != "" && upper != lower && runtime.GOOS != "windows" {
			f.warn(fmt.Sprintf("$%s and $%s differ: this program takes the first, others take the second", pair[0], pair[1]), "give both one value")
		}
	}
	for _, name := range []string{"ALL_PROXY", "all_proxy"} {
		if e.Var(name) != "" && e.Var("HTTPS_PROXY") == "" && e.Var("https_proxy") == "" {
			f.warn(fmt.Sprintf("$%s names a proxy for other programs (curl, git); this one and Bazel do not read it", name), "if the proxy is needed: export HTTPS_PROXY=\"$"+name+"\"")
			break
		}
	}
	if len(set) == 0 {
		if len(f) == 0 {
			f.ok("no proxy is set")
		}
		return f
	}
	through, direct := byProxy(files, proxy)
	text := strings.Join(set, ", ")
	switch {
	case len(through) > 0 && len(direct) > 0:
		text += fmt.Sprintf("; it is used for %s, not for %s", strings.Join(through, ", "), strings.Join(direct, ", "))
	case len(through) > 0:
		text += "; it is used for " + strings.Join(through, ", ")
	case len(direct) > 0:
		text += "; no host of your rules goes through it"
	}
	if len(through) > 0 {
		f.note(text, "add hosts that are to be reached directly to NO_PROXY")
	} else {
		f.ok("%s", text)
	}
	return f
}

// byProxy divides the hosts of rules.
func byProxy(files []config.File, proxy func(*http.Request) (*url.URL, error)) (through, direct []string) {
	for _, file := range files {
		for i := range file.Rules {
			r := &file.Rules[i]
			host := r.HostPattern()
			if host == "" || r.HelperName == "null" || slices.Contains(through, host) || slices.Contains(direct, host) {
				continue
			}
			scheme := "https"
			if r.Scheme == "http" {
				scheme = "http"
			}
			// A star is asked for as one name below the domain.
			u, err := url.Parse(scheme + "://" + strings.ReplaceAll(host, "*", "x") + "/")
			if err != nil {
				continue
			}
			if by, err := proxy(&http.Request{URL: u}); err == nil && by == nil {
				direct = append(direct, host)
			} else {
				through = append(through, host)
			}
		}
	}
	return through, direct
}

// maxCertificates is the size in bytes above which a file is not taken for certificates.
const maxCertificates = 16 << 20

// systemDirs are the directories that are read where $SSL_CERT_DIR is not set, whatever $SSL_CERT_FILE says: those of crypto/x509 on Linux.
var systemDirs = []string{"/etc/ssl/certs", "/etc/pki/tls/certs"}

// Certificates checks the variables that say which certificate authorities are trusted.
func Certificates(e *env.Env) []Finding { return certificates(e, systemDirs) }

func certificates(e *env.Env, system []string) []Finding {
	var f findings
	systemOnly := runtime.GOOS == "windows" || runtime.GOOS == "darwin"
	file, dirs := e.Var("SSL_CERT_FILE"), e.Var("SSL_CERT_DIR")
	if systemOnly && (file != "" || dirs != "") {
		f.note("$SSL_CERT_FILE and $SSL_CERT_DIR are not read on this system", "add the certificate to the system's store")
		return f
	}
	if file != "" {
		from := filepath.SplitList(dirs)
		if dirs == "" {
			from = system
		}
		f.certificates(e, file, slices.ContainsFunc(from, func(dir string) bool { return certificatesIn(e, dir) > 0 }))
	}
	if dirs != "" {
		found := 0
		for _, dir := range filepath.SplitList(dirs) {
			if _, err := os.ReadDir(dir); err != nil {
				f.warn(fmt.Sprintf("$SSL_CERT_DIR names %s, which cannot be read", e.Display(dir)), "correct or unset it")
				continue
			}
			found += certificatesIn(e, dir)
		}
		if found == 0 {
			f.warn("there is no certificate in $SSL_CERT_DIR", "correct or unset it")
		} else {
			f.ok("$SSL_CERT_DIR has %s", count(found, "certificate"))
		}
	}
	for _, name := range []string{"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO"} {
		if v := e.Var(name); v != "" && file == "" && dirs == "" && !systemOnly {
			f.note(fmt.Sprintf("$%s names certificates for other programs; this one does not read it", name), "where servers here need them: export SSL_CERT_FILE=FILE, with the system's own in it, too")
		}
	}
	if len(f) == 0 {
		f.ok("the system's authorities are trusted: neither SSL_CERT_FILE nor SSL_CERT_DIR is set")
	}
	return f
}

// certificates checks the file that $SSL_CERT_FILE names. others says that directories have certificates: they are trusted beside those in the file.
func (f *findings) certificates(e *env.Env, path string, others bool) {
	level, then := Broken, ": no server is trusted"
	if others {
		level, then = Warning, ": nothing is trusted because of it, only what is in directories of certificates"
	}
	bad := func(text, fix string) { *f = append(*f, Finding{Level: level, Text: text + then, Fix: fix}) }
	shown := e.Display(path)
	data, _, err := e.ReadFile(path, maxCertificates)
	if err != nil {
		bad(fmt.Sprintf("$SSL_CERT_FILE names %s, which cannot be read (%s)", shown, err), "correct or unset it")
		return
	}
	good, expired, malformed := parseCertificates(e, data)
	switch {
	case good == 0 && expired > 0:
		bad(fmt.Sprintf("all certificates in $SSL_CERT_FILE (%s) have expired", shown), "get the authority's new one; is this machine's clock right?")
	case good == 0:
		bad(fmt.Sprintf("there is no certificate in $SSL_CERT_FILE (%s)", shown), "it takes PEM (-----BEGIN CERTIFICATE-----); for DER: openssl x509 -inform der -in FILE -out FILE.pem")
	case malformed > 0:
		f.warn(fmt.Sprintf("%s of $SSL_CERT_FILE (%s) cannot be read, and %d can", count(malformed, "certificate"), shown, good), "get the file anew")
	case expired > 0:
		f.note(fmt.Sprintf("$SSL_CERT_FILE (%s) has %s, and %d expired", shown, count(good, "certificate"), expired), "remove the expired ones, or get the file anew")
	default:
		f.ok("$SSL_CERT_FILE (%s) has %s", shown, count(good, "certificate"))
	}
}

// certificatesIn counts the valid certificates in the files of a directory.
func certificatesIn(e *env.Env, dir string) (found int) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	for _, d := range list {
		if data, _, err := e.ReadFile(filepath.Join(dir, d.Name()), maxCertificates); err == nil {
			good, _, _ := parseCertificates(e, data)
			found += good
		}
	}
	return found
}

func parseCertificates(e *env.Env, data []byte) (good, expired, malformed int) {
	now := e.Now()
	for len(data) > 0 {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		switch c, err := x509.ParseCertificate(block.Bytes); {
		case err != nil:
			malformed++
		case now.After(c.NotAfter):
			expired++
		default:
			good++
		}
	}
	return good, expired, malformed
}
