//go:build !race

package boundtest

// racing says that the race detector runs, which takes memory and time that no parser accounts for.
const racing = false
