// Command exgate is a gateway that connects devices of any protocol to an MQTT broker. Protocols are WebAssembly
// modules or gRPC services.
//
// This package has the commands: it parses the command line and prints the results. The work is below internal: config
// reads the configuration, service runs a gateway, doctor checks what a configuration refers to, upgrade replaces a
// running process, control talks to one, module works on modules, and emqxconf converts EMQX's configuration. It may
// import everything.
//
// Begin reading with run.go, which starts a gateway, and running.go, which stops and replaces it.
package main
