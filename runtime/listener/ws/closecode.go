package ws

import (
	"encoding/binary"

	"github.com/exgate/exgate/runtime/gateway"
)

// Codes of close frames, RFC 6455, section 7.4.1, and the registry of IANA.
const (
	codeNormal        = 1000
	codeGoingAway     = 1001
	codeProtocolError = 1002
	codeNone          = 1005 // never sent: a close frame without a code
	codeInvalidText   = 1007
	codePolicy        = 1008
	codeTooLarge      = 1009
	codeInternalError = 1011
	codeTryAgain      = 1013
)

// codeOf returns the code for a close reason.
func codeOf(r gateway.CloseReason) int {
	switch {
	case r.Is(gateway.ReasonProtocolError):
		return codeProtocolError
	case r.Is(gateway.ReasonMessageTooLarge):
		return codeTooLarge
	case r.Is(gateway.ReasonUpstreamLost):
		return codeTryAgain
	case r.Is(gateway.ReasonKicked):
		return codePolicy
	}
	switch r.Code / 100 {
	case 1, 2: // the device or the handler
		return codeNormal
	case 5: // a failed handler
		return codeInternalError
	case 7: // the operator
		return codeGoingAway
	}
	return codePolicy // a timeout, a limit, or another session
}

// validCode reports whether a device may send code.
func validCode(code int) bool {
	switch {
	case code == 1004 || code == codeNone || code == 1006 || code == 1015:
		return false
	case code >= 1000 && code <= 1014:
		return true
	}
	return code >= 3000 && code <= 4999
}

// closeCode returns the code in the payload of a close frame.
func closeCode(payload []byte) int {
	if len(payload) < 2 {
		return codeNone
	}
	return int(binary.BigEndian.Uint16(payload))
}

// closeFrame returns a close frame. The text is for people.
func closeFrame(code int, text string) []byte {
	if code == codeNone {
		return appendFrame(nil, opClose, nil)
	}
	payload := binary.BigEndian.AppendUint16(nil, uint16(code))
	return appendFrame(nil, opClose, append(payload, text[:min(len(text), maxControl-2)]...))
}
