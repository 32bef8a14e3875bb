package config

import (
	"fmt"
	"strings"
)

// Warnings returns what works and is probably not meant, in the order of the sources.
func (c *Config) Warnings() Problems { return c.warnings }

// warn notes that a setting at this place is probably not meant so.
func (r rules) warn(at origin, key, format string, args ...any) {
	r.cfg.warnings = append(r.cfg.warnings, Problem{Where: at.where, Key: key, Text: fmt.Sprintf(format, args...), order: at.order})
}

// formerPlaceholders are those of EMQX 4, which mean nothing here.
var formerPlaceholders = [][2]string{{"%c", "${clientid}"}, {"%u", "${username}"}}

// formerly warns of placeholders in a topic that are not exgate's.
func (r rules) formerly(at origin, key, topic string) {
	for _, p := range formerPlaceholders {
		if strings.Contains(topic, p[0]) {
			r.warn(at, key, "holds %s, which stands for nothing and stays in the topic: write %s", p[0], p[1])
		}
	}
}

// mountpoint warns of one that runs into the topics behind it.
func (r rules) mountpoint(key, mountpoint string) {
	at := r.cfg.origins.of(key)
	r.formerly(at, key, mountpoint)
	if mountpoint != "" && !strings.HasSuffix(mountpoint, "/") {
		r.warn(at, key, "does not end with /, so that the topic temperature becomes %s: write %s", cut(mountpoint+"temperature"), cut(mountpoint+"/"))
	}
}
