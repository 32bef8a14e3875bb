package io.exgate.handler;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import emqx.exproto.v1.Exproto;
import io.exgate.handler.v1.Alarm;
import io.exgate.handler.v1.Closed;
import io.exgate.handler.v1.Command;
import io.exgate.handler.v1.Command.CommandCase;
import io.exgate.handler.v1.Created;
import io.exgate.handler.v1.Event;
import io.exgate.handler.v1.GatewayFrame;
import io.exgate.handler.v1.GatewayHello;
import io.exgate.handler.v1.HandlerFrame;
import io.exgate.handler.v1.Messages;
import io.exgate.handler.v1.Properties;
import io.exgate.handler.v1.Property;
import io.exgate.handler.v1.SessionHandlerGrpc;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SessionTest {
  private Fixture fixture;
  private StreamObserver<GatewayFrame> gateway;
  private final BlockingQueue<HandlerFrame> frames = new LinkedBlockingQueue<>();
  private final BlockingQueue<Command> commands = new LinkedBlockingQueue<>();
  private final BlockingQueue<Status> ended = new LinkedBlockingQueue<>();

  @BeforeEach
  void open() throws Exception {
    fixture = new Fixture(s -> s.program("test/1"));
    gateway = SessionHandlerGrpc.newStub(fixture.channel).session(new Answers());
  }

  @AfterEach
  void stop() {
    fixture.close();
  }

  private final class Answers implements StreamObserver<HandlerFrame> {
    @Override
    public void onNext(HandlerFrame frame) {
      if (frame.hasHello() || frame.getPong() != 0) {
        frames.add(frame);
      }
      commands.addAll(frame.getCommandsList());
    }

    @Override
    public void onError(Throwable failure) {
      ended.add(Status.fromThrowable(failure));
    }

    @Override
    public void onCompleted() {
      ended.add(Status.OK);
    }
  }

  private static <T> T next(BlockingQueue<T> queue) throws InterruptedException {
    return queue.poll(Recorder.PATIENCE_SECONDS, TimeUnit.SECONDS);
  }

  private void greet(String... features) throws InterruptedException {
    gateway.onNext(GatewayFrame.newBuilder().setHello(GatewayHello.newBuilder().setVersion(7).addAllFeatures(List.of(features))).build());
    HandlerFrame answer = next(frames);
    assertEquals("1 test/1", answer.getHello().getVersion() + " " + answer.getHello().getProgram());
  }

  private void tell(Event.Builder... events) {
    GatewayFrame.Builder frame = GatewayFrame.newBuilder();
    for (Event.Builder event : events) {
      frame.addEvents(event);
    }
    gateway.onNext(frame.build());
  }

  private static Event.Builder created(long conn, String id) {
    return Event.newBuilder().setConn(conn).setSeq(1).setCreated(Created.newBuilder().setId(id).setConninfo(Requests.INFO));
  }

  private static Event.Builder bytes(long conn, long seq, String text) {
    return Event.newBuilder().setConn(conn).setSeq(seq).setBytes(ByteString.copyFromUtf8(text));
  }

  private static Event.Builder closed(long conn, long seq) {
    return Event.newBuilder().setConn(conn).setSeq(seq).setClosed(Closed.newBuilder().setReason("normal"));
  }

  private static Event.Builder result(Command asked, Exproto.ResultCode code) {
    return Event.newBuilder()
        .setConn(asked.getConn())
        .setResult(io.exgate.handler.v1.Result.newBuilder().setToken(asked.getToken()).setCode(code).setMessage("so"));
  }

  /** Reads commands up to the acknowledgement of an event. */
  private void expectAck(long conn, long seq) throws InterruptedException {
    Command c = next(commands);
    while (c != null && (c.getConn() != conn || c.getAck() < seq)) {
      c = next(commands);
    }
    assertEquals(seq, c == null ? -1 : c.getAck());
  }

  @Test
  void acknowledgementsFollowTheCommandsOfTheirCallbacks() throws Exception {
    greet();
    tell(created(1, "a"), bytes(1, 2, "echo"), bytes(1, 3, "hello"), closed(1, 4));
    fixture.recorder.expect("a created SSL 10.0.0.1:5", "a echo SUCCESS", "a bytes hello", "a closed normal");
    long acked = 0;
    boolean sent = false;
    while (acked < 4) {
      Command c = next(commands);
      sent |= c.getCommandCase() == CommandCase.SEND;
      acked = Math.max(acked, c.getAck());
      assertTrue(sent || acked < 2, "acknowledged " + acked + " and sent nothing");
    }
  }

  @Test
  void resultsComeWhileTheirCallbackWaits() throws Exception {
    greet();
    tell(created(1, "a"), bytes(1, 2, "login"), bytes(1, 3, "publish"));
    expectAck(1, 1);
    tell(result(next(commands), Exproto.ResultCode.SUCCESS));
    expectAck(1, 2);
    tell(result(next(commands), Exproto.ResultCode.PERMISSION_DENY));
    fixture.recorder.expect("a created SSL 10.0.0.1:5", "a login SUCCESS", "a publish Result[code=PERMISSION_DENY, message=so]");
    expectAck(1, 3);
  }

  @Test
  void timersAreSetCancelledAndFire() throws Exception {
    greet("timers");
    tell(created(1, "a"), bytes(1, 2, "alarm"));
    expectAck(1, 1);
    Command set = next(commands);
    assertEquals("3 250", set.getSetTimer().getId() + " " + set.getSetTimer().getMs());
    tell(result(set, Exproto.ResultCode.SUCCESS));
    Command cancelled = next(commands);
    assertEquals("3 -1", cancelled.getSetTimer().getId() + " " + cancelled.getSetTimer().getMs());
    tell(result(cancelled, Exproto.ResultCode.SUCCESS), Event.newBuilder().setConn(1).setSeq(3).setAlarm(Alarm.newBuilder().setId(3)));
    expectAck(1, 3);
    fixture.recorder.expect("a created SSL 10.0.0.1:5", "a set Result[code=SUCCESS, message=]", "a cancelled SUCCESS", "a alarm 3");
  }

  @Test
  void anOlderGatewayHasNoTimers() throws Exception {
    greet();
    tell(created(1, "a"), bytes(1, 2, "alarm"));
    expectAck(1, 2);
    fixture.recorder.expect(
        "a created SSL 10.0.0.1:5",
        "a set Result[code=PARAMS_TYPE_ERROR, message=the gateway has no timers: it needs a newer version]",
        "a cancelled PARAMS_TYPE_ERROR");
  }

  @Test
  void stateComesWithTheLoginAndIsSaved() throws Exception {
    greet("timers", "state");
    tell(created(1, "a"), bytes(1, 2, "login"), bytes(1, 3, "state"), bytes(1, 4, "save"));
    expectAck(1, 1);
    Command login = next(commands);
    tell(
        Event.newBuilder()
            .setConn(1)
            .setResult(io.exgate.handler.v1.Result.newBuilder().setToken(login.getToken()).setState(ByteString.copyFromUtf8("7"))));
    expectAck(1, 3);
    Command save = next(commands);
    assertEquals("8", save.getSaveState().getState().toStringUtf8());
    tell(result(save, Exproto.ResultCode.SUCCESS));
    fixture.recorder.expect("a created SSL 10.0.0.1:5", "a login SUCCESS", "a state 7", "a saved Result[code=SUCCESS, message=]");
  }

  @Test
  void anOlderGatewayKeepsNoState() throws Exception {
    greet();
    tell(created(1, "a"), bytes(1, 2, "save"));
    expectAck(1, 2);
    fixture.recorder.expect(
        "a created SSL 10.0.0.1:5", "a saved Result[code=PARAMS_TYPE_ERROR, message=the gateway keeps no state: it needs a newer version]");
  }

  @Test
  void messagesHaveProperties() throws Exception {
    greet("properties");
    Event.Builder created = created(1, "a");
    created.getCreatedBuilder().addProperties(Property.newBuilder().setName("path").setValue("/ws"));
    tell(created, bytes(1, 2, "with"));
    expectAck(1, 1);
    Command published = next(commands);
    Property user = Property.newBuilder().setName("k").setValue("v").build();
    Properties.Builder all = Properties.newBuilder().setRetain(true).setExpiry(60).setContentType("text/plain");
    all.setResponseTopic("a").setCorrelation(ByteString.copyFromUtf8("7")).addUser(user);
    assertEquals(all.build(), published.getPublish().getProperties());
    Properties asked =
        Properties.newBuilder().setResponseTopic("answers").setCorrelation(ByteString.copyFromUtf8("c")).addUser(user).build();
    Messages.Builder messages = Messages.newBuilder().addMessages(Requests.message("plain")).addMessages(Requests.message("?"));
    tell(result(published, Exproto.ResultCode.SUCCESS), Event.newBuilder().setConn(1).setSeq(3).setMessages(messages.putProperties(1, asked)));
    expectAck(1, 2);
    Command answer = next(commands);
    assertEquals("answers ?", answer.getPublish().getTopic() + " " + answer.getPublish().getPayload().toStringUtf8());
    assertEquals(Properties.newBuilder().setCorrelation(ByteString.copyFromUtf8("c")).build(), answer.getPublish().getProperties());
    tell(result(answer, Exproto.ResultCode.SUCCESS));
    fixture.recorder.expect(
        "a created SSL 10.0.0.1:5/ws",
        "a published Result[code=SUCCESS, message=]",
        "a message t plain",
        "a message t ?",
        "a properties [Property[name=k, value=v]], answer SUCCESS");
  }

  @Test
  void anOlderGatewayHasNoProperties() throws Exception {
    greet();
    tell(created(1, "a"), bytes(1, 2, "with"));
    expectAck(1, 2);
    fixture.recorder.expect(
        "a created SSL 10.0.0.1:5", "a published Result[code=PARAMS_TYPE_ERROR, message=the gateway has no properties: it needs a newer version]");
  }

  @Test
  void callsAreAnsweredUntilTheLastEventIsAcknowledged() throws Exception {
    greet();
    tell(created(1, "a"), bytes(1, 2, "publish"), closed(1, 3));
    expectAck(1, 1);
    tell(result(next(commands), Exproto.ResultCode.SUCCESS));
    expectAck(1, 3);
    fixture.recorder.expect("a created SSL 10.0.0.1:5", "a publish Result[code=SUCCESS, message=]", "a closed normal");
  }

  @Test
  void aConnectionThatWaitsDoesNotHoldUpAnother() throws Exception {
    greet();
    tell(created(1, "a"), bytes(1, 2, "wait"), created(2, "b"), bytes(2, 2, "echo"));
    expectAck(2, 2);
  }

  @Test
  void anExceptionClosesTheConnection() throws Exception {
    greet();
    tell(created(1, "a"), bytes(1, 2, "throw"));
    expectAck(1, 1);
    Command close = next(commands);
    assertEquals(CommandCase.CLOSE, close.getCommandCase());
  }

  @Test
  void aStreamThatBreaksEndsItsConnections() throws Exception {
    greet();
    tell(created(1, "a"), bytes(1, 2, "login"));
    expectAck(1, 1);
    gateway.onError(Status.CANCELLED.asException());
    fixture.recorder.expect("a created SSL 10.0.0.1:5", "a login CONN_PROCESS_NOT_ALIVE", "a closed stream_ended");
  }

  @Test
  void aStreamThatTheGatewayEndsIsEnded() throws Exception {
    greet();
    gateway.onCompleted();
    assertEquals(Status.OK, next(ended));
  }

  @Test
  void connectionsThatLiveOnAreResumed() throws Exception {
    greet();
    Created resumed =
        Created.newBuilder().setId("a").setResumed(true).setClientinfo(Exproto.ClientInfo.newBuilder().setClientid("c1")).build();
    tell(Event.newBuilder().setConn(9).setCreated(resumed), bytes(9, 5, "hello"));
    fixture.recorder.expect("a resumed c1", "a bytes hello");
    expectAck(9, 5);
  }

  @Test
  void whatIsUnknownIsAcknowledgedOrIgnored() throws Exception {
    greet();
    tell(bytes(5, 1, "of no connection"), created(1, "a"), Event.newBuilder().setConn(1).setSeq(2));
    expectAck(1, 2);
    fixture.recorder.expect("a created SSL 10.0.0.1:5");
  }

  @Test
  void pingsAreAnswered() throws Exception {
    greet();
    gateway.onNext(GatewayFrame.newBuilder().setPing(42).build());
    assertEquals(42, next(frames).getPong());
  }

  @Test
  void aStreamWithoutHelloIsRefused() throws Exception {
    tell(created(1, "a"));
    assertEquals(Status.Code.FAILED_PRECONDITION, next(ended).getCode());
  }
}
