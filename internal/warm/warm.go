// Package warm answers a "get" from the agent's memory before the rest of the program starts.
//
// A build tool starts the program once per URL, and mostly the answer is there. Starting all of the program (an HTTP client, TLS, a D-Bus
// client) costs half as much again as an empty Go program does; a hit needs none of that. Go initializes packages in the order of their
// dependencies, and of those that are ready in the order of their names. What this package imports is package syscall, and little that is
// initialized at all, so it comes right behind that: before package os, the clock and all the rest. Its initialization asks the agent,
// and where the answer is there, writes it and ends the process.
//
// It does nothing of its own: where things are, is package place's business; whether what the answer was made from is unchanged, is that
// of package inputs; what the answer is, the agent decides by the same code that runs without it. Whatever is not plain and simple here
// (another command, logging, another cache, a request that is not one short JSON object, no agent, a miss) is left to the rest of the program,
// which finds what was read of standard input in [Consumed].
package warm

// Consumed is what was read of standard input.
var Consumed []byte

// Hung reports that the agent did not answer in time, so that it is not asked again in this run.
var Hung bool
