package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// tooLong is when a process is ended that does not end by itself.
const tooLong = 20 * time.Second

// A job is one process to be. Its pipes are laid and its request is written before any clock runs.
type job struct {
	path     string
	args     []string
	request  string
	started  func(*os.Process) // is told of the process; may be nil
	in       *os.File          // the reading end of standard input
	out, err [2]*os.File       // the reading and the writing ends

	wall     time.Duration
	cpu      time.Duration
	exit     int
	answer   string
	complain string // what came on standard error
	failure  error
}

func (j *job) prepare() (err error) {
	var w *os.File
	if j.in, w, err = os.Pipe(); err != nil {
		return err
	}
	_, err = io.WriteString(w, j.request)
	if closeErr := w.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	for _, pipe := range []*[2]*os.File{&j.out, &j.err} {
		if pipe[0], pipe[1], err = os.Pipe(); err != nil {
			return err
		}
	}
	return nil
}

// run starts the process and waits for it.
func (j *job) run(attr os.ProcAttr) {
	attr.Files = []*os.File{j.in, j.out[1], j.err[1]}
	began := time.Now()
	process, err := os.StartProcess(j.path, j.args, &attr)
	if err != nil {
		j.failure = err
		return
	}
	if j.started != nil {
		j.started(process)
	}
	stop := time.AfterFunc(tooLong, func() { _ = process.Kill() })
	state, err := process.Wait()
	j.wall = time.Since(began)
	stop.Stop()
	if j.failure = err; err == nil {
		j.cpu, j.exit = state.UserTime()+state.SystemTime(), state.ExitCode()
	}
}

// finish reads what the process wrote. An agent that it started has none of its pipes, so that they end with it; that they do not is a failure.
func (j *job) finish() {
	if j.in == nil {
		return
	}
	_ = j.in.Close()
	for pipe, text := range map[*[2]*os.File]*string{&j.out: &j.answer, &j.err: &j.complain} {
		if pipe[0] == nil {
			continue
		}
		_ = pipe[1].Close()
		_ = pipe[0].SetReadDeadline(time.Now().Add(5 * time.Second))
		data, err := io.ReadAll(pipe[0])
		if j.failure == nil {
			j.failure = err
		}
		*text = string(data)
		_ = pipe[0].Close()
	}
}

// A storm is a number of processes that were run together.
type storm struct {
	jobs []*job
	wall time.Duration // from the first start to the last end
}

// runTogether runs jobs, no more than limit of them at a time.
func runTogether(attr os.ProcAttr, jobs []*job, limit int) (storm, error) {
	s := storm{jobs: jobs}
	defer func() {
		for _, j := range jobs {
			j.finish()
		}
	}()
	for _, j := range jobs {
		if err := j.prepare(); err != nil {
			return s, fmt.Errorf("laying pipes: %w", err)
		}
	}
	began := time.Now()
	if limit == 1 {
		for _, j := range jobs {
			j.run(attr)
		}
	} else {
		next := make(chan *job, len(jobs))
		for _, j := range jobs {
			next <- j
		}
		close(next)
		var workers sync.WaitGroup
		for range min(limit, len(jobs)) {
			workers.Go(func() {
				for j := range next {
					j.run(attr)
				}
			})
		}
		workers.Wait()
	}
	s.wall = time.Since(began)
	return s, nil
}

// cpu is the time that the storm's processes spent on a processor.
func (s storm) cpu() (sum time.Duration) {
	for _, j := range s.jobs {
		sum += j.cpu
	}
	return sum
}

// failures counts the processes whose answer is not the one that was wanted.
func (s storm) failures(wanted func(*job) bool) (n int) {
	for _, j := range s.jobs {
		if j.failure != nil || j.exit != 0 || j.complain != "" || !wanted(j) {
			n++
		}
	}
	return n
}
