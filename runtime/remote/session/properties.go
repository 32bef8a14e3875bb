package session

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/runtime/gateway"
)

// publishProperties is the field of a Publish that has properties.
const publishProperties protowire.Number = 4

// maxEncodedProperties bounds encoded properties before they are parsed: each empty user property of two bytes becomes
// a message.
const maxEncodedProperties = 2 * gateway.MaxPropertyBytes

var (
	resultManyProperties = gateway.Refuse(gateway.CodeLimit,
		"the properties of a message may have %d bytes encoded", maxEncodedProperties)
	resultRawProperties = gateway.Refuse(gateway.CodeParamsTypeError, "raw_publish has no properties")
)

// parsePublish parses a Publish. props is nil if it has no properties.
func parsePublish(body []byte) (m *handlerv1.Publish, props *gateway.Properties, result gateway.Result) {
	if encodedProperties(body) > maxEncodedProperties {
		return nil, nil, resultManyProperties
	}
	m = new(handlerv1.Publish)
	if proto.Unmarshal(body, m) != nil {
		return nil, nil, resultMalformed
	}
	return m, gatewayProperties(m.GetProperties()), gateway.OK
}

// encodedProperties returns the size of the properties of a Publish. It stops where the body is malformed.
func encodedProperties(body []byte) int {
	total := 0
	for len(body) > 0 {
		field, kind, value, size := next(body)
		if size < 0 {
			break
		}
		if field == publishProperties && kind == protowire.BytesType {
			total += len(value) // a field that occurs again is merged
		}
		body = body[size:]
	}
	return total
}

func gatewayProperties(m *handlerv1.Properties) *gateway.Properties {
	if m == nil {
		return nil
	}
	p := &gateway.Properties{
		Retain: m.GetRetain(), Expiry: m.GetExpiry(), ContentType: m.GetContentType(),
		ResponseTopic: m.GetResponseTopic(), Correlation: m.GetCorrelation(),
	}
	for _, u := range m.GetUser() {
		p.User = append(p.User, gateway.Property{Name: u.GetName(), Value: u.GetValue()})
	}
	return p
}

// messageProperties converts the properties of messages, which are UTF-8 already, by index in messages.
func messageProperties(messages []gateway.Message) map[uint32]*handlerv1.Properties {
	var all map[uint32]*handlerv1.Properties
	for i := range messages {
		p := messages[i].Properties
		if p == nil {
			continue
		}
		if all == nil {
			all = make(map[uint32]*handlerv1.Properties)
		}
		all[uint32(i)] = &handlerv1.Properties{
			Retain: p.Retain, Expiry: p.Expiry, ContentType: p.ContentType, ResponseTopic: p.ResponseTopic,
			Correlation: p.Correlation, User: propertyList(p.User),
		}
	}
	return all
}

func propertyList(list []gateway.Property) []*handlerv1.Property {
	var all []*handlerv1.Property
	for _, p := range list {
		all = append(all, &handlerv1.Property{Name: p.Name, Value: p.Value})
	}
	return all
}
