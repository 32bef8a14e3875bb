package io.exgate.handler;

import emqx.exproto.v1.ConnectionAdapterGrpc.ConnectionAdapterImplBase;
import emqx.exproto.v1.Exproto.AuthenticateRequest;
import emqx.exproto.v1.Exproto.CloseSocketRequest;
import emqx.exproto.v1.Exproto.CodeResponse;
import emqx.exproto.v1.Exproto.PublishRequest;
import emqx.exproto.v1.Exproto.ResultCode;
import emqx.exproto.v1.Exproto.SendBytesRequest;
import io.grpc.Server;
import io.grpc.ServerCredentials;
import io.grpc.ServerInterceptor;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetSocketAddress;

/** A gateway's adapter, which writes down what it is asked for. It refuses to publish. */
final class FakeAdapter extends ConnectionAdapterImplBase implements AutoCloseable {
  private final Recorder recorder;
  private final Server server;

  FakeAdapter(Recorder recorder, ServerCredentials credentials, ServerInterceptor... interceptors) throws IOException {
    this.recorder = recorder;
    NettyServerBuilder builder = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0), credentials).addService(this);
    for (ServerInterceptor interceptor : interceptors) {
      builder.intercept(interceptor);
    }
    server = builder.build().start();
  }

  String target() {
    return "127.0.0.1:" + server.getPort();
  }

  @Override
  public void close() {
    server.shutdownNow();
  }

  private static void answer(StreamObserver<CodeResponse> answer, ResultCode code, String message) {
    answer.onNext(CodeResponse.newBuilder().setCode(code).setMessage(message).build());
    answer.onCompleted();
  }

  @Override
  public void send(SendBytesRequest r, StreamObserver<CodeResponse> answer) {
    recorder.add(r.getConn() + " < send " + r.getBytes().toStringUtf8());
    answer(answer, ResultCode.SUCCESS, "");
  }

  @Override
  public void close(CloseSocketRequest r, StreamObserver<CodeResponse> answer) {
    recorder.add(r.getConn() + " < close");
    answer(answer, ResultCode.SUCCESS, "");
  }

  @Override
  public void authenticate(AuthenticateRequest r, StreamObserver<CodeResponse> answer) {
    recorder.add(r.getConn() + " < authenticate " + r.getClientinfo().getClientid());
    answer(answer, ResultCode.SUCCESS, "");
  }

  @Override
  public void publish(PublishRequest r, StreamObserver<CodeResponse> answer) {
    answer(answer, ResultCode.PERMISSION_DENY, "not " + r.getTopic());
  }
}
