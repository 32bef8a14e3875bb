package gateway

// NullAdapter is a [ConnectionAdapter] without a device: it accepts each call and does nothing, and never calls done.
// Types that implement some of the methods embed it.
type NullAdapter struct{}

var _ ConnectionAdapter = NullAdapter{}

// ID returns "".
func (NullAdapter) ID() string { return "" }

// Send returns OK.
func (NullAdapter) Send([]byte) Result { return OK }

// Close returns OK.
func (NullAdapter) Close(CloseReason) Result { return OK }

// Authenticate returns OK.
func (NullAdapter) Authenticate(ClientInfo, string, Done) Result { return OK }

// StartTimer returns OK.
func (NullAdapter) StartTimer(TimerType, uint32) Result { return OK }

// SetTimer returns OK.
func (NullAdapter) SetTimer(uint32, int32) Result { return OK }

// State returns nil.
func (NullAdapter) State() []byte { return nil }

// SaveState returns OK.
func (NullAdapter) SaveState([]byte, Done) Result { return OK }

// Publish returns OK.
func (NullAdapter) Publish(string, uint32, []byte, Done) Result { return OK }

// PublishWith returns OK.
func (NullAdapter) PublishWith(string, uint32, []byte, *Properties, Done) Result { return OK }

// Subscribe returns OK.
func (NullAdapter) Subscribe(string, uint32, Done) Result { return OK }

// Unsubscribe returns OK.
func (NullAdapter) Unsubscribe(string, Done) Result { return OK }

// Pause does nothing.
func (NullAdapter) Pause() {}

// Resume returns OK.
func (NullAdapter) Resume() Result { return OK }

// Hold lets the event wait; nothing interrupts it.
func (NullAdapter) Hold(func()) (release func()) { return func() {} }

// Post returns false: no event runs.
func (NullAdapter) Post(func() error) bool { return false }
