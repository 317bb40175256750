package peertest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
	"time"
)

const (
	// VarBazelRoot names the variable that holds the path of a Debian root directory with Bazel in it. CONTRIBUTING.md says how to make one.
	VarBazelRoot = "BAZEL_ROOT"
	// varInside is set where a test runs in the namespaces that WithBazel makes.
	varInside = "PEERTEST_INSIDE"

	bazelLimit   = 3 * time.Minute // one command
	bazelInRoot  = "usr/bin/bazel"
	bazelTimeout = 10 * time.Minute // a whole test, unless go test gives it less
)

// A Bazel is a workspace, and the Bazel that works in it.
type Bazel struct {
	// Workspace is the workspace's directory. It has a .bazelrc that makes Bazel do without a registry of modules,
	// and without the cache that knows downloads by their checksum.
	Workspace string

	t         testing.TB
	dir, root string
}

// workspaceRC keeps Bazel off the network, and its output off the terminal's arts.
const workspaceRC = `common --noenable_bzlmod --enable_workspace
common --repository_cache=
common --noshow_progress --color=no --curses=no
`

// WithBazel runs test with a real Bazel where BAZEL_ROOT names a root directory that has one. Elsewhere t is skipped, whatever REQUIRE_PEERS says.
//
// The test is run in a process of its own, in which nothing of the network is there but loopback: t starts the test executable
// again for itself alone, in private namespaces of mounts, processes and network. When that process ends, so does every process
// that it started, Bazel's server too, and what was mounted is gone. This needs root. Test is to be the whole of t, which is no subtest.
func WithBazel(t *testing.T, test func(t *testing.T, b *Bazel)) {
	t.Helper()
	root := os.Getenv(VarBazelRoot)
	switch {
	case root == "":
		t.Skipf("needs Bazel; set %s to the path of a Debian root directory with the package bazel-bootstrap in it (CONTRIBUTING.md says how to make one)", VarBazelRoot)
	case runtime.GOOS != "linux":
		t.Skipf("%s is for Linux", VarBazelRoot)
	}
	root, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, bazelInRoot)); err != nil {
		t.Fatalf("%s: %v", VarBazelRoot, err)
	}
	if os.Getenv(varInside) == "" {
		isolate(t, root)
		return
	}
	test(t, newBazel(t, root))
}

// insideScript gives a process in new namespaces the network's loopback, and makes the root directory usable. Then it runs a command,
// and stays, as the first process there, to bury those that lost their parents.
const insideScript = `set -e
root=$1 tmp=$2
shift 2
ip link set lo up
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mkdir -p "$root$tmp"
mount --rbind "$tmp" "$root$tmp"
set +e
"$@"
exit $?
`

// isolate runs t again, alone, in new namespaces.
func isolate(t *testing.T, root string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatalf("%s is set, and chroot needs root: run the test as root, or unset it", VarBazelRoot)
	}
	unshare := Require(t, "unshare", "apt-get install util-linux")
	Require(t, "ip", "apt-get install iproute2")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tmp, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	// Whatever becomes of the process inside, its files are removed here.
	dir, err := os.MkdirTemp(tmp, "bazel")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	deadline := time.Now().Add(bazelTimeout)
	if limit, ok := t.Deadline(); ok && limit.Before(deadline) {
		deadline = limit
	}
	// The kernel ends all processes of a namespace with its first one, and --kill-child ends that one with unshare.
	ctx, cancel := context.WithDeadline(context.Background(), deadline.Add(-5*time.Second))
	defer cancel()
	cmd := exec.CommandContext(ctx, unshare, "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", insideScript, "sh", root, tmp,
		self, "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.count=1", "-test.v", "-test.timeout=0")
	cmd.Env = append(os.Environ(), varInside+"=1", "TMPDIR="+dir)
	cmd.WaitDelay = 5 * time.Second
	tether(cmd)
	output, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		t.Fatalf("it took too long; until then:\n%s", output)
	case err != nil:
		t.Fatalf("%v\n%s", err, output)
	}
	t.Logf("%s", output)
}

func newBazel(t *testing.T, root string) *Bazel {
	t.Helper()
	dir := t.TempDir()
	b := &Bazel{Workspace: filepath.Join(dir, "workspace"), t: t, dir: dir, root: root}
	t.Cleanup(func() {
		if r := b.Run(nil, "shutdown"); r.Code != 0 {
			t.Errorf("bazel shutdown: %+v", r)
		}
	})
	for _, sub := range []string{"workspace", "home", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.Write(".bazelrc", workspaceRC, 0o644)
	return b
}

// Write writes a file below the workspace.
func (b *Bazel) Write(name, text string, mode os.FileMode) {
	b.t.Helper()
	path := filepath.Join(b.Workspace, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), mode)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// Run runs a Bazel command in the workspace. env is added to an environment that has nothing of the test's.
// The files of the temporary directory are at the same paths for it.
func (b *Bazel) Run(env []string, command string, args ...string) Result {
	b.t.Helper()
	argv := []string{
		"chroot", b.root, "env", "-i", "-C", b.Workspace,
		"HOME=" + filepath.Join(b.dir, "home"), "USER=root", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8",
	}
	argv = append(argv, env...)
	argv = append(argv, "bazel", "--nohome_rc", "--output_user_root="+filepath.Join(b.dir, "out"),
		"--host_jvm_args=-XX:-UsePerfData", "--host_jvm_args=-Djava.io.tmpdir="+filepath.Join(b.dir, "tmp"), command)
	start := time.Now()
	r := runFor(b.t, bazelLimit, "/", nil, append(argv, args...), "")
	b.t.Logf("bazel %s %q: exit status %d after %v", command, args, r.Code, time.Since(start).Round(10*time.Millisecond))
	return r
}
