package io.exgate.handler;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import emqx.exproto.v1.ConnectionUnaryHandlerGrpc;
import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptors;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.ServerCredentials;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.TlsServerCredentials;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.reflection.v1.ServiceResponse;
import io.grpc.stub.StreamObserver;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HandlerServerTest {

  private static void hello(Channel channel) {
    ConnectionUnaryHandlerGrpc.newBlockingStub(channel).onReceivedBytes(Requests.bytes("a", "echo"));
  }

  @Test
  void callersPresentTheToken() throws Exception {
    Recorder recorder = new Recorder();
    FakeAdapter adapter = new FakeAdapter(recorder, InsecureServerCredentials.create(), new BearerToken("theirs").demanded());
    try (Fixture f = new Fixture(s -> s.token("ours").adapterToken("theirs"), adapter, InsecureChannelCredentials.create())) {
      assertEquals(Status.Code.UNAUTHENTICATED, assertThrows(StatusRuntimeException.class, () -> hello(f.channel)).getStatus().getCode());
      Channel wrong = ClientInterceptors.intercept(f.channel, new BearerToken("our").presented());
      assertEquals(Status.Code.UNAUTHENTICATED, assertThrows(StatusRuntimeException.class, () -> hello(wrong)).getStatus().getCode());
      assertEquals(ServingStatus.SERVING, health(f.channel, ""));
      hello(ClientInterceptors.intercept(f.channel, new BearerToken("ours").presented()));
      f.recorder.expect("a resumed ", "a echo SUCCESS");
      recorder.expect("a < send echo");
    }
  }

  @Test
  void bothWaysAreEncrypted(@TempDir Path folder) throws Exception {
    Certificate certificate = Certificate.make(folder);
    ServerCredentials served = TlsServerCredentials.create(certificate.certificate().toFile(), certificate.key().toFile());
    ChannelCredentials trusted = TlsChannelCredentials.newBuilder().trustManager(certificate.certificate().toFile()).build();
    FakeAdapter adapter = new FakeAdapter(new Recorder(), served);
    try (Fixture f = new Fixture(s -> s.credentials(served).adapterCredentials(trusted), adapter, trusted)) {
      hello(f.channel);
      f.recorder.expect("a resumed ", "a echo SUCCESS");
      assertThrows(StatusRuntimeException.class, () -> hello(f.connect(InsecureChannelCredentials.create())));
    }
  }

  private static ServingStatus health(Channel channel, String service) {
    return HealthGrpc.newBlockingStub(channel).check(HealthCheckRequest.newBuilder().setService(service).build()).getStatus();
  }

  @Test
  void servicesAreShown() throws Exception {
    try (Fixture f = new Fixture(s -> s)) {
      for (String service : Set.of("emqx.exproto.v1.ConnectionUnaryHandler", "emqx.exproto.v1.ConnectionHandler", "exgate.handler.v1.SessionHandler")) {
        assertEquals(ServingStatus.SERVING, health(f.channel, service));
      }
      assertEquals(
          Set.of(
              "emqx.exproto.v1.ConnectionUnaryHandler",
              "emqx.exproto.v1.ConnectionHandler",
              "exgate.handler.v1.SessionHandler",
              "grpc.health.v1.Health",
              "grpc.reflection.v1.ServerReflection"),
          reflected(f.channel));
    }
  }

  private static Set<String> reflected(Channel channel) throws Exception {
    CompletableFuture<ServerReflectionResponse> answer = new CompletableFuture<>();
    StreamObserver<ServerReflectionRequest> requests =
        ServerReflectionGrpc.newStub(channel)
            .serverReflectionInfo(
                new StreamObserver<>() {
                  @Override
                  public void onNext(ServerReflectionResponse r) {
                    answer.complete(r);
                  }

                  @Override
                  public void onError(Throwable failure) {
                    answer.completeExceptionally(failure);
                  }

                  @Override
                  public void onCompleted() {}
                });
    requests.onNext(ServerReflectionRequest.newBuilder().setListServices("").build());
    ServerReflectionResponse response = answer.get(Recorder.PATIENCE_SECONDS, TimeUnit.SECONDS);
    requests.onCompleted();
    return response.getListServicesResponse().getServiceList().stream().map(ServiceResponse::getName).collect(Collectors.toSet());
  }

  @Test
  void withoutAnAdapterOnlySessionsAreServed() throws Exception {
    try (Fixture f = new Fixture(s -> s.adapter(null))) {
      assertEquals(Set.of("exgate.handler.v1.SessionHandler", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"), reflected(f.channel));
    }
  }
}
