package module

var inGo = language{
	name: "Go",
	test: "go test ./...",
	files: map[string]string{
		"go.mod": "go.mod", "sdk_go.mod": "sdk/go.mod", "main.go": "main.go", "device.go": "device.go",
		"device_test.go": "device_test.go",
		"build.sh":       "build.sh", "NAME.yaml": "NAME.yaml",
	},
	what: []file{
		{"device.go", "the protocol"},
		{"device_test.go", "its test, against a test double of the gateway"},
		{"main.go", "what makes it a module"},
		{"NAME.yaml", "its settings"},
		{"sdk/", "the SDK: `sdk/hostabi/sdk/go`"},
	},
	sdk: goSources,
}

var inRust = language{
	name: "Rust",
	test: "cargo test --offline",
	files: map[string]string{
		"Cargo.toml": "Cargo.toml", "src_lib.rs": "src/lib.rs", "build.sh": "build.sh",
	},
	what: []file{
		{"src/lib.rs", "the protocol, and its test against a test double of the gateway"},
		{"sdk/", "the SDK, a crate without dependencies"},
	},
	sdk: below("sdk/rust"),
}

var inC = language{
	name: "C",
	test: "./test.sh",
	files: map[string]string{
		"NAME.c": "NAME.c", "NAME_test.c": "NAME_test.c", "build.sh": "build.sh", "test.sh": "test.sh",
	},
	what: []file{
		{"NAME.c", "the protocol"},
		{"NAME_test.c", "its test, against a test double of the gateway"},
		{"sdk/", "the SDK: headers, no libc"},
	},
	sdk: below("sdk/c"),
}

var inAssemblyScript = language{
	name: "AssemblyScript",
	test: "npm test",
	files: map[string]string{
		"NAME.ts": "NAME.ts", "NAME.test.js": "NAME.test.js", "package.json": "package.json", "build.sh": "build.sh",
	},
	what: []file{
		{"NAME.ts", "the protocol"},
		{"NAME.test.js", "its test, of the built module against a test double of the gateway"},
		{"sdk/", "the SDK, a package without dependencies"},
	},
	sdk: below("sdk/assemblyscript"),
}

var inJavaScript = language{
	name:  "JavaScript",
	files: map[string]string{"NAME.js": "NAME.js", "NAME.yaml": "NAME.yaml"},
	what: []file{
		{"NAME.js", "the protocol"},
		{"NAME.yaml", "its settings"},
	},
}
