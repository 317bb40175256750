//go:build !linux && !darwin && !windows

package cache

import "time"

func sinceBoot() time.Duration { return 0 }
