package examplestest

import (
	"testing"

	"github.com/exgate/exgate/runtime/remote"
)

func TestJava(t *testing.T) {
	play(t, example{
		name: "java", folder: "../java", needs: "jsonecho/target/jsonecho.jar",
		command:  []string{"java", "-jar", "jsonecho/target/jsonecho.jar"},
		dialects: []remote.Dialect{remote.DialectUnary},
	})
}
