package io.exgate.handler;

import emqx.exproto.v1.Exproto;
import io.exgate.handler.v1.Messages;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** Converts between the messages of the contract and the types of this package. Unknown enum values become the most general known one. */
final class Convert {

  private Convert() {}

  static ConnInfo connInfo(Exproto.ConnInfo info) {
    return connInfo(info, List.of());
  }

  static ConnInfo connInfo(Exproto.ConnInfo info, List<io.exgate.handler.v1.Property> properties) {
    return new ConnInfo(
        socketType(info.getSocktype()),
        address(info.getPeername()),
        address(info.getSockname()),
        info.hasPeercert() ? new ConnInfo.Certificate(info.getPeercert().getCn(), info.getPeercert().getDn()) : null,
        Properties.list(properties));
  }

  private static ConnInfo.SocketType socketType(Exproto.SocketType type) {
    return switch (type) {
      case SSL -> ConnInfo.SocketType.SSL;
      case UDP -> ConnInfo.SocketType.UDP;
      case DTLS -> ConnInfo.SocketType.DTLS;
      case TCP, UNRECOGNIZED -> ConnInfo.SocketType.TCP;
    };
  }

  private static ConnInfo.Address address(Exproto.Address address) {
    return new ConnInfo.Address(address.getHost(), address.getPort());
  }

  static List<Message> messages(List<Exproto.Message> messages) {
    return messages.stream().map(m -> message(m, null)).toList();
  }

  /** The messages with the properties of some of them, by index. */
  static List<Message> messages(Messages event) {
    List<Message> all = new ArrayList<>();
    for (Exproto.Message m : event.getMessagesList()) {
      io.exgate.handler.v1.Properties found = event.getPropertiesMap().get(all.size());
      all.add(message(m, found == null ? null : Properties.of(found)));
    }
    return List.copyOf(all);
  }

  private static Message message(Exproto.Message m, Properties properties) {
    byte[] payload = m.getPayload().toByteArray();
    return new Message(m.getNode(), m.getId(), m.getQos(), m.getFrom(), m.getTopic(), payload, Instant.ofEpochMilli(m.getTimestamp()), properties);
  }

  static Exproto.ClientInfo clientInfo(ClientInfo client) {
    return Exproto.ClientInfo.newBuilder()
        .setProtoName(client.protoName())
        .setProtoVer(client.protoVersion())
        .setClientid(client.clientId())
        .setUsername(client.username())
        .setMountpoint(client.mountpoint())
        .build();
  }

  static ClientInfo clientInfo(Exproto.ClientInfo client) {
    return new ClientInfo(client.getProtoName(), client.getProtoVer(), client.getClientid(), client.getUsername(), client.getMountpoint());
  }

  static Result result(Exproto.ResultCode code, String message) {
    return switch (code) {
      case SUCCESS -> Result.SUCCESS;
      case CONN_PROCESS_NOT_ALIVE -> new Result(Result.Code.CONN_PROCESS_NOT_ALIVE, message);
      case REQUIRED_PARAMS_MISSED -> new Result(Result.Code.REQUIRED_PARAMS_MISSED, message);
      case PARAMS_TYPE_ERROR -> new Result(Result.Code.PARAMS_TYPE_ERROR, message);
      case PERMISSION_DENY -> new Result(Result.Code.PERMISSION_DENY, message);
      case UNKNOWN, UNRECOGNIZED -> Result.unknown(message);
    };
  }

  /** Whole seconds, as in the contract. */
  static int seconds(Duration interval) {
    return Math.toIntExact(interval.toSeconds());
  }

  /** Milliseconds, or the nearest value that the contract has. */
  static int milliseconds(Duration after) {
    return after.isNegative() ? -1 : (int) Math.min(after.toMillis(), Integer.MAX_VALUE);
  }

  static String orEmpty(String s) {
    return s == null ? "" : s;
  }
}
