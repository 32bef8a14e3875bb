package mqtt

import "github.com/eclipse/paho.golang/paho"

// Shared gives many devices sessions on a few connections.
type Shared struct{ control *control }

type control struct{}

func (*control) message(*paho.Publish) {}
func (*control) connected(bool)        {}
