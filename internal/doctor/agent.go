package doctor

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/fe055d52/credential-helper/internal/env"
)

// An Agent is what was found out about the process that keeps answers.
type Agent struct {
	// Off says why none is wanted: "$CREDENTIAL_HELPER_STANDALONE is set".
	Off string
	// Dir is the directory of its socket.
	Dir string
	// Err is why it was not reached; NotRunning says that this is because there is none.
	Err        error
	NotRunning bool

	PID, Entries int
	Uptime       time.Duration
	// SameBuild says that it is of this executable; Built is when its own was made.
	SameBuild bool
	Built     string
}

// CheckAgent judges what was found out. The agent is never needed: what is wrong with it makes answers slow, not wrong.
func CheckAgent(e *env.Env, a Agent) []Finding {
	var f findings
	if a.Off != "" {
		f.ok("not wanted: %s", a.Off)
		return f
	}
	if info, err := os.Lstat(a.Dir); a.Dir != "" && err == nil {
		switch {
		case !info.IsDir():
			f.warn(e.Display(a.Dir)+" is not a directory: answers are not kept", "remove it")
			return f
		case !owned(info):
			f.warn(e.Display(a.Dir)+" belongs to another user: answers are not kept", "remove it, or set XDG_RUNTIME_DIR to a directory that only you can write")
			return f
		case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
			f.warn(fmt.Sprintf("%s is open to other users (mode %04o): answers are not kept", e.Display(a.Dir), info.Mode().Perm()), "chmod 700 "+shellPath(e, a.Dir))
			return f
		}
	}
	switch {
	case a.NotRunning:
		f.note("not running", "nothing to do: the first get that has something to keep starts it")
	case a.Err != nil && a.Dir == "":
		f.fail(Warning, fmt.Errorf("answers are not kept: %w", a.Err), fmt.Sprintf("set HOME or XDG_RUNTIME_DIR, or $%s to a path that is not too long", env.VarSocket))
	case a.Err != nil:
		f.fail(Warning, fmt.Errorf("answers are not kept: %w", a.Err), programName+" agent-logs tells more; answers are right without it, and slower")
	case !a.SameBuild:
		f.warn(fmt.Sprintf("process %d is of another build (of %s): the two do not share answers", a.PID, a.Built), programName+" agent-shutdown ends it; the next get starts one of its own build")
	default:
		f.ok("process %d, of this build, for %s, with %s", a.PID, a.Uptime, count(a.Entries, "answer"))
	}
	return f
}
