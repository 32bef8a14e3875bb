// Package handler is the logic of the JSON echo protocol, independent of how it is served: JSON objects one after
// another, with nothing between them.
//
//	1 CONNECT      {"type":1,"clientinfo":{"proto_name","proto_ver","clientid","username","mountpoint","keepalive"},
//	               "password"}
//	2 CONNACK      {"type":2,"code":0 or 1}
//	3 PUBLISH      {"type":3,"topic","qos","payload"}, both ways
//	4 PUBACK       {"type":4,"code"}
//	5 SUBSCRIBE    {"type":5,"topic","qos"}
//	6 SUBACK       {"type":6,"code"}
//	7 UNSUBSCRIBE  {"type":7,"topic"}
//	8 UNSUBACK     {"type":8,"code"}
//	9 DISCONNECT   {"type":9}, both ways
//	10 RAW_PUBLISH like PUBLISH, answered with PUBACK
//
// A code is 0 for success and 1 for any failure. Each field of clientinfo may be empty; keepalive is in seconds, 0 for
// none. Frames are handled one at a time: the next one waits until the broker has answered, so that replies are in the
// order of the requests.
package handler
