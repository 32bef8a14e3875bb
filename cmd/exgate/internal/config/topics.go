package config

import (
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
)

// ofModule is the placeholder that only listeners with a module have.
const ofModule = "${module}"

// topics checks what is put before the topics of devices, and which they may use.
func (r rules) topics(key string, l Listener) {
	switch unknown := gateway.UnknownPlaceholder(l.Mountpoint); {
	case strings.ContainsAny(l.Mountpoint, "+#\x00"):
		r.problem(key+".mountpoint", "must hold no + or #: it is put before topics")
	case unknown != "":
		r.problem(key+".mountpoint", "%v", unknownPlaceholder(unknown))
	case gateway.CheckMountpoint(l.Mountpoint) != nil:
		r.problem(key+".mountpoint", "%v", gateway.CheckMountpoint(l.Mountpoint))
	default:
		r.moduleOf(r.cfg.origins.of(key+".mountpoint"), key+".mountpoint", l.Mountpoint, l)
		r.mountpoint(key+".mountpoint", l.Mountpoint)
	}
	r.patterns(key+".publish_topics", l.PublishTopics, l)
	r.patterns(key+".subscribe_topics", l.SubscribeTopics, l)
}

func (r rules) patterns(key string, patterns []string, l Listener) {
	for i, text := range patterns {
		at := r.cfg.origins.ofItem(key, i)
		if _, err := gateway.ParseTopicPattern(text); err != nil {
			r.problems.add(at, key, "%v", err)
			continue
		}
		r.moduleOf(at, key, text, l)
		r.formerly(at, key, text)
	}
}

// moduleOf refuses ${module} on a listener whose handler is a service.
func (r rules) moduleOf(at origin, key, text string, l Listener) {
	if strings.Contains(text, ofModule) && len(l.Handler.GRPC) > 0 {
		r.problems.add(at, key, "%s needs handler.wasm or handler.module", ofModule)
	}
}
