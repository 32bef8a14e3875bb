package main

import (
	_ "embed"
	"testing"

	"github.com/exgate/exgate/hostabi/conformance/probe"
	"github.com/exgate/exgate/hostabi/sdk/guesttest"
)

//go:embed probe.wasm
var module []byte

func TestModule(t *testing.T) { probe.Run(t, module, guesttest.Config{MemoryPages: 1024}) }
