/**
 * Handlers of device protocols for exgate, and for EMQX's ExProto. A protocol is a {@link io.exgate.handler.ConnectionHandler}, of which each device's
 * connection gets one; what it can do to the connection is a {@link io.exgate.handler.Connection}; {@link io.exgate.handler.HandlerServer} serves it to any
 * number of gateways in whatever dialect they speak.
 */
package io.exgate.handler;
