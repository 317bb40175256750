package warm

import (
	"errors"
	"syscall"

	"github.com/fe055d52/credential-helper/cache/wire"
	"github.com/fe055d52/credential-helper/internal/inputs"
	"github.com/fe055d52/credential-helper/internal/place"
)

const (
	// maxRequest is the size in bytes of the longest request that is looked at here.
	maxRequest = 4 << 10
	// stdinPatience is how long standard input may take to have something to read.
	stdinPatience = 50 // ms
	// agentPatience is how long the agent may take for its reply.
	agentPatience = 100 // ms
)

// request is what Consumed is a part of. A variable takes less time than memory that has to be asked for.
var request [maxRequest]byte

func init() {
	if !isGet() {
		return
	}
	if answer := hit(syscall.Getenv); answer != "" {
		status := 0
		if err := write(1, answer); err != nil {
			_ = write(2, "credential-helper: writing the answer: "+err.Error()+"\n")
			status = 1
		}
		syscall.Exit(status)
	}
}

// isGet reports whether the program was called with the one argument "get". Its arguments are in package os, which is not there yet.
func isGet() bool {
	fd, err := syscall.Open("/proc/self/cmdline", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	var line [512]byte // of a program with a longer path the rest takes care
	n, err := syscall.Read(fd, line[:])
	_ = syscall.Close(fd)
	if err != nil || n == len(line) {
		return false
	}
	name := 0
	for name < n && line[name] != 0 {
		name++
	}
	return name < n && string(line[name:n]) == "\x00get\x00"
}

// write writes all of text, also to a descriptor that does not wait by itself.
func write(fd int, text string) error {
	for b := []byte(text); len(b) > 0; {
		n, err := syscall.Write(fd, b)
		switch err {
		case nil:
			b = b[n:]
		case syscall.EINTR:
		case syscall.EAGAIN:
			var set syscall.FdSet
			set.Bits[0] = 1 << fd
			if _, err := syscall.Select(fd+1, nil, &set, nil, nil); err != nil && err != syscall.EINTR {
				return err
			}
		default:
			return err
		}
	}
	return nil
}

// workingDir is os.Getwd.
func workingDir() (string, error) {
	if pwd, _ := syscall.Getenv("PWD"); place.IsAbs(pwd) {
		var dot, st syscall.Stat_t
		if err := syscall.Stat(".", &dot); err != nil {
			return "", err
		}
		if syscall.Stat(pwd, &st) == nil && st.Dev == dot.Dev && st.Ino == dot.Ino {
			return pwd, nil
		}
	}
	return syscall.Getwd()
}

// userDir is os.UserConfigDir and os.UserCacheDir: the directory that a variable of the XDG names, else one in the home directory.
func userDir(get place.Getenv, name, inHome string) string {
	dir := get.Var(name)
	switch home := get.Var("HOME"); {
	case dir == "" && home != "":
		return home + inHome
	case !place.IsAbs(dir):
		return ""
	}
	return dir
}

// hit returns the answer, or "" where it is not to be had here.
func hit(get place.Getenv) string {
	for _, name := range []string{"CREDENTIAL_HELPER_STANDALONE", "CREDENTIAL_HELPER_CACHE", "CREDENTIAL_HELPER_LOGGING", "CREDENTIAL_HELPER_TIMEOUT"} {
		if get.Var(name) != "" {
			return ""
		}
	}
	socket := get.Var(place.VarSocket)
	if socket == "" {
		var ok bool
		if socket, ok = place.Socket(place.RunDir(get, userDir(get, "XDG_CACHE_HOME", "/.cache"))); !ok {
			return ""
		}
	}
	if !place.IsAbs(socket) || !private(place.Dir(socket)) {
		return ""
	}
	question, ok := ask(get)
	if !ok {
		return ""
	}
	reply, err := roundTrip(socket, question)
	if err != nil {
		Hung = errors.Is(err, syscall.EAGAIN)
		return ""
	}
	switch {
	case reply.Op == wire.Answer && len(reply.Fields) == 1:
		return reply.Fields[0]
	case reply.Op == wire.Hit && len(reply.Fields) >= 2 && len(reply.Fields)%3 == 2:
		salt := inputs.Salt(reply.Fields[1])
		for f := reply.Fields[2:]; len(f) > 0; f = f[3:] {
			if in := (inputs.Input{Kind: f[0], Name: f[1], Sum: f[2]}); !in.Unchanged(salt, get) {
				return ""
			}
		}
		return reply.Fields[0]
	}
	return ""
}

// ask reads the request and puts what the agent needs to know beside it.
func ask(get place.Getenv) (wire.Message, bool) {
	dir, err := workingDir()
	if err != nil {
		return wire.Message{}, false
	}
	home := get.Var("HOME")
	if home != "" && !place.IsAbs(home) {
		return wire.Message{}, false // it counts for nothing, and the directories below it too
	}
	workspace := place.Workspace(get, dir)
	flags := ""
	if get.Var("CREDENTIAL_HELPER_GUESS_OCI_REGISTRY") == "1" {
		flags = "g"
	}
	var files []string
	if named := get.Var(place.VarConfigFile); named != "" {
		// A file that is named must be there, and may be named by a prefix: errors are for the rest of the program.
		if !place.IsAbs(named) || inputs.Stat(named) == "-" {
			return wire.Message{}, false
		}
		files, flags = []string{place.Clean(named)}, flags+"n"
	} else {
		files = place.ConfigFiles(workspace, userDir(get, "XDG_CONFIG_HOME", "/.config"))
	}
	uri, ok := readURI()
	if !ok {
		return wire.Message{}, false
	}
	m := wire.Message{Op: wire.Ask, Fields: []string{place.ThisBuild().String(), uri, flags, place.Context(home, workspace, dir)}}
	for _, path := range files {
		m.Fields = append(m.Fields, path, inputs.Stat(path))
	}
	return m, true
}

// readURI reads a request that is there at once: {"uri": "…"} without escapes and other properties.
func readURI() (uri string, ok bool) {
	var set syscall.FdSet
	set.Bits[0] = 1 // standard input
	timeout := syscall.NsecToTimeval(stdinPatience * 1e6)
	if n, err := syscall.Select(1, &set, nil, nil, &timeout); err != nil || n != 1 {
		return "", false
	}
	n, err := syscall.Read(0, request[:])
	if err != nil || n <= 0 {
		return "", false
	}
	Consumed = request[:n]
	return parseURI(string(Consumed))
}

// parseURI reads the plainest form of a request.
func parseURI(text string) (uri string, ok bool) {
	for _, word := range [...]string{"{", `"uri"`, ":", `"`} {
		text = skipSpace(text)
		if len(text) < len(word) || text[:len(word)] != word {
			return "", false
		}
		text = text[len(word):]
	}
	end := 0
	for ; end < len(text) && text[end] != '"'; end++ {
		if text[end] < 0x20 || text[end] == '\\' || text[end] >= 0x7f {
			return "", false
		}
	}
	if end == len(text) {
		return "", false
	}
	rest := skipSpace(text[end+1:])
	return text[:end], rest != "" && rest[0] == '}' && skipSpace(rest[1:]) == ""
}

func skipSpace(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t' || s[0] == '\r' || s[0] == '\n') {
		s = s[1:]
	}
	return s
}

// late reports whether the time is up that began when it was called first. A clock that is set ends it.
func (r *reader) late() bool {
	var now syscall.Timeval
	if syscall.Gettimeofday(&now) != nil {
		return true
	}
	if r.began == (syscall.Timeval{}) {
		r.began = now
	}
	took := (now.Nano() - r.began.Nano()) / 1e6
	return took < 0 || took > agentPatience
}

// private reports whether the agent's directory is the user's alone.
func private(dir string) bool {
	var st syscall.Stat_t
	return syscall.Lstat(dir, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFDIR && st.Mode&0o077 == 0 && int(st.Uid) == syscall.Geteuid()
}

// roundTrip sends a request to the agent and reads its reply. The error is EAGAIN where that takes too long.
func roundTrip(socket string, m wire.Message) (wire.Message, error) {
	frame := wire.Append(nil, m)
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return wire.Message{}, err
	}
	defer syscall.Close(fd)
	timeout := syscall.NsecToTimeval(agentPatience * 1e6)
	for _, option := range []int{syscall.SO_RCVTIMEO, syscall.SO_SNDTIMEO} {
		if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, option, &timeout); err != nil {
			return wire.Message{}, err
		}
	}
	if err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: socket}); err != nil {
		return wire.Message{}, err
	}
	cred, err := syscall.GetsockoptUcred(fd, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	if err != nil || int(cred.Uid) != syscall.Geteuid() {
		return wire.Message{}, syscall.EPERM
	}
	for len(frame) > 0 {
		n, err := syscall.Write(fd, frame)
		if err != nil {
			return wire.Message{}, err
		}
		frame = frame[n:]
	}
	return wire.Read(&reader{fd: fd})
}

// reader reads from the agent's socket. That has a time limit for each read; a reply comes in two, mostly, and one that comes in many little pieces
// has no more time than agentPatience from the third on.
type reader struct {
	fd, reads int
	began     syscall.Timeval
}

func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.reads++; r.reads > 2 && r.late() {
			return 0, syscall.EAGAIN
		}
		n, err := syscall.Read(r.fd, p)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, err
		case n == 0:
			return 0, syscall.ECONNRESET
		default:
			return n, nil
		}
	}
}
