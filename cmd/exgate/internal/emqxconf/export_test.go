package emqxconf

// WithFiles returns options that read files with read.
func (o Options) WithFiles(read func(name string) ([]byte, error)) Options {
	o.readFile = read
	return o
}

// WithEnv returns options that look variables up with lookup.
func (o Options) WithEnv(lookup func(name string) (string, bool)) Options {
	o.lookupEnv = lookup
	return o
}
