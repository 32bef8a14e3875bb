/**
 * The SDK for handlers of device protocols behind exgate, and behind EMQX's ExProto. Implement a {@link io.exgate.handler.ConnectionHandler}, of
 * which each connection gets an instance; it acts on its {@link io.exgate.handler.Connection}. {@link io.exgate.handler.HandlerServer} serves it to any
 * number of gateways, in every dialect.
 */
package io.exgate.handler;
