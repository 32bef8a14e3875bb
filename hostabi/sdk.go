package hostabi

import "embed"

// SDK contains the sources of the SDKs, and of the parts of this package that the Go SDK's test double needs: exgate
// module init puts them next to a new module, so that it builds without a network.
//
//go:embed names.go messages.go properties.go wire.go
//go:embed sdk/c/*.h
//go:embed sdk/go/*.go sdk/go/exprototest/*.go sdk/go/framing/*.go
//go:embed sdk/go/checksum/*.go sdk/go/civil/*.go sdk/go/gbk/*.go sdk/go/gbk/table.bin sdk/go/jsontext/*.go sdk/go/packet/*.go
//go:embed sdk/rust/Cargo.toml sdk/rust/src sdk/rust/examples
//go:embed sdk/assemblyscript/package.json sdk/assemblyscript/assembly sdk/assemblyscript/testing
var SDK embed.FS
