package peertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// NginxBasic starts nginx in front of the files below root, which it gives to its users (name → password) alone,
// and returns its host and port, "127.0.0.1:41234". It is asked by plain HTTP, and ends with the test.
func NginxBasic(t testing.TB, users map[string]string, root string) string {
	t.Helper()
	program := Require(t, "nginx", "apt-get install nginx-light")
	dir := t.TempDir()
	passwords := passwordFile(t, users)
	// Without a master the program is one process, which is ended by its id. It keeps its user, who may read the test's files:
	// where that is root, it has to be told to.
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	return onIPv4(serve(t, func(addr string) []string {
		var temporary strings.Builder
		for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			fmt.Fprintf(&temporary, "\t%s_temp_path %q;\n", kind, filepath.Join(dir, kind))
		}
		config := fmt.Sprintf(`daemon off;
master_process off;
%s
pid %q;
error_log stderr;
events {}
http {
%s	access_log off;
	types { text/html html; }
	default_type application/octet-stream;
	server {
		listen %s;
		root %q;
		index index.html;
		auth_basic "private";
		auth_basic_user_file %q;
	}
}
`, user, filepath.Join(dir, "pid"), temporary.String(), onIPv4(addr), root, passwords)
		path := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{program, "-p", dir, "-e", "stderr", "-c", path}
	}))
}
