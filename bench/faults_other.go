//go:build !linux

package main

import (
	"context"
	"errors"
	"io"
	"time"
)

type faultPlan struct {
	gets, atOnce int
	seed         uint64
	only         string
}

type soakPlan struct {
	length  time.Duration
	share   float64
	entries int
	seed    uint64
}

var errLinux = errors.New("-faults and -soak look into /proc, which only Linux has")

func faults(context.Context, io.Writer, faultPlan) (bool, error) { return false, errLinux }

func soak(context.Context, io.Writer, soakPlan) (bool, error) { return false, errLinux }

func ownMounts() (exit int, done bool) { return 0, false }
