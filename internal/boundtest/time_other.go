//go:build !unix

package boundtest

import "time"

var start = time.Now()

func processorTime() time.Duration { return time.Since(start) }
