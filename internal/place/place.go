// Package place says where the program's files are: the workspace, the configuration files, the directory and socket of the agent.
//
// On Linux it does not import package os, because the path of a hit goes through it before that is initialized (see package warm).
// A test there holds that.
package place

// Names of the variables that say where things are.
const (
	VarConfigFile = "CREDENTIAL_HELPER_CONFIG_FILE"
	VarWorkspace  = "CREDENTIAL_HELPER_WORKSPACE_DIRECTORY"
	VarSocket     = "CREDENTIAL_HELPER_AGENT_SOCKET"
)

// WorkspaceFile is the name of the configuration file at the root of a workspace.
const WorkspaceFile = ".tweag-credential-helper.json"

// A Getenv looks up an environment variable, as os.LookupEnv does.
type Getenv func(name string) (string, bool)

// Var returns the value of a variable, and "" for one that is not set.
func (get Getenv) Var(name string) string {
	v, _ := get(name)
	return v
}

// workspaceMarkers are the files that make a directory the root of a Bazel workspace: https://bazel.build/external/overview#repository
var workspaceMarkers = [...]string{"MODULE.bazel", "WORKSPACE", "WORKSPACE.bazel"}

// MaxLevels is how many directories are looked into, from the working directory upward. To look at a file takes the longer the deeper it is:
// a tree of thousands of directories, one in the other, would cost each run seconds.
const MaxLevels = 64

// Workspace returns the root of the Bazel workspace: the directory that CREDENTIAL_HELPER_WORKSPACE_DIRECTORY or, under `bazel run`,
// BUILD_WORKSPACE_DIRECTORY names; else the nearest one with a marker file, from dir upward, not further than [MaxLevels]; else dir itself.
func Workspace(get Getenv, dir string) string {
	for _, name := range []string{VarWorkspace, "BUILD_WORKSPACE_DIRECTORY"} {
		if v := get.Var(name); v != "" {
			return absolute(dir, v)
		}
	}
	at := dir
	for level := 0; at != "" && level < MaxLevels; level++ {
		for _, marker := range workspaceMarkers {
			if dir, there := look(Join(at, marker)); there && !dir {
				return at
			}
		}
		up := Dir(at)
		if up == at {
			break
		}
		at = up
	}
	return dir
}

// ConfigFiles returns the configuration files that are looked for where CREDENTIAL_HELPER_CONFIG_FILE names none:
// the workspace's, and then the user's. Either may not exist.
func ConfigFiles(workspace, configDir string) []string {
	var paths []string
	if workspace != "" {
		paths = append(paths, Join(workspace, WorkspaceFile))
	}
	if configDir != "" {
		paths = append(paths, Join(configDir, "credential-helper", "config.json"))
	}
	return paths
}

// Context is what an answer depends on beside the variables and files that it was made from: from where relative names begin.
func Context(home, workspace, dir string) string { return home + "\x00" + workspace + "\x00" + dir }

// RunDir returns the directory of the agent's socket, log and locks: "credential-helper" in $XDG_RUNTIME_DIR, where that is a directory,
// else "run" below "credential-helper" in the user's cache directory. It is "" where there is neither.
func RunDir(get Getenv, cacheDir string) string {
	if v := get.Var("XDG_RUNTIME_DIR"); IsAbs(v) {
		if dir, _ := look(v); dir {
			return Join(v, "credential-helper")
		}
	}
	if cacheDir != "" {
		return Join(cacheDir, "credential-helper", "run")
	}
	return ""
}

// Socket returns the agent's socket in its directory, and false where that path is longer than the system takes.
func Socket(runDir string) (string, bool) {
	path := Join(runDir, "agent.sock")
	return path, runDir != "" && FitsSocket(path)
}

// FitsSocket reports whether path can be that of a Unix socket: sun_path of sockaddr_un, with the closing NUL.
func FitsSocket(path string) bool { return len(path) < maxSocketPath }

// Build identifies an executable, so that client and agent know whether they are the same program.
// The one that is installed later has the greater time.
type Build struct {
	ModTime int64 // in nanoseconds since 1970
	Size    int64
}

// String returns the form in which a Build goes over the wire: 16 bytes.
func (b Build) String() string {
	var text [16]byte
	for i := range 8 {
		text[i], text[8+i] = byte(b.ModTime>>(8*i)), byte(b.Size>>(8*i))
	}
	return string(text[:])
}

// ParseBuild reads what String wrote. Anything else is the zero Build.
func ParseBuild(s string) (b Build) {
	if len(s) != 16 {
		return Build{}
	}
	for i := range 8 {
		b.ModTime |= int64(s[i]) << (8 * i)
		b.Size |= int64(s[8+i]) << (8 * i)
	}
	return b
}
