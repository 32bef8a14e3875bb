package config

import (
	"os"
	"strings"
	"testing"
)

// listenerA is a valid listener, for tests of mistakes elsewhere.
const listenerA = "listeners: {a: {bind: ':1', handler: {wasm: m.wasm}}}\n"

func TestWhatIsWrongInAFile(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"unknown key": {
			"listeners:\n  demo:\n    bind: :1\n    hander: {wasm: m.wasm}\n",
			`exgate.yaml:4: listeners.demo.hander: unknown key, did you mean "handler"?`,
		},
		"unknown key, nothing like it": {"zzzzzz: 1\n", "exgate.yaml:1: zzzzzz: unknown key"},
		"swapped letters":              {"ndoe: x\n", `exgate.yaml:1: ndoe: unknown key, did you mean "node"?`},
		"list for a section": {
			"log: [1]\n",
			"exgate.yaml:1: log: must be a section with format, level, not a list",
		},
		"text for a section": {
			"log: info\n",
			`exgate.yaml:1: log: must be a section with format, level, not the text "info"`,
		},
		"section for a text": {"node: {a: 1}\n", "exgate.yaml:1: node: must be text, not a section"},
		"number for a text":  {"node: 1.10\n", "exgate.yaml:1: node: must be text, not the number 1.10"},
		"node's name": {
			"node: 'a b'\n",
			`exgate.yaml:1: node: the node's name "a b" may contain letters, digits, '.', '-' and '_' only`,
		},
		"nothing for a text": {"node:\n", "exgate.yaml:1: node: has no value: it must be text"},
		"text for a flag": {
			"metrics: {public: yes}\n",
			`exgate.yaml:1: metrics.public: must be true or false, not the text "yes"`,
		},
		"unknown choice": {
			"log: {level: loud}\n",
			`exgate.yaml:1: log.level: must be debug, info, warn or error, not "loud"`,
		},
		"flag for a choice": {
			"log: {level: true}\n",
			"exgate.yaml:1: log.level: must be debug, info, warn or error, not true",
		},
		"duration without unit": {
			"shutdown_timeout: 10\n",
			`exgate.yaml:1: shutdown_timeout: must be a duration such as 500ms, 10s or 1m30s, not "10"`,
		},
		"bad duration": {
			"shutdown_timeout: soon\n",
			`exgate.yaml:1: shutdown_timeout: must be a duration such as 500ms, 10s or 1m30s, not "soon"`,
		},
		"negative duration": {
			"shutdown_timeout: -1s\n",
			"exgate.yaml:1: shutdown_timeout: must be above 0, not -1s",
		},
		"syntax": {
			"node: x\nlog: {level: info\nadapter: {}\n",
			"exgate.yaml:2: the brackets that open here are not closed properly: a comma, ] or } is missing",
		},
		"tabs": {"log:\n\tlevel: info\n", "exgate.yaml:2: is indented with a tab: YAML allows spaces only"},
		"unknown anchor": {
			"node: *x\n",
			`exgate.yaml:1: "*x" is a YAML alias, and no anchor above has that name: if it is text, put it in quotes`,
		},
		"duplicate key": {
			"node: a\nlog: {}\nnode: b\n",
			"exgate.yaml:3: node: is set twice, first on line 1",
		},
		"duplicate listener": {
			"listeners:\n  a: {bind: ':1', handler: {wasm: m.wasm}}\n  a: {bind: ':2', handler: {wasm: m.wasm}}\n",
			"exgate.yaml:3: listeners.a: is set twice, first on line 2",
		},
		"two documents": {"node: a\n---\nnode: b\n", "exgate.yaml:2: contains more than one document (---)"},
		"merge key": {
			"log: {<<: {level: info}}\n",
			"exgate.yaml:1: merge keys and keys that are not plain words are not supported",
		},
		"list": {"- a\n", "exgate.yaml:1: must be a section with adapter, listeners, log, " +
			"max_connections, max_queued_bytes, metrics, modules, modules_cache, node, pid_file, shutdown_timeout, " +
			"upgrade_timeout, upstream, not a list"},
		"listener's name": {
			"listeners: {A b: {}}\n",
			"exgate.yaml:1: listeners.A b: is not a valid name: use a-z, 0-9, - and _",
		},
		"no listener": {"listeners: {}\n", "exgate.yaml:1: listeners: is empty: add a listener, or remove the " +
			"section to get the demo"},
		"empty listener": {
			"listeners:\n  a:\n",
			"exgate.yaml:2: listeners.a: needs bind, the address that devices connect to, such as :7993\n" +
				"exgate.yaml:2: listeners.a: needs handler.wasm, the path of a module, " +
				"handler.script, the path of a script in " +
				"JavaScript, handler.module, the name of " +
				"one in the folder modules, or handler.grpc, the host:port of a handler service",
		},
		"both handlers": {
			"listeners:\n  a:\n    bind: :1\n    handler:\n      wasm: m.wasm\n      grpc: h:1\n",
			"exgate.yaml:6: listeners.a.handler.grpc: conflicts with listeners.a.handler.wasm " +
				"(exgate.yaml:5): remove one",
		},
		"neither handler": {
			"listeners:\n  a:\n    bind: :1\n    handler: {}\n",
			"exgate.yaml:2: listeners.a: needs handler.wasm, the path of a module, " +
				"handler.script, the path of a script in " +
				"JavaScript, handler.module, the name of one " +
				"in the folder modules, or handler.grpc, the host:port of a handler service",
		},
		"missing module": {
			"listeners:\n  a:\n    bind: :1\n    handler:\n      wasm: none.wasm\n",
			"exgate.yaml:5: listeners.a.handler.wasm: none.wasm: no such file or directory",
		},
		"module is a folder": {
			"listeners: {a: {bind: ':1', handler: {wasm: .}}}\n",
			"exgate.yaml:1: listeners.a.handler.wasm: . is a folder, not a file",
		},
		"module is a device": {
			"listeners: {a: {bind: ':1', handler: {wasm: /dev/zero}}}\n",
			"exgate.yaml:1: listeners.a.handler.wasm: /dev/zero is not a regular file",
		},
		"unknown builtin": {
			"listeners: {a: {bind: ':1', handler: {wasm: 'builtin:lin'}}}\n",
			`exgate.yaml:1: listeners.a.handler.wasm: no built-in module "lin": use builtin:line`,
		},
		"setting of the other handler": {
			"listeners: {a: {bind: ':1', handler: {grpc: 'h:1', limits: {fuel: 1}}}}\n",
			"exgate.yaml:1: listeners.a.handler.limits: does not belong to a grpc handler",
		},
		"timeout of a module": {
			"listeners: {a: {bind: ':1', handler: {wasm: m.wasm, timeout: 1s}}}\n",
			"exgate.yaml:1: listeners.a.handler.timeout: does not belong to a wasm handler",
		},
		"handler's address": {
			"listeners: {a: {bind: ':1', handler: {grpc: ':9001'}}}\n",
			`exgate.yaml:1: listeners.a.handler.grpc: must be host:port, not ":9001"`,
		},
		"listener's address": {
			"listeners: {a: {bind: '7993', handler: {wasm: m.wasm}}}\n",
			`exgate.yaml:1: listeners.a.bind: must be an address such as 127.0.0.1:1883 or :7993, not "7993"`,
		},
		"mountpoint": {
			"listeners: {a: {bind: ':1', mountpoint: 'a/#', handler: {wasm: m.wasm}}}\n",
			"exgate.yaml:1: listeners.a.mountpoint: must not contain + or #: it is prepended to topics",
		},
		"one address twice": {
			"listeners:\n  a: {bind: ':1', handler: {wasm: m.wasm}}\n  b: {bind: '127.0.0.1:1', handler: " +
				"{wasm: m.wasm}}\n",
			"exgate.yaml:3: listeners.b.bind: 127.0.0.1:1 is taken by listeners.a.bind (exgate.yaml:2)",
		},
		"the broker's address": {
			"listeners:\n  a: {bind: ':1883', handler: {wasm: m.wasm}}\n",
			"exgate.yaml:2: listeners.a.bind: :1883 is taken by upstream.embedded.bind (defaults)",
		},
		"both upstreams": {
			listenerA + "upstream:\n  url: mqtt://h\n  embedded: {bind: ':2'}\n",
			"exgate.yaml:4: upstream.embedded: conflicts with upstream.url (exgate.yaml:3): remove one",
		},
		"upstream's url": {
			"upstream: {url: 'tcp://u:secret@h:1'}\n",
			`exgate.yaml:1: upstream.url: must be like mqtt://host:1883, mqtts://host:8883, ws://host:8083/mqtt or ` +
				`wss://host:8084/mqtt, not "...@h:1"`,
		},
		"upstream's user": {
			"upstream: {url: 'mqtt://u:p@h'}\n",
			"exgate.yaml:1: upstream.url: must not contain a user: devices log in with their own credentials, and " +
				"upstream.username is for the gateway",
		},
		"upstream's address": {
			"upstream: {embedded: {bind: ''}}\n",
			"exgate.yaml:1: upstream.embedded.bind: must be an address such as 127.0.0.1:1883 or :7993, and is empty",
		},
		"users": {
			"upstream:\n  embedded: {auth_file: exgate.yaml}\n",
			`exgate.yaml:2: upstream.embedded.auth_file: exgate.yaml:1: unknown key "upstream": want ` +
				`anonymous, rules, users`,
		},
		"public metrics": {
			"metrics: {bind: ':9'}\n",
			"exgate.yaml:1: metrics.bind: :9 can be reached from other machines: bind to 127.0.0.1, or set " +
				"metrics.public: true",
		},
		"bad size": {
			"listeners: {a: {bind: ':1', handler: {wasm: m.wasm}, limits: {inbox_bytes: 4MB}}}\n",
			`exgate.yaml:1: listeners.a.limits.inbox_bytes: must be a number of bytes such as 65536 or ` +
				`64KiB, not "4MB"`,
		},
		"too small": {
			"listeners: {a: {bind: ':1', handler: {wasm: m.wasm}, limits: {max_calls: 0}}}\n",
			"exgate.yaml:1: listeners.a.limits.max_calls: must be at least 1, not 0",
		},
		"too large": {
			"listeners: {a: {bind: ':1', handler: {wasm: m.wasm, limits: {memory_pages: 65537}}}}\n",
			"exgate.yaml:1: listeners.a.handler.limits.memory_pages: must be at most 65536, not 65537",
		},
		"several": {
			"nod: 1\nlog: {level: 1}\nupstream: {url: x}\n",
			"exgate.yaml:1: nod: unknown key, did you mean \"node\"?\n" +
				"exgate.yaml:2: log.level: must be debug, info, warn or error, not the number 1\n" +
				`exgate.yaml:3: upstream.url: must be like mqtt://host:1883, mqtts://host:8883, ws://host:8083/mqtt ` +
				`or wss://host:8084/mqtt, not "x"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inFolder(t, test.file)
			_, err := Load(Sources{File: "exgate.yaml"})
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestWhatIsWrongInTheEnvironment(t *testing.T) {
	for variable, want := range map[string]string{
		"EXGATE_LOG__LEVL=info": `EXGATE_LOG__LEVL: log.levl: unknown key, did you mean "level"?`,
		"EXGATE_LOG_LEVEL=info": "EXGATE_LOG_LEVEL: log_level: unknown key, did you mean " +
			"EXGATE_LOG__LEVEL?",
		"EXGATE_LOG=info": "EXGATE_LOG: log: is a group of settings (format, level), not a value",
		"EXGATE_SHUTDOWN_TIMEOUT=5": `EXGATE_SHUTDOWN_TIMEOUT: shutdown_timeout: must be a duration such as 500ms, ` +
			`10s or 1m30s, not "5"`,
		"EXGATE_LISTENERS__DEMO__HANDLER__WASM=x": "EXGATE_LISTENERS__DEMO__HANDLER__WASM: " +
			"listeners.demo.handler.wasm: x: no such file or directory",
		"EXGATE_=x": "EXGATE_: unknown key",
	} {
		_, err := Load(Sources{Environ: []string{variable}})
		if err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", variable, err, want)
		}
	}
}

func TestWhatIsWrongInTheFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--log-level=loud": `--log-level: log.level: must be debug, info, warn or error, not "loud"`,
		"--set=nod=x":      `--set: nod: unknown key, did you mean "node"?`,
		"--set=node":       "--set: node: must be key=value",
		"--set=listeners.A.bind=:1": "--set: listeners.A.bind: is not a valid listener name: use " +
			"a-z, 0-9, - and _",
		"--set=node.x=1": "--set: node.x: unknown key",
	} {
		_, err := Load(Sources{Flags: flagsOf(t, strings.Fields(args)...)})
		if err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", args, err, want)
		}
	}
}

func TestUnreadableFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("large.yaml", make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"none.yaml":  "none.yaml: cannot be read: no such file or directory",
		".":          ".: cannot be read: it is a directory",
		"large.yaml": "large.yaml: is larger than 4 MiB: is it a configuration file?",
	} {
		if _, err := Load(Sources{File: name}); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}
