// Package chaos has the whole gateway, as the program that is delivered, work with a real mosquitto while one or the
// other is restarted, killed or paused: what was acknowledged to a device arrives, in order, and again only where
// something was cut off.
package chaos
