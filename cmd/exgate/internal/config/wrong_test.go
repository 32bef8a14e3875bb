package config

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Mistakes that people make in a file, and the complete messages.
func TestMistakesInAFile(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"tab": {
			"log:\n\tlevel: info\n",
			"exgate.yaml:2: is indented with a tab: YAML allows spaces only",
		},
		"tab in a list": {
			"listeners:\n  a:\n    publish_topics:\n\t- a\n",
			"exgate.yaml:4: is indented with a tab: YAML allows spaces only",
		},
		"tab behind spaces": {
			"log: {level: info}\nupstream:\n \tembedded: {}\n",
			"exgate.yaml:3: is indented with a tab: YAML allows spaces only",
		},
		"deeper than its neighbour": {
			"log:\n  level: info\n   format: text\n",
			"exgate.yaml:3: is indented further than line 2, which has a value already: indent both the same",
		},
		"between two levels": {
			"log:\n  level: info\n format: text\n",
			"exgate.yaml:3: is indented by 1 space, unlike every setting above it: those are indented by 0 or 2 spaces",
		},
		"between two levels, deeper": {
			"listeners:\n  a:\n    bind: \":1\"\n    handler:\n      wasm: m.wasm\n     config: x\n",
			"exgate.yaml:6: is indented by 5 spaces, unlike every setting above it: those are indented by 0, " +
				"2, 4 or 6 spaces",
		},
		"between two levels, many lines later": {
			"listeners:\n  a:\n    bind: \":1\"\n\n    # the module\n    handler:\n      wasm: m.wasm\n    limits:\n " +
				"     max_calls: 1\n   idle_timeout: 1s\n",
			"exgate.yaml:10: is indented by 3 spaces, unlike every setting above it: those are indented by 0, " +
				"2, 4 or 6 spaces",
		},
		"list item between levels": {
			"listeners:\n  a:\n    publish_topics:\n      - a\n     - b\n",
			"exgate.yaml:5: is indented by 5 spaces, unlike every setting above it: those are indented by 0, " +
				"2, 4 or 6 spaces",
		},
		"first line indented": {
			"  log: {level: info}\nnode: x\n",
			"exgate.yaml:2: is not indented, unlike every setting above it: those are indented by 2 spaces",
		},
		"no space behind the colon": {
			"listeners:\n  a:\n    bind:\":7993\"\n    handler: {wasm: m.wasm}\n",
			"exgate.yaml:3: has no space after the colon: write bind: \":7993\"",
		},
		"no space behind the last colon": {
			"listeners:\n  a:\n    handler: {wasm: m.wasm}\n    bind:\":7993\"\n",
			"exgate.yaml:4: has no space after the colon: write bind: \":7993\"",
		},
		"no space behind the only colon": {
			"node:x\n",
			"exgate.yaml:1: has no space after the colon: write node: x",
		},
		"no space in brackets": {
			"listeners: {a: {bind:\":7993\", handler: {wasm: m.wasm}}}\n",
			"exgate.yaml:1: listeners.a.bind:\":7993\": has no space after the colon: write bind: \":7993\"",
		},
		"no space in a section": {
			"log:\n  level:info\n",
			"exgate.yaml:2: log: has no space after the colon: write level: info",
		},
		"no colon": {
			"node x\nlog: {}\n",
			"exgate.yaml:1: has no colon after the name of the setting: write name: value",
		},
		"no colon in the last line": {
			"log: {}\nnode\n",
			"exgate.yaml:2: has no colon after the name of the setting: write name: value",
		},
		"second colon": {
			"log:\n  level: info: debug\n",
			"exgate.yaml:2: has a second colon: a value that contains a colon and a space must be in quotes",
		},
		"percent": {
			"node: %c\n",
			"exgate.yaml:1: text that begins with % must be in quotes",
		},
		"at sign": {
			"node: @x\n",
			"exgate.yaml:1: text that begins with @ must be in quotes",
		},
		"quote not closed": {
			"log: {}\nnode: \"x\nmax_connections: 3\n",
			"exgate.yaml:2: the quoted text that begins here does not end",
		},
		"bracket not closed": {
			"upstream: {url: [a, b\nnode: x\nlog: {}\n",
			"exgate.yaml:1: the brackets that open here are not closed properly: a comma, ] or } is missing",
		},
		"bracket too many": {
			"log: {level: info}}\n",
			"exgate.yaml:1: has an extra bracket or quote, or text after a complete value",
		},
		"escape": {
			"node: \"C:\\dir\"\n",
			"exgate.yaml:1: a text in double quotes has an invalid escape: write \\\\ for a backslash, or " +
				"use single quotes",
		},
		"alias": {
			"node: *x\n",
			"exgate.yaml:1: \"*x\" is a YAML alias, and no anchor above has that name: if it is text, put it in quotes",
		},
		"tag": {
			"node: !x y\n",
			"exgate.yaml:1: node: must be text, not a value with the tag \"!x\"",
		},
		"TOML": {
			"[log]\nlevel = \"info\"\n",
			"exgate.yaml:1: looks like TOML or an INI file: exgate's configuration is YAML, such as " +
				"log: {level: info}",
		},
		"TOML with a comment": {
			"# exgate\nnode = \"x\"\n[log]\nlevel = \"info\"\n",
			"exgate.yaml:2: looks like TOML or an INI file: exgate's configuration is YAML, such as " +
				"log: {level: info}",
		},
		"INI": {
			"node=x\n",
			"exgate.yaml:1: looks like TOML or an INI file: exgate's configuration is YAML, such as " +
				"log: {level: info}",
		},
		"EMQX": {
			"gateway.exproto {\n  server { bind = 9100 }\n}\n",
			"exgate.yaml:1: is a configuration of EMQX: convert it with exgate config import",
		},
		"EMQX 4": {
			"exproto.listener.protoname = tcp://0.0.0.0:7993\n",
			"exgate.yaml:1: is a configuration of EMQX: convert it with exgate config import",
		},
		"environment": {
			"EXGATE_NODE=x\n",
			"exgate.yaml:1: contains environment variables: pass them in the environment, or write YAML such as " +
				"log: {level: info}",
		},
		"HTML": {
			"<!DOCTYPE html>\n<html>\n",
			"exgate.yaml:1: is not an exgate configuration, which is YAML: \"<!DOCTYPE html>\"",
		},
		"PEM": {
			"-----BEGIN CERTIFICATE-----\nabc\n",
			"exgate.yaml:1: is not an exgate configuration, which is YAML: \"-----BEGIN CERTIFICATE-----\"",
		},
		"Markdown": {
			"```yaml\nnode: x\n```\n",
			"exgate.yaml:1: text that begins with ` must be in quotes",
		},
		"a text": {
			"hello world\n",
			"exgate.yaml:1: must contain settings such as log: {level: info}, not the text \"hello world\"",
		},
		"a number": {
			"42\n",
			"exgate.yaml:1: must contain settings such as log: {level: info}, not the number 42",
		},
		"Latin-1": {
			"node: x\nlog: {level: inf\xe9}\n",
			"exgate.yaml:2: the byte 0xe9 is not UTF-8: the file may be in Latin-1 or Windows-1252, save it as UTF-8",
		},
		"UTF-16 without a mark": {
			"n\x00o\x00d\x00e\x00:\x00 \x00x\x00\n\x00",
			"exgate.yaml:1: contains a NUL byte: is it a text file? If it is UTF-16, save it as UTF-8",
		},
		"NUL": {
			"node: x\n\x00\n",
			"exgate.yaml:2: contains a NUL byte: is it a text file? If it is UTF-16, save it as UTF-8",
		},
		"control character": {
			"node: \"a\x1b[2J\"\n",
			"exgate.yaml:1: contains the control character 0x1b: is it a text file?",
		},
		"no-break space": {
			"log:\n\xc2\xa0\xc2\xa0level: info\n",
			"exgate.yaml:2: is indented with a no-break space: use plain spaces",
		},
		"line separator": {
			"node: a\xe2\x80\xa8b\n",
			"exgate.yaml:1: contains the line separator U+2028: remove it",
		},
		"compressed": {
			"\x1f\x8b\x08\x00abc",
			"exgate.yaml:1: contains the control character 0x1f: is it a text file?",
		},
		"nested too deep": {
			strings.Repeat("[", 20000),
			"exgate.yaml:1: nests brackets thousands deep",
		},
		"settings without a listener": {
			"listeners:\n  bind: \":7993\"\n  handler: {wasm: m.wasm}\n",
			"exgate.yaml:2: listeners.bind: belongs to a listener, and the listener needs a name: " +
				"listeners.NAME.bind\nexgate.yaml:3: listeners.handler: belongs to a listener, and the listener " +
				"needs a name: listeners.NAME.handler",
		},
		"list of listeners": {
			"listeners:\n  - bind: \":7993\"\n",
			"exgate.yaml:2: listeners: must be a section with a name for each listener, such as {meters: {bind: " +
				"\":7993\"}}, not a list",
		},
		"bind at the top": {
			"bind: \":7993\"\n",
			"exgate.yaml:1: bind: unknown key, did you mean \"listeners.NAME.bind\"?",
		},
		"handler under the listener": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    wasm: m.wasm\n",
			"exgate.yaml:5: listeners.meters.wasm: unknown key, did you mean \"handler.wasm\"?",
		},
		"port": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    port: 7993\n",
			"exgate.yaml:5: listeners.meters.port: unknown key: write bind with both, such as bind: \":7993\" or " +
				"bind: 192.0.2.1:7993",
		},
		"enabled": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    enabled: true\n",
			"exgate.yaml:5: listeners.meters.enabled: unknown key: a configured listener is always on: remove " +
				"it to turn it off",
		},
		"protocol": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    protocol: tcp\n",
			"exgate.yaml:5: listeners.meters.protocol: unknown key: the transport is " +
				"type: tcp, tls, ws, wss, udp or dtls; handler decides what devices speak",
		},
		"certfile": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    tls: " +
				"{certfile: a.pem}\n",
			"exgate.yaml:5: listeners.meters.tls: does not fit a tcp listener: it needs type: tls, wss or " +
				"dtls\nexgate.yaml:5: listeners.meters.tls.certfile: unknown key: write cert",
		},
		"password": {
			"listeners: {meters: {bind: \"127.0.0.1:7993\", handler: {wasm: m.wasm}}}\nupstream: {url: mqtt://h, " +
				"username: x, password: secret}\n",
			"exgate.yaml:2: upstream.password: unknown key: write it into a file and name that in " +
				"upstream.password_file",
		},
		"user": {
			"listeners: {meters: {bind: \"127.0.0.1:7993\", handler: {wasm: m.wasm}}}\nupstream: {url: " +
				"mqtt://h, user: x}\n",
			"exgate.yaml:2: upstream.user: unknown key: write upstream.username",
		},
		"host": {
			"listeners: {meters: {bind: \"127.0.0.1:7993\", handler: {wasm: m.wasm}}}\nupstream: {host: " +
				"h, port: 1883}\n",
			"exgate.yaml:2: upstream.host: unknown key: the broker's address is upstream.url, such as " +
				"mqtt://host:1883\nexgate.yaml:2: upstream.port: unknown key: the broker's address is upstream.url, " +
				"such as mqtt://host:1883",
		},
		"broker": {
			"listeners: {meters: {bind: \"127.0.0.1:7993\", handler: {wasm: m.wasm}}}\nmqtt: {host: h}\n",
			"exgate.yaml:2: mqtt: unknown key: the broker is configured in upstream, such as upstream: {url: " +
				"mqtt://host:1883}",
		},
		"log file": {
			"listeners: {meters: {bind: \"127.0.0.1:7993\", handler: {wasm: m.wasm}}}\nlog: {file: " +
				"/var/log/exgate.log}\n",
			"exgate.yaml:2: log.file: unknown key: logs go to standard error: redirect it",
		},
		"include": {
			"listeners: {meters: {bind: \"127.0.0.1:7993\", handler: {wasm: m.wasm}}}\ninclude: other.yaml\n",
			"exgate.yaml:2: include: unknown key: a configuration is one file, which variables and flags override",
		},
		"unknown, in another section": {
			"listeners: {meters: {bind: \"127.0.0.1:7993\", handler: {wasm: m.wasm}}}\nurl: mqtt://h\n",
			"exgate.yaml:2: url: unknown key, did you mean \"upstream.url\"?",
		},
		"key with a line break": {
			"listeners: {meters: {bind: \"127.0.0.1:7993\", handler: {wasm: m.wasm}}}\n\"a\\nb\": 1\n",
			"exgate.yaml:2: a?b: unknown key",
		},
		"key without end": {
			"listeners: {meters: {bind: \"127.0.0.1:7993\", handler: {wasm: m.wasm}}}\n" + strings.Repeat("k", 500) +
				": 1\n",
			"exgate.yaml:2: " + strings.Repeat("k", 120) + "...: unknown key",
		},
		"port above 65535": {
			"listeners: {meters: {bind: \"127.0.0.1:70000\", handler: {wasm: m.wasm}}}\n",
			"exgate.yaml:1: listeners.meters.bind: has the port 70000: the highest port is 65535",
		},
		"negative port": {
			"listeners: {meters: {bind: \"127.0.0.1:-1\", handler: {wasm: m.wasm}}}\n",
			"exgate.yaml:1: listeners.meters.bind: must be an address such as 127.0.0.1:1883 or :7993, not " +
				"\"127.0.0.1:-1\"",
		},
		"name for a port": {
			"listeners: {meters: {bind: \"127.0.0.1:mqtt\", handler: {wasm: m.wasm}}}\n",
			"exgate.yaml:1: listeners.meters.bind: must be an address such as 127.0.0.1:1883 or :7993, not " +
				"\"127.0.0.1:mqtt\"",
		},
		"address without brackets": {
			"listeners: {meters: {bind: \"::1:7993\", handler: {wasm: m.wasm}}}\n",
			"exgate.yaml:1: listeners.meters.bind: an IPv6 address must be in brackets, such as [::1]:7993, " +
				"not \"::1:7993\"",
		},
		"same port, all addresses": {
			"listeners: {a: {bind: \"127.0.0.1:7993\", handler: {wasm: m.wasm}}, b: {bind: \"[::]:7993\", handler: " +
				"{wasm: m.wasm}}}\n",
			"exgate.yaml:1: listeners.b.bind: [::]:7993 is taken by listeners.a.bind (exgate.yaml:1)",
		},
		"same unix socket": {
			"listeners:\n  a: {bind: \"unix:/run/x.sock\", handler: {wasm: m.wasm}}\n  b: {bind: " +
				"\"unix:/run/x.sock\", handler: {wasm: m.wasm}}\n",
			"exgate.yaml:3: listeners.b.bind: unix:/run/x.sock is taken by listeners.a.bind (exgate.yaml:2)",
		},
		"count too large": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    max_connections: " +
				"99999999999999999999\n",
			"exgate.yaml:5: listeners.meters.max_connections: 99999999999999999999 is too large",
		},
		"count with an exponent": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    " +
				"max_connections: 1e3\n",
			"exgate.yaml:5: listeners.meters.max_connections: must be a whole number, not the number 1e3",
		},
		"negative count": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    " +
				"max_connections: -1\n",
			"exgate.yaml:5: listeners.meters.max_connections: must be at least 1, not -1",
		},
		"size too large": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    limits: " +
				"{inbox_bytes: 99999999999GiB}\n",
			"exgate.yaml:5: listeners.meters.limits.inbox_bytes: 99999999999GiB is too large",
		},
		"size in MB": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    limits: " +
				"{inbox_bytes: 4MB}\n",
			"exgate.yaml:5: listeners.meters.limits.inbox_bytes: must be a number of bytes such as 65536 or " +
				"64KiB, not \"4MB\"",
		},
		"negative size": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    limits: " +
				"{inbox_bytes: -4}\n",
			"exgate.yaml:5: listeners.meters.limits.inbox_bytes: must be a number of bytes such as 65536 or " +
				"64KiB, not \"-4\"",
		},
		"fraction of a size": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    limits: " +
				"{inbox_bytes: 1.5MiB}\n",
			"exgate.yaml:5: listeners.meters.limits.inbox_bytes: must be a number of bytes such as 65536 or " +
				"64KiB, not \"1.5MiB\"",
		},
		"duration too long": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    " +
				"idle_timeout: 99999999999h\n",
			"exgate.yaml:5: listeners.meters.idle_timeout: 99999999999h is too long: the longest duration " +
				"is 2562047h0m0s",
		},
		"duration without a unit": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    idle_timeout: 30\n",
			"exgate.yaml:5: listeners.meters.idle_timeout: must be a duration such as 500ms, 10s or 1m30s, not \"30\"",
		},
		"days": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    idle_timeout: 1d\n",
			"exgate.yaml:5: listeners.meters.idle_timeout: days are not supported: write 24h",
		},
		"endless": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    " +
				"idle_timeout: .inf\n",
			"exgate.yaml:5: listeners.meters.idle_timeout: must be a duration such as 500ms, 10s or 1m30s, not " +
				"the number .inf",
		},
		"part above a hundred": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    capture: {folder: " +
				"x, sample: 101%}\n",
			"exgate.yaml:5: listeners.meters.capture.sample: must be above 0% and at most 100%, such as 1% or " +
				"0.5%, not \"101%\"",
		},
		"part that is no number": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    capture: {folder: " +
				"x, sample: NaN%}\n",
			"exgate.yaml:5: listeners.meters.capture.sample: must be above 0% and at most 100%, such as 1% or " +
				"0.5%, not \"NaN%\"",
		},
		"part without a sign": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    capture: {folder: " +
				"x, sample: 5}\n",
			"exgate.yaml:5: listeners.meters.capture.sample: must be a percentage such as 1%, not the number 5",
		},
		"mountpoint with a wildcard": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    mountpoint: a/#\n",
			"exgate.yaml:5: listeners.meters.mountpoint: must not contain + or #: it is prepended to topics",
		},
		"mountpoint with an unknown placeholder": {
			"listeners:\n  meters:\n    bind: \"127.0.0.1:7993\"\n    handler: {wasm: m.wasm}\n    mountpoint: " +
				"a/${client_id}/\n",
			"exgate.yaml:5: listeners.meters.mountpoint: ${client_id} is neither ${clientid}, ${username}, " +
				"${listener} nor ${module}",
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

func TestMistakesInTheEnvironment(t *testing.T) {
	inFolder(t, "listeners:\n  meters: {bind: ':1', handler: {wasm: m.wasm}}\n")
	for variable, want := range map[string]string{
		"EXGATE_LISTENERS__METRES__IDLE_TIMEOUT=1m": `listeners.metres: no listener in the file has this name, did ` +
			`you mean "meters"? A new one needs bind and handler`,
		"EXGATE_LISTENERS__ZZZZZ__BIND=:2": "listeners.zzzzz: no listener in the file has this name: it has " +
			"meters. A new one needs bind and handler",
		"EXGATE_LISTENERS_METERS_BIND=:2": "listeners_meters_bind: unknown key, did you mean " +
			"EXGATE_LISTENERS__METERS__BIND?",
		"EXGATE_LISTENERS__METERS_IDLE_TIMEOUT=1m": "listeners.meters_idle_timeout: unknown key, did you mean " +
			"EXGATE_LISTENERS__METERS__IDLE_TIMEOUT?",
		"EXGATE_LISTENERS_METERS_HANDLER_TLS_CA=x": "listeners_meters_handler_tls_ca: unknown key, did you mean " +
			"EXGATE_LISTENERS__METERS__HANDLER__TLS__CA?",
		"EXGATE_LISTENERS__BIND=:2": "listeners.bind: belongs to a listener, and the listener needs " +
			"a name: listeners.NAME.bind",
		"EXGATE_LISTENERS__HANDLER__WASM=x": "listeners.handler.wasm: belongs to a listener, and the " +
			"listener needs a name: listeners.NAME.handler.wasm",
		"EXGATE_LISTENERS__DEMO=": "listeners.demo: is a section, and the variable is empty: set one of its " +
			"settings, such as " +
			"EXGATE_LISTENERS__DEMO__BIND, or unset the variable",
		"EXGATE_LOG=": "log: is a section, and the variable is empty: set one of its settings, " +
			"such as EXGATE_LOG__FORMAT, or unset the variable",
		"EXGATE_UPSTREAM__PASSWORD=x": "upstream.password: unknown key: write it into a file and name that in " +
			"upstream.password_file",
		"EXGATE_UPSTREAM_PASSWORD=x": "upstream_password: unknown key: write it into a file and name that in " +
			"upstream.password_file",
		"EXGATE_NODE__=x":             "node.: unknown key, did you mean EXGATE_NODE?",
		"EXGATE_MAX_CONNECTIONS=-1":   "max_connections: must be at least 1, not -1",
		"EXGATE_MAX_CONNECTIONS=1e99": `max_connections: must be a whole number, not "1e99"`,
		"EXGATE_SHUTDOWN_TIMEOUT=NaN": `shutdown_timeout: must be a duration such as 500ms, 10s or 1m30s, not "NaN"`,
		"EXGATE_SHUTDOWN_TIMEOUT=-1s": "shutdown_timeout: must be above 0, not -1s",
		"EXGATE_SHUTDOWN_TIMEOUT=1\x00": `shutdown_timeout: must be a duration such as 500ms, 10s or ` +
			`1m30s, not "1\x00"`,
	} {
		_, err := Load(Sources{File: "exgate.yaml", Environ: []string{variable}})
		name, _, _ := strings.Cut(variable, "=")
		if err == nil || err.Error() != name+": "+want {
			t.Errorf("%s\ngot  %v\nwant %s", variable, err, name+": "+want)
		}
	}
}

// Messages about a listener that only variables configure name the variables, also without a file.
func TestListenerOfTheEnvironmentIsNamedByIt(t *testing.T) {
	_, err := Load(Sources{Environ: []string{"EXGATE_LISTENERS__METERS__IDLE_TIMEOUT=1m"}})
	if err == nil || !strings.HasPrefix(err.Error(),
		"EXGATE_LISTENERS__METERS__IDLE_TIMEOUT: listeners.meters: needs bind") {
		t.Errorf("got %v", err)
	}
}

func TestWarnings(t *testing.T) {
	for settings, want := range map[string]string{
		"mountpoint: 'a/${clientid}/'": "",
		"mountpoint: 'a/${clientid}'": "listeners.a.mountpoint: does not end with /, so that the topic temperature " +
			"becomes a/${clientid}temperature: " +
			"write a/${clientid}/",
		"mountpoint: '%c/'": "listeners.a.mountpoint: contains %c, which is not a placeholder and stays in " +
			"the topic: write ${clientid}",
		"publish_topics: [x, 'u/%u/#']": "listeners.a.publish_topics: contains %u, which is not a placeholder and " +
			"stays in the topic: write ${username}",
	} {
		inFolder(t, "listeners: {a: {bind: ':1', handler: {wasm: m.wasm}, "+settings+"}}\n")
		got := mustLoad(t, Sources{File: "exgate.yaml"}).Warnings()
		if want != "" {
			want = "exgate.yaml:1: " + want
		}
		if got.Error() != want {
			t.Errorf("%s\ngot  %s\nwant %s", settings, got.Error(), want)
		}
	}
}

// Whatever the configuration path is, the answer comes at once.
func TestSpecialFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := syscall.Mkfifo("pipe.yaml", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("loop.yaml", "loop.yaml"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"pipe.yaml": "pipe.yaml: cannot be read: a pipe that nothing was written to",
		"/dev/zero": "/dev/zero: cannot be read: it is not a regular file",
		"loop.yaml": "loop.yaml: cannot be read: too many levels of symbolic links",
		"-": "-: is not a file: the configuration is read again on an upgrade, so it cannot come " +
			"from standard input",
	} {
		if _, err := Load(Sources{File: name}); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// Aliases can make a small file as large as many big ones. The number of settings is bounded.
func TestAliasBombs(t *testing.T) {
	var many strings.Builder
	many.WriteString("listeners:\n  a0: &a {bind: ':1', handler: {wasm: m.wasm}, limits: {max_calls: 1, " +
		"inbox_bytes: 1}}\n")
	for i := range 120_000 {
		fmt.Fprintf(&many, "  a%x: *a\n", i+1)
	}
	for name, file := range map[string]string{
		"listeners": many.String(),
		"lists": "listeners:\n  a: {bind: ':1', handler: {wasm: m.wasm}, publish_topics: &l [" +
			strings.Repeat("a,", 100_000) + "]}\n" +
			listeners(20, "{bind: ':1', handler: {wasm: m.wasm}, publish_topics: *l}"),
		"laughs": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c " +
			"[*b,*b,*b,*b,*b,*b,*b,*b,*b]\nnode: *c\n",
		"itself": "node: &a [*a]\nlog: &b {level: *b}\n",
	} {
		inFolder(t, file)
		if _, err := Load(Sources{File: "exgate.yaml"}); err == nil || len(err.Error()) > 64<<10 {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}

func listeners(n int, of string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  b%d: %s\n", i, of)
	}
	return b.String()
}

// manyListeners returns a file with n listeners of the given form, which takes the number of the listener in three
// parts.
func manyListeners(n int, of string) string {
	var file strings.Builder
	file.WriteString("listeners:\n")
	for i := range n {
		fmt.Fprintf(&file, "  l%d: "+of+"\n", i, i>>16&255, i>>8&255, i&255)
	}
	return file.String()
}

func TestManyListeners(t *testing.T) {
	for of, want := range map[string]string{
		"{bind: '127.%d.%d.%d:1', handler: {wasm: m.wasm}}": "",
		"{bind: ':1', handler: {wasm: m.wasm}} # %d %d %d":  "and 1899 more",
		"{bnd: ':1', handler: {wasm: m.wasm}} # %d %d %d":   "and 1900 more",
	} {
		inFolder(t, manyListeners(2000, of))
		_, err := Load(Sources{File: "exgate.yaml"})
		if (err == nil) != (want == "") || err != nil && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %.200v", of, err)
		}
	}
}

// The cost per listener does not grow with their number.
func BenchmarkListeners(b *testing.B) {
	perListener := make(map[int]float64)
	for _, n := range []int{1000, 16000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.Chdir(b.TempDir())
			for name, text := range map[string]string{"exgate.yaml": manyListeners(n,
				"{bind: '127.%d.%d.%d:1', handler: {wasm: m.wasm}}"), "m.wasm": ""} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if _, err := Load(Sources{File: "exgate.yaml"}); err != nil {
					b.Fatal(err)
				}
			}
			perListener[n] = float64(b.Elapsed().Nanoseconds()) / float64(b.N*n)
			b.ReportMetric(perListener[16000]/perListener[1000], "cost-of-16000/of-1000")
		})
	}
}
