package config

// Adapter is the gRPC service that remote handlers call.
type Adapter struct {
	Bind             string     `koanf:"bind"`
	TLS              AdapterTLS `koanf:"tls"`
	MaxConnections   int        `koanf:"max_connections" min:"1"`
	RawPublish       bool       `koanf:"raw_publish"`
	RawPublishTopics []string   `koanf:"raw_publish_topics"`
	Peers            Peers      `koanf:"peers"`
}

// AdapterTLS is the adapter's certificate. With ClientCA, handlers must have one too.
type AdapterTLS struct {
	Cert     string `koanf:"cert" path:"file"`
	Key      string `koanf:"key" path:"file"`
	ClientCA string `koanf:"client_ca" path:"file"`
}

// Peers are the other gateways behind one adapter address.
type Peers struct {
	Nodes     []string  `koanf:"nodes"`
	DNS       string    `koanf:"dns"`
	TokenFile string    `koanf:"token_file" path:"file"`
	TLS       ClientTLS `koanf:"tls"`
}
