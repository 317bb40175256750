//go:build unix

package keyring

// modesCount says that permission bits decide who may read a file.
const modesCount = true
