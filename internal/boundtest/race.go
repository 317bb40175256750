//go:build race

package boundtest

// raced says that the race detector is on. It makes everything ten times slower, and looks for something else: inputs are a part as long then.
const raced = true
