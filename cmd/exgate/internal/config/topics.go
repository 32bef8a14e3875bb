package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
)

// ofModule is the placeholder that only listeners with a module have.
const ofModule = "${module}"

// topics checks a listener's mountpoint, and the topics that its devices may use.
func (r rules) topics(key string, l Listener) {
	switch unknown := gateway.UnknownPlaceholder(l.Mountpoint); {
	case strings.ContainsAny(l.Mountpoint, "+#\x00"):
		r.problem(key+".mountpoint", "must not contain + or #: it is prepended to topics")
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
		r.problems.add(at, key, "%s needs handler.wasm, handler.script or handler.module", ofModule)
	}
}

// topicName returns an error if nothing can be published to a topic with placeholders.
func topicName(topic string) error {
	if unknown := gateway.UnknownPlaceholder(topic); unknown != "" {
		return unknownPlaceholder(unknown)
	}
	switch {
	case strings.ContainsAny(topic, "+#"):
		return errors.New("must not contain + or #: it is published to")
	// what a placeholder stands for is checked at each login
	case strings.HasPrefix(topic, "$") && !strings.HasPrefix(topic, "${"):
		return errors.New("must not begin with $: such topics are the broker's own")
	}
	_, err := gateway.ParseTopicPattern(topic)
	return err
}

// gatewayTopic is topicName for the gateway's own topics, whose only placeholder is ${node}.
func gatewayTopic(topic string) error {
	rest := strings.ReplaceAll(topic, "${node}", "node")
	if strings.Contains(rest, "${") {
		return errors.New("must not contain placeholders other than ${node}")
	}
	return topicName(rest)
}

// unknownPlaceholder is the error for an unknown placeholder; it names the known ones.
func unknownPlaceholder(unknown string) error {
	return fmt.Errorf("%s is neither ${clientid}, ${username}, ${listener} nor ${module}", unknown)
}

// moduleOfAll refuses ${module} if it has no value on one of the listeners.
func (r rules) moduleOfAll(key, topic string) {
	if !strings.Contains(topic, ofModule) {
		return
	}
	for _, name := range r.cfg.Names() {
		if len(r.cfg.Listeners[name].Handler.GRPC) > 0 {
			r.problem(key, "%s has no value on listener %s, whose handler is a service", ofModule, name)
			return
		}
	}
}

// formerPlaceholders are the placeholders of EMQX 4, which exgate does not replace, and what to write instead.
var formerPlaceholders = [][2]string{{"%c", "${clientid}"}, {"%u", "${username}"}}

// formerly warns of EMQX 4 placeholders in a topic.
func (r rules) formerly(at origin, key, topic string) {
	for _, p := range formerPlaceholders {
		if strings.Contains(topic, p[0]) {
			r.warn(at, key, "contains %s, which is not a placeholder and stays in the topic: write %s", p[0], p[1])
		}
	}
}

// mountpoint warns of a mountpoint that does not end with a slash.
func (r rules) mountpoint(key, mountpoint string) {
	at := r.cfg.origins.of(key)
	r.formerly(at, key, mountpoint)
	if mountpoint != "" && !strings.HasSuffix(mountpoint, "/") {
		r.warn(at, key, "does not end with /, so that the topic temperature becomes %s: write %s",
			cut(mountpoint+"temperature"), cut(mountpoint+"/"))
	}
}
