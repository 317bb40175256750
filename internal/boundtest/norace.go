//go:build !race

package boundtest

const raced = false
