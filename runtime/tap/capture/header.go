package capture

import (
	"time"

	"github.com/exgate/exgate/runtime/tap"
)

// version is the version of the format. Readers skip fields and kinds that were added later.
const version = 1

// Header is the first line of a capture.
type Header struct {
	Version  int       `json:"exgc"`
	Exgate   string    `json:"exgate,omitempty"`  // the version of the program
	Listener string    `json:"listener"`          // its name
	Handler  string    `json:"handler,omitempty"` // wasm or grpc
	Source   string    `json:"source,omitempty"`  // the module or the addresses of the service
	Started  time.Time `json:"started"`
}

// Entry is one line after the header.
type Entry struct {
	Line   int    // in the file, the header is 1
	Conn   uint32 // numbers the connections of the file from 1
	Number uint32 // numbers the entries of the connection from 1
	Record tap.Record
	Cut    string // why the capture of the connection ends here, before the connection did; otherwise empty

	// Covered says that a password is covered in the bytes of the device, so a checksum over those bytes is wrong.
	Covered bool
}
