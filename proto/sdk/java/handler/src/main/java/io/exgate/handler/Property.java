package io.exgate.handler;

/** A named value of a connection or a message. */
public record Property(String name, String value) {}
