package io.exgate.handler;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.grpc.ClientInterceptor;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.MetadataUtils;
import java.security.MessageDigest;

/** A token in the metadata of calls, in the form {@code authorization: Bearer TOKEN}. */
final class BearerToken {
  private static final Metadata.Key<String> AUTHORIZATION = Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final String value;

  BearerToken(String token) {
    value = "Bearer " + token;
  }

  /** Rejects calls without the token, except health checks. */
  ServerInterceptor demanded() {
    return new ServerInterceptor() {
      @Override
      public <A, B> ServerCall.Listener<A> interceptCall(ServerCall<A, B> call, Metadata metadata, ServerCallHandler<A, B> next) {
        if (matches(metadata.get(AUTHORIZATION)) || HealthGrpc.SERVICE_NAME.equals(call.getMethodDescriptor().getServiceName())) {
          return next.startCall(call, metadata);
        }
        call.close(Status.UNAUTHENTICATED.withDescription("the token of the gateway's setting token_file is not this handler's"), new Metadata());
        return new ServerCall.Listener<>() {};
      }
    };
  }

  private boolean matches(String presented) {
    return presented != null && MessageDigest.isEqual(presented.getBytes(UTF_8), value.getBytes(UTF_8));
  }

  /** Adds the token to calls. */
  ClientInterceptor presented() {
    Metadata metadata = new Metadata();
    metadata.put(AUTHORIZATION, value);
    return MetadataUtils.newAttachHeadersInterceptor(metadata);
  }
}
