package examplestest

import "testing"

func TestPython(t *testing.T) {
	play(t, example{
		name: "python", folder: "../python", needs: ".venv/bin/python", command: []string{".venv/bin/python", "-m", "jsonecho"}, dialects: everyDialect,
	})
}
