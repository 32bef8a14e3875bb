package gateway

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/exgate/exgate/internal/topic"
)

// Properties are the properties of a message, apart from its topic, QoS and payload, as in MQTT 5, section 3.3.2.3.
// Each is optional.
type Properties struct {
	// Retain asks the broker to keep the message for later subscribers. Of a received message it says that the broker
	// had kept it.
	Retain        bool
	Expiry        uint32 // seconds until the message expires; 0: it does not
	ContentType   string
	ResponseTopic string // where an answer is expected; a topic without wildcards, inside the device's mountpoint
	Correlation   []byte // what an answer repeats
	User          []Property
}

// The limits of a message's properties.
const (
	MaxUserProperties = 64
	MaxPropertyBytes  = 16 << 10 // all names and values together
)

// Size is the cost of the properties, in bytes.
func (p *Properties) Size() int {
	if p == nil {
		return 0
	}
	n := len(p.ContentType) + len(p.ResponseTopic) + len(p.Correlation)
	for i := range p.User {
		n += len(p.User[i].Name) + len(p.User[i].Value)
	}
	return n
}

// Clone returns a copy that shares nothing with p, which may be nil.
func (p *Properties) Clone() *Properties {
	if p == nil {
		return nil
	}
	c := *p
	c.Correlation, c.User = bytes.Clone(p.Correlation), slices.Clone(p.User)
	return &c
}

// Forwarded returns a copy for subscribers of a message that is being published: Retain is false. It returns nil if
// nothing is left.
func (p *Properties) Forwarded() *Properties {
	c := p.Clone()
	if c != nil {
		c.Retain = false
	}
	if c.Empty() {
		return nil
	}
	return c
}

// String returns the properties that are set, such as: retain expiry=60 response_topic="a/b" user="k"="v". It returns
// "" for nil.
func (p *Properties) String() string {
	if p == nil {
		return ""
	}
	var parts []string
	add := func(set bool, format string, args ...any) {
		if set {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(p.Retain, "retain")
	add(p.Expiry > 0, "expiry=%d", p.Expiry)
	add(p.ContentType != "", "content_type=%q", p.ContentType)
	add(p.ResponseTopic != "", "response_topic=%q", p.ResponseTopic)
	add(len(p.Correlation) > 0, "correlation=%q", p.Correlation)
	for _, u := range p.User {
		add(true, "user=%q=%q", u.Name, u.Value)
	}
	return strings.Join(parts, " ")
}

// Empty reports whether no property is set.
func (p *Properties) Empty() bool {
	return p == nil || (!p.Retain && p.Expiry == 0 && p.Size() == 0 && len(p.User) == 0)
}

// check checks the properties of a message to publish.
func (p *Properties) check() Result {
	if n := len(p.User); n > MaxUserProperties {
		return Refuse(CodeLimit, "a message may have %d user properties, not %d", MaxUserProperties, n)
	}
	if n := p.Size(); n > MaxPropertyBytes {
		return Refuse(CodeLimit, "the properties of a message may have %d bytes in all, not %d", MaxPropertyBytes, n)
	}
	if err := p.checkTexts(); err != nil {
		return Refuse(CodeParamsTypeError, "%v", err)
	}
	return OK
}

func (p *Properties) checkTexts() error {
	if err := topic.CheckString("content type", p.ContentType); err != nil {
		return err
	}
	for _, u := range p.User {
		if err := topic.CheckString("name of a user property", u.Name); err != nil {
			return err
		}
		if err := topic.CheckString("user property", u.Value); err != nil {
			return err
		}
	}
	if p.ResponseTopic == "" {
		return nil
	}
	if err := topic.CheckName(p.ResponseTopic); err != nil {
		return fmt.Errorf("response topic: %w", err)
	}
	return nil
}

// reserved reports whether a response topic without a mountpoint is one of the broker's own.
func reserved(response string) bool { return strings.HasPrefix(response, "$") }

// admitResponse puts the mountpoint before a response topic and checks that the device may receive the answer: whoever
// answers publishes with its own rights. The caller holds mu.
func (c *Conn) admitResponse(response string) (string, Result) {
	mount := c.login.mount
	if mount == "" && reserved(response) {
		return "", Refuse(CodeParamsTypeError,
			"response topic %.100q begins with '$', which is reserved for the broker's own topics", response)
	}
	mounted := mount + response
	if r := checkMounted(mounted, true); !r.Ok() {
		return "", Refuse(r.Code, "response topic with the mountpoint of listener %s: %s", c.metrics.name, r.Message)
	}
	if device := c.device(c.login.client); !c.topics.subscribe.allows(mounted, &device) {
		return "", Refuse(CodePermissionDeny,
			"listener %s does not let this device subscribe to its response topic %.100q", c.metrics.name, response)
	}
	return mounted, OK
}

// received checks the properties of a message from the upstream. Properties that are invalid or too large are dropped,
// except Retain.
func (c *Conn) received(p *Properties) *Properties {
	if p.Empty() {
		return nil
	}
	if p.check().Ok() {
		return p
	}
	c.metrics.drop(droppedProperties, 1)
	if !p.Retain {
		return nil
	}
	return &Properties{Retain: true}
}

// unmountResponse removes the mountpoint from a response topic. A topic to which the device could not publish the
// answer is dropped. The caller holds mu.
func (c *Conn) unmountResponse(p *Properties) *Properties {
	if p == nil || p.ResponseTopic == "" {
		return p
	}
	mount := c.login.mount
	response, inside := strings.CutPrefix(p.ResponseTopic, mount)
	if !inside || response == "" || (mount == "" && reserved(response)) {
		c.metrics.drop(droppedResponseTopic, 1)
		response = ""
	}
	if response == p.ResponseTopic {
		return p
	}
	changed := *p
	changed.ResponseTopic = response
	return &changed
}
