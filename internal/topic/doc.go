// Package topic has the rules for topic names, topic filters (MQTT 5, section 4.7), mountpoints and the other strings
// in MQTT packets: the one set for the whole project. It imports no other package of exgate. Only [Index] has a
// lock. Begin reading at CheckName.
package topic
