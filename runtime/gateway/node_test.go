package gateway_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
)

func TestCheckNode(t *testing.T) {
	for name, ok := range map[string]bool{
		"gw1": true, "gw-1.example_x": true, strings.Repeat("a", 64): true, gateway.DefaultNode(): true,
		"": false, strings.Repeat("a", 65): false, "a b": false, "a@b": false, "a=b": false, "ä": false, "a\n": false,
		"a/b": false,
	} {
		if err := gateway.CheckNode(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestNodeNamesAreMadeFitForIds(t *testing.T) {
	for name, want := range map[string]string{
		"gw1": "gw1", "a@b c": "a-b-c",
		strings.Repeat("x", 70): strings.Repeat("x", 64),
	} {
		if got := gateway.New(gateway.Config{Node: name}).Node(); got != want {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
	}
}

func TestNodeOf(t *testing.T) {
	for id, want := range map[string]string{"ABC@gw1": "gw1", "ABC": "", "": "", "a@b@c": "b@c", "@": ""} {
		if got := gateway.NodeOf(id); got != want {
			t.Errorf("node of %q: %q, want %q", id, got, want)
		}
	}
}

func TestConnectionIdsAreRandomAndEndInTheNode(t *testing.T) {
	w := newFixture(t, gateway.Limits{}, "")
	defer w.stop(t)
	a, b := w.lis.open(t, newSocket(-1)).ID(), w.lis.open(t, newSocket(-1)).ID()
	form := regexp.MustCompile(`^[A-Z2-7]{26}@n1$`)
	if !form.MatchString(a) || !form.MatchString(b) || a == b {
		t.Errorf("ids %q and %q", a, b)
	}
	equal(t, "node", gateway.NodeOf(a), "n1")
}
