package exproto

// Message is a message from the broker.
type Message struct {
	Node      string // the gateway's name
	ID        string // unique
	QoS       uint32 // the publisher's
	From      string // client id of the publisher; empty if the broker does not report it
	Topic     string
	Payload   []byte // valid during the event
	Timestamp uint64 // milliseconds since 1970

	Properties *Properties // nil if it has none
}

// parseMessages parses a ReceivedMessagesRequest without conn and appends its messages to all.
func parseMessages(all []Message, b []byte) ([]Message, error) {
	err := eachField(b, func(f field) error {
		if f.number != 2 {
			return nil
		}
		m, err := parseMessage(f.bytes)
		all = append(all, m)
		return err
	})
	return all, err
}

func parseMessage(b []byte) (m Message, err error) {
	err = eachField(b, func(f field) (err error) {
		switch f.number {
		case 1:
			m.Node = string(f.bytes)
		case 2:
			m.ID = string(f.bytes)
		case 3:
			m.QoS = uint32Of(f.value)
		case 4:
			m.From = string(f.bytes)
		case 5:
			m.Topic = string(f.bytes)
		case 6:
			m.Payload = f.bytes
		case 7:
			m.Timestamp = f.value
		case 8:
			m.Properties, err = parseProperties(f.bytes)
		}
		return err
	})
	return m, err
}
