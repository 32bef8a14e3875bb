package examplestest

import (
	"testing"

	"github.com/exgate/exgate/runtime/remote"
)

func TestJava(t *testing.T) {
	play(t, java(nil, sdkDialects...))
}

// TestJavaUnaryV42 has a process of its own: a service has its methods in one form only.
func TestJavaUnaryV42(t *testing.T) {
	play(t, java([]string{"--unary-v42"}, remote.DialectUnaryV42))
}

func java(options []string, dialects ...remote.Dialect) example {
	return example{
		name: "java", folder: "../java", needs: "jsonecho/target/jsonecho.jar",
		command:  append([]string{"java", "-jar", "jsonecho/target/jsonecho.jar"}, options...),
		dialects: dialects,
	}
}
