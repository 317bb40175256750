package cache

import "time"

// uptime returns for how long the machine runs, by the clock that nobody sets and that goes on while the machine sleeps; 0 where that is not known.
// A time without a monotonic reading is not the system's, but a test's: of that it knows nothing.
func uptime(now time.Time) time.Duration {
	if now == now.Round(0) {
		return 0
	}
	return sinceBoot()
}
