package io.exgate.handler;

import com.google.protobuf.ByteString;
import emqx.exproto.v1.Exproto.Address;
import emqx.exproto.v1.Exproto.ConnInfo;
import emqx.exproto.v1.Exproto.Message;
import emqx.exproto.v1.Exproto.ReceivedBytesRequest;
import emqx.exproto.v1.Exproto.ReceivedMessagesRequest;
import emqx.exproto.v1.Exproto.SocketClosedRequest;
import emqx.exproto.v1.Exproto.SocketCreatedRequest;
import emqx.exproto.v1.Exproto.SocketType;

/** What a gateway says. */
final class Requests {
  static final ConnInfo INFO =
      ConnInfo.newBuilder().setSocktype(SocketType.SSL).setPeername(Address.newBuilder().setHost("10.0.0.1").setPort(5).build()).build();

  private Requests() {}

  static SocketCreatedRequest created(String conn) {
    return SocketCreatedRequest.newBuilder().setConn(conn).setConninfo(INFO).build();
  }

  static ReceivedBytesRequest bytes(String conn, String text) {
    return ReceivedBytesRequest.newBuilder().setConn(conn).setBytes(ByteString.copyFromUtf8(text)).build();
  }

  static ReceivedMessagesRequest messages(String conn, String... payloads) {
    ReceivedMessagesRequest.Builder request = ReceivedMessagesRequest.newBuilder().setConn(conn);
    for (String payload : payloads) {
      request.addMessages(message(payload));
    }
    return request.build();
  }

  static Message message(String payload) {
    return Message.newBuilder().setTopic("t").setPayload(ByteString.copyFromUtf8(payload)).build();
  }

  static SocketClosedRequest closed(String conn) {
    return SocketClosedRequest.newBuilder().setConn(conn).setReason("tcp_closed").build();
  }
}
