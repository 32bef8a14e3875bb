package examplestest

// Example is a handler served by a separate process.
type Example struct {
	// name is its language, the argument for setup.sh; empty if go build is enough.
	name string
	// folder is the working directory of the program, relative to proto/examples.
	folder string
	// needs is a file in folder that exists once setup.sh has run.
	needs string
	// command starts the program in folder; --listen and --adapter are appended.
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

// With returns the example with more arguments.
func (e Example) With(arguments ...string) Example {
	e.command = append(e.command[:len(e.command):len(e.command)], arguments...)
	return e
}

func (e Example) String() string { return e.name }
