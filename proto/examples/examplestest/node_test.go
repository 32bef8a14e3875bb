package examplestest

import "testing"

func TestNode(t *testing.T) {
	play(t, example{
		name: "node", folder: "../node", needs: "node_modules/.installed-lock.json", command: []string{"node", "jsonecho/main.js"}, dialects: everyDialect,
	})
}
