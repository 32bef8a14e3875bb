package handler

import (
	"encoding/json"
	"strconv"
)

// The types of frames.
const (
	typeConnect = 1 + iota
	typeConnAck
	typePublish
	typePubAck
	typeSubscribe
	typeSubAck
	typeUnsubscribe
	typeUnsubAck
	typeDisconnect
	typeRawPublish
)

// Client is what a device says about itself.
type Client struct {
	ProtoName    string `json:"proto_name"`
	ProtoVersion string `json:"proto_ver"`
	ClientID     string `json:"clientid"`
	Username     string `json:"username"`
	Mountpoint   string `json:"mountpoint"`
	Keepalive    uint32 `json:"keepalive"` // seconds
}

// request is a frame from a device.
type request struct {
	Type     int    `json:"type"`
	Client   Client `json:"clientinfo"`
	Password string `json:"password"`
	Topic    string `json:"topic"`
	QoS      uint32 `json:"qos"`
	Payload  string `json:"payload"`
}

// publish is a message for a device.
type publish struct {
	Type    int    `json:"type"`
	Topic   string `json:"topic"`
	QoS     uint32 `json:"qos"`
	Payload string `json:"payload"`
}

func encodePublish(topic string, qos uint32, payload []byte) []byte {
	b, _ := json.Marshal(publish{typePublish, topic, qos, string(payload)}) // strings and numbers never fail to encode
	return b
}

// encodeAck returns {"type":N,"code":0}, or code 1 for a failure.
func encodeAck(kind int, ok bool) []byte {
	code := 1
	if ok {
		code = 0
	}
	b := strconv.AppendInt([]byte(`{"type":`), int64(kind), 10)
	b = strconv.AppendInt(append(b, `,"code":`...), int64(code), 10)
	return append(b, '}')
}
