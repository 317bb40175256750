package inputs

import "syscall"

// changeTime is when the file's content or attributes last changed, in nanoseconds. Unlike the modification time it cannot be set back.
func changeTime(st *syscall.Stat_t) int64 { return st.Ctim.Nano() }
