package main

import "github.com/fe055d52/credential-helper/internal/env"

var dockerSituations = []situation{
	{name: "no action"},
	{name: "an unknown action", args: []string{"gte"}, plain: true},
	{name: "two actions", args: []string{"get", "a.test"}, plain: true},
	{name: "get: nothing stored", args: []string{"get"}, stdin: "a.test\n", protocol: true},
	{name: "get: no server", args: []string{"get"}, stdin: "\n", protocol: true},
	{name: "get: a bad server", args: []string{"get"}, stdin: "a b\n", plain: true},
	{name: "get: a user's file with a mistake", args: []string{"get"}, stdin: "a.test\n", files: "-- .config/credential-helper/config.json --\n{\"urls\": [{\"host\": \"a.test\", \"helper\": \"oic\"}]}\n", plain: true},
	{
		name: "get: a value's variable, not set", args: []string{"get"}, stdin: "a.test\n",
		files: "-- .config/credential-helper/config.json --\n{\"urls\": [{\"host\": \"a.test\", \"helper\": \"registry\", \"config\": {\"token\": \"${TOKEN}\"}}]}\n",
	},
	{name: "get: a bad time limit", args: []string{"get"}, stdin: "a.test\n", vars: map[string]string{env.VarTimeout: "0"}, plain: true},
	{name: "store: not JSON", args: []string{"store"}, stdin: "a.test", plain: true},
	{name: "store: no server", args: []string{"store"}, stdin: `{"Username": "a", "Secret": "{CANARY}"}`, protocol: true},
	{name: "store: no user name", args: []string{"store"}, stdin: `{"ServerURL": "a.test", "Secret": "{CANARY}"}`, protocol: true},
	{name: "store: no keyring", args: []string{"store"}, stdin: `{"ServerURL": "a.test", "Username": "alice", "Secret": "{CANARY}"}`},
	{name: "store: a server that is none", args: []string{"store"}, stdin: `{"ServerURL": "a b", "Username": "alice", "Secret": "{CANARY}"}`, plain: true},
	{name: "list: a keyring without a key", args: []string{"list"}, vars: map[string]string{"CREDENTIAL_HELPER_KEYRING": "file"}},
}

var installSituations = []situation{
	{name: "nothing"},
	{name: "another client", args: []string{"podman"}},
	{name: "an unknown flag", args: []string{"docker", "--dryrun"}},
	{name: "an argument", args: []string{"docker", "now"}},
	{name: "a bad name", args: []string{"docker", "--name", "../x"}},
	{name: "a repository", args: []string{"docker", "--registry", "ghcr.io/org/app"}},
	{name: "a registry that is none", args: []string{"docker", "--registry", "a b"}},
	{name: "no home", args: []string{"docker", "--dry-run"}, vars: map[string]string{"HOME": ""}},
	{name: "a malformed configuration", args: []string{"docker"}, files: "-- .docker/config.json --\n{\n  \"auths\": {},\n  credsStore: \"x\"\n}\n"},
	{name: "a read-only configuration", args: []string{"docker"}, files: "-- .docker/config.json --\n{}\n", prepare: mode(".docker/config.json", 0o400)},
	{name: "a directory in its place", args: []string{"docker"}, files: "-- .docker/config.json/x --\n", plain: true},
	{name: "a login that is none", args: []string{"docker", "--import"}, files: "-- .docker/config.json --\n{\"auths\": {\"a.test\": {\"auth\": \"{CANARY}\"}}}\n"},
	{name: "a keyring that is not there", args: []string{"docker", "--import"}, files: "-- .docker/config.json --\n{\"auths\": {\"a.test\": {\"username\": \"alice\", \"password\": \"{CANARY}\"}}}\n"},
	{name: "two logins for one registry", args: []string{"docker", "--import"}, files: "-- .docker/config.json --\n{\"auths\": {\"a.test\": {\"username\": \"alice\", \"password\": \"{CANARY}\"}, \"https://a.test/v1/\": {\"username\": \"bob\", \"password\": \"{CANARY}\"}}}\n"},
}

var uninstallSituations = []situation{
	{name: "nothing"},
	{name: "another client", args: []string{"podman"}},
	{name: "a flag of install's", args: []string{"docker", "--import"}},
	{name: "a malformed configuration", args: []string{"docker"}, files: "-- .docker/config.json --\n[]\n"},
}

var keyringSituations = []situation{
	{name: "no service", stdin: "{CANARY}"},
	{name: "two services", args: []string{"a", "b"}, stdin: "{CANARY}"},
	{name: "a flag behind the service", args: []string{"a", "--read"}},
	{name: "an unknown flag", args: []string{"--raed", "a"}},
	{name: "read and clear", args: []string{"--read", "--clear", "a"}},
	{name: "a file to read", args: []string{"--file", "x", "--read", "a"}, plain: true},
	{name: "an empty secret", args: []string{"a"}, stdin: "\n"},
	{name: "a file that is missing", args: []string{"--file", "none", "a"}, plain: true},
	{name: "a directory for a file", args: []string{"--file", "{HOME}", "a"}, plain: true},
	{name: "store: no keyring", args: []string{"a"}, stdin: "{CANARY}"},
	{name: "read: no keyring", args: []string{"--read", "a"}},
	{name: "clear: no keyring", args: []string{"--clear", "a"}},
	{name: "read: no such entry", args: []string{"--read", "a"}, files: "-- pass --\n{CANARY}\n", vars: map[string]string{"CREDENTIAL_HELPER_KEYRING": "file", "CREDENTIAL_HELPER_KEYRING_FILE": "~/ring", "CREDENTIAL_HELPER_KEYRING_PASSPHRASE_FILE": "~/pass"}},
	{name: "a secret that never comes", args: []string{"a"}, stdin: "(open)", vars: map[string]string{env.VarTimeout: "50ms"}},
}

// withAgent are the variables for a situation in which the agent is used.
var withAgent = map[string]string{env.VarStandalone: ""}

// agentSituations are those of a command that asks the agent.
func agentSituations(flag string) []situation {
	return []situation{
		{name: "an unknown flag", args: []string{flag}},
		{name: "an argument", args: []string{"now"}},
		{name: "no agent", vars: withAgent},
	}
}

var (
	agentLaunchSituations = []situation{
		{name: "an unknown flag", args: []string{"--forground"}},
		{name: "an argument", args: []string{"now"}},
		{name: "no cache is wanted"},
		{name: "a bad idle time", args: []string{"--foreground"}, vars: map[string]string{env.VarStandalone: "", env.VarIdle: "long"}, plain: true},
		{name: "a bad time between prunings", args: []string{"--foreground"}, vars: map[string]string{env.VarStandalone: "", env.VarPrune: "1"}, plain: true},
		{name: "a file in the socket's place", args: []string{"--foreground"}, files: "-- s --\n", vars: map[string]string{env.VarStandalone: "", env.VarSocket: "{HOME}/s"}, plain: true},
	}
	agentLogsSituations = []situation{
		{name: "an argument", args: []string{"all"}},
		{name: "no log", vars: withAgent},
	}
	agentRawSituations = []situation{
		{name: "no request"},
		{name: "an unknown request", args: []string{"stats"}},
		{name: "no agent", args: []string{"status"}, vars: withAgent},
	}
)

// A URL that nobody asks, or that has a secret in it.
const (
	someURL   = "https://a.test/x"
	secretURL = "https://bob:{CANARY}@a.test/x?sig={CANARY}"
)

const brokenFile = `{"host": "a.test", "helper": "registry", "config": {"lookup_chain": [{"source": "file", "path": "~"}]}}`

var (
	checkSituations = []situation{
		{name: "no URL"},
		{name: "two URLs", args: []string{someURL, someURL}},
		{name: "an unknown flag", args: []string{"--jsn", someURL}},
		{name: "user info", args: []string{secretURL}, plain: true},
		{name: "gRPC", args: []string{"grpcs://a.test/"}, plain: true},
		{name: "all hosts of a domain", args: []string{"https://*.a.test/"}, plain: true},
		{name: "a tree that is none", args: []string{"--tree", "main", "https://github.com/o/r"}},
		{name: "a tree of no repository", args: []string{"--tree", "0123456789012345678901234567890123456789", someURL}, plain: true},
		{name: "a mistake in the configuration", args: []string{someURL}, config: `{"urls": [{"hots": "a.test"}]}`, plain: true},
		{name: "a broken source", args: []string{someURL}, rule: brokenFile, plain: true},
		{name: "plain HTTP", args: []string{"http://a.test/x"}, rule: `{"host": "a.test", "helper": "registry", "config": {"token": "{CANARY}"}}`},
	}
	explainSituations = []situation{
		{name: "no URL"},
		{name: "two URLs", args: []string{someURL, someURL}},
		{name: "an unknown flag", args: []string{"--of-line", someURL}},
	}
	initSituations = []situation{
		{name: "an argument", args: []string{"here"}},
		{name: "an unknown flag", args: []string{"--yess"}},
		{name: "yes and dry run", args: []string{"--yes", "--dry-run"}},
	}
	setupURISituations = []situation{
		{name: "no URL"},
		{name: "two URLs", args: []string{someURL, someURL}},
		{name: "user info", args: []string{secretURL}, plain: true},
		{name: "a mistake in the configuration", args: []string{someURL}, config: `{"urls": [{"hots": "a.test"}]}`, plain: true},
	}
)
