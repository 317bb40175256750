package doctor

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"runtime/debug"
)

const (
	// buildInfoMagic begins what the linker puts into an executable about its build, at a multiple of buildInfoAlign:
	// https://pkg.go.dev/debug/buildinfo, which is not used because it links what reads every format of executables.
	buildInfoMagic = "\xff Go buildinf:"
	buildInfoAlign = 16
	buildInfoSize  = 32 // of the header; two strings follow, each behind its length
	// maxExecutable is the size in bytes above which an executable is not looked through.
	maxExecutable = 256 << 20
)

// readBuildInfo returns what the Go toolchain (1.18 and later) recorded in an executable. ok is false for other programs.
func readBuildInfo(path string) (info *debug.BuildInfo, ok bool) {
	stat, err := os.Stat(path)
	if err != nil || !stat.Mode().IsRegular() || stat.Size() > maxExecutable {
		return nil, false
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	// Read in pieces that overlap by more than a record: it is small.
	const piece, overlap = 4 << 20, 256 << 10
	buf := make([]byte, piece)
	for at := int64(0); at < stat.Size(); at += piece - overlap {
		n, err := f.ReadAt(buf, at)
		if err != nil && err != io.EOF {
			return nil, false
		}
		if info, ok := findBuildInfo(buf[:n]); ok {
			return info, true
		}
	}
	return nil, false
}

func findBuildInfo(data []byte) (*debug.BuildInfo, bool) {
	for from := 0; ; {
		i := bytes.Index(data[from:], []byte(buildInfoMagic))
		if i < 0 {
			return nil, false
		}
		at := from + i
		from = at + 1
		const inline = 2 // a flag: the strings follow
		if at%buildInfoAlign != 0 || len(data) < at+buildInfoSize || data[at+15]&inline == 0 {
			continue
		}
		_, rest, ok := cutString(data[at+buildInfoSize:])
		if !ok {
			continue
		}
		text, _, ok := cutString(rest)
		// 16 bytes on each side of the text make it easy to find in memory.
		if !ok || len(text) < 33 || text[len(text)-17] != '\n' {
			continue
		}
		if info, err := debug.ParseBuildInfo(string(text[16 : len(text)-16])); err == nil {
			return info, true
		}
	}
}

func cutString(data []byte) (s, rest []byte, ok bool) {
	n, size := binary.Uvarint(data)
	if size <= 0 || n > uint64(len(data)-size) {
		return nil, nil, false
	}
	return data[size : size+int(n)], data[size+int(n):], true
}
