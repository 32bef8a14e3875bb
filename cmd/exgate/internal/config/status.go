package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
)

// statuses checks the topics that say who is connected.
func (r rules) statuses(u Upstream) {
	const device, own = "upstream.device_status", "upstream.gateway_status"
	if r.hasTopic(device, u.DeviceStatus.Topic, "devices/${clientid}/status") {
		if err := topicName(u.DeviceStatus.Topic); err != nil {
			r.problem(device+".topic", "%v", err)
		}
		r.moduleOfAll(device+".topic", u.DeviceStatus.Topic)
		r.formerly(r.cfg.origins.of(device+".topic"), device+".topic", u.DeviceStatus.Topic)
	}
	if r.hasTopic(own, u.GatewayStatus.Topic, "exgate/${node}/status") {
		if err := gatewayTopic(u.GatewayStatus.Topic); err != nil {
			r.problem(own+".topic", "%v", err)
		}
	}
}

// hasTopic asks for the topic of a status that is there, and reports whether there is one to check.
func (r rules) hasTopic(key, topic, example string) bool {
	at, said := r.cfg.said(key)
	if !said || r.broken(key) {
		return false
	}
	if topic == "" {
		r.problems.add(at, key, "needs topic, such as %s", example)
	}
	return topic != ""
}

// topicName says why nothing can be published to a topic with placeholders.
func topicName(topic string) error {
	if unknown := gateway.UnknownPlaceholder(topic); unknown != "" {
		return unknownPlaceholder(unknown)
	}
	switch {
	case strings.ContainsAny(topic, "+#"):
		return errors.New("must hold no + or #: it is published to")
	case strings.HasPrefix(topic, "$"):
		return errors.New("must not begin with $: such topics are the broker's own")
	}
	_, err := gateway.ParseTopicPattern(topic)
	return err
}

// gatewayTopic is topicName for a topic of the gateway's own, where only ${node} stands for something.
func gatewayTopic(topic string) error {
	rest := strings.ReplaceAll(topic, "${node}", "node")
	if strings.Contains(rest, "${") {
		return errors.New("may hold ${node} and no other placeholder")
	}
	return topicName(rest)
}

// unknownPlaceholder says which there are.
func unknownPlaceholder(unknown string) error {
	return fmt.Errorf("%s is neither ${clientid}, ${username}, ${listener} nor ${module}", unknown)
}

// moduleOfAll refuses ${module} where it stands for nothing on one of the listeners.
func (r rules) moduleOfAll(key, topic string) {
	if !strings.Contains(topic, ofModule) {
		return
	}
	for _, name := range r.cfg.Names() {
		if len(r.cfg.Listeners[name].Handler.GRPC) > 0 {
			r.problem(key, "%s stands for nothing on listener %s, whose handler is a service", ofModule, name)
			return
		}
	}
}
