package examplestest

// Example is a handler that a process of its own serves.
type Example struct {
	// name is the language's, and the argument of setup.sh that prepares it; empty where go build prepares it.
	name string
	// folder is where the program runs, from proto/examples.
	folder string
	// needs is a file in folder that is there when the example is prepared.
	needs string
	// command starts it in folder; --listen and --adapter are added.
	command []string
}

// venvPython is the interpreter that has the SDK's dependencies installed.
const venvPython = "../../sdk/python/.venv/bin/python"

// The examples that proto/examples/setup.sh prepares.
var (
	Python = Example{
		name: "python", folder: "python", needs: venvPython, command: []string{venvPython, "-m", "jsonecho"},
	}
	Node = Example{
		name: "node", folder: "node", needs: "node_modules/.installed-lock.json",
		command: []string{"node", "jsonecho/main.js"},
	}
	Java = Example{
		name: "java", folder: "java", needs: "jsonecho/target/jsonecho.jar", command: []string{
			"java", "-jar", "jsonecho/target/jsonecho.jar",
		},
	}
)

// With is the example with more arguments.
func (e Example) With(arguments ...string) Example {
	e.command = append(e.command[:len(e.command):len(e.command)], arguments...)
	return e
}

func (e Example) String() string { return e.name }
