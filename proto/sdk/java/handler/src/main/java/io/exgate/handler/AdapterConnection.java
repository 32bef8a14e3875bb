package io.exgate.handler;

import com.google.protobuf.UnsafeByteOperations;
import emqx.exproto.v1.ConnectionAdapterGrpc;
import emqx.exproto.v1.ConnectionAdapterGrpc.ConnectionAdapterBlockingStub;
import emqx.exproto.v1.Exproto.AuthenticateRequest;
import emqx.exproto.v1.Exproto.CloseSocketRequest;
import emqx.exproto.v1.Exproto.CodeResponse;
import emqx.exproto.v1.Exproto.PublishRequest;
import emqx.exproto.v1.Exproto.RawPublishRequest;
import emqx.exproto.v1.Exproto.SendBytesRequest;
import emqx.exproto.v1.Exproto.SubscribeRequest;
import emqx.exproto.v1.Exproto.TimerRequest;
import emqx.exproto.v1.Exproto.TimerType;
import emqx.exproto.v1.Exproto.UnsubscribeRequest;
import io.grpc.Channel;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** A connection in the dialects of ExProto: its calls are RPCs to the gateway's adapter. */
final class AdapterConnection implements Connection {
  private final String id;
  private final ConnectionAdapterBlockingStub adapter;
  private final Duration timeout;

  AdapterConnection(String id, Channel adapter, Duration timeout) {
    this.id = id;
    this.adapter = ConnectionAdapterGrpc.newBlockingStub(adapter);
    this.timeout = timeout;
  }

  private Result call(Function<ConnectionAdapterBlockingStub, CodeResponse> method) {
    try {
      CodeResponse answer = method.apply(adapter.withDeadlineAfter(timeout.toMillis(), TimeUnit.MILLISECONDS));
      return Convert.result(answer.getCode(), answer.getMessage());
    } catch (StatusRuntimeException e) {
      return Result.unknown("calling the gateway's adapter: " + e.getStatus());
    }
  }

  @Override
  public String id() {
    return id;
  }

  @Override
  public Result send(byte[] bytes) {
    return call(a -> a.send(SendBytesRequest.newBuilder().setConn(id).setBytes(UnsafeByteOperations.unsafeWrap(bytes)).build()));
  }

  @Override
  public Result close() {
    return call(a -> a.close(CloseSocketRequest.newBuilder().setConn(id).build()));
  }

  @Override
  public Result authenticate(ClientInfo client, String password) {
    AuthenticateRequest request =
        AuthenticateRequest.newBuilder().setConn(id).setClientinfo(Convert.clientInfo(client)).setPassword(Convert.orEmpty(password)).build();
    return call(a -> a.authenticate(request));
  }

  @Override
  public Result startTimer(Duration interval) {
    TimerRequest request = TimerRequest.newBuilder().setConn(id).setType(TimerType.KEEPALIVE).setInterval(Convert.seconds(interval)).build();
    return call(a -> a.startTimer(request));
  }

  @Override
  public Result publish(String topic, int qos, byte[] payload) {
    PublishRequest request =
        PublishRequest.newBuilder().setConn(id).setTopic(topic).setQos(qos).setPayload(UnsafeByteOperations.unsafeWrap(payload)).build();
    return call(a -> a.publish(request));
  }

  @Override
  public Result subscribe(String topic, int qos) {
    return call(a -> a.subscribe(SubscribeRequest.newBuilder().setConn(id).setTopic(topic).setQos(qos).build()));
  }

  @Override
  public Result unsubscribe(String topic) {
    return call(a -> a.unsubscribe(UnsubscribeRequest.newBuilder().setConn(id).setTopic(topic).build()));
  }

  @Override
  public Result rawPublish(String topic, int qos, byte[] payload) {
    RawPublishRequest request =
        RawPublishRequest.newBuilder().setTopic(topic).setQos(qos).setPayload(UnsafeByteOperations.unsafeWrap(payload)).build();
    return call(a -> a.rawPublish(request));
  }
}
