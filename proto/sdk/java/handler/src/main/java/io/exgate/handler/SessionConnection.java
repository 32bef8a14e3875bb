package io.exgate.handler;

import com.google.protobuf.UnsafeByteOperations;
import emqx.exproto.v1.Exproto.TimerType;
import io.exgate.handler.v1.Authenticate;
import io.exgate.handler.v1.Close;
import io.exgate.handler.v1.Command;
import io.exgate.handler.v1.Publish;
import io.exgate.handler.v1.SaveState;
import io.exgate.handler.v1.SetTimer;
import io.exgate.handler.v1.StartTimer;
import io.exgate.handler.v1.Subscribe;
import io.exgate.handler.v1.Unsubscribe;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;

/** A connection in a session: its calls are commands, whose results arrive on the stream. */
final class SessionConnection implements Connection {
  private final String id;
  private final long number;
  private final CommandQueue commands;
  private final Duration timeout;
  private final List<String> features; // of the gateway
  private final AtomicLong tokens = new AtomicLong();
  private final Map<Long, CompletableFuture<Result>> waiting = new ConcurrentHashMap<>();
  private volatile boolean gone;
  private volatile byte[] state = {}; // that came with the login

  SessionConnection(String id, long number, CommandQueue commands, Duration timeout, List<String> features) {
    this.id = id;
    this.number = number;
    this.commands = commands;
    this.timeout = timeout;
    this.features = features;
  }

  void acknowledge(long seq) {
    commands.acknowledge(number, seq);
  }

  /** Answers a call. kept is the state that came with the result, and is empty if none did. */
  void answer(long token, Result result, byte[] kept) {
    if (kept.length > 0) {
      state = kept;
    }
    answer(token, result);
  }

  private void answer(long token, Result result) {
    CompletableFuture<Result> call = waiting.remove(token);
    if (call != null) {
      call.complete(result);
    }
  }

  /** Fails the pending and all later calls, because the gateway no longer answers. */
  void gone() {
    gone = true;
    waiting.keySet().forEach(token -> answer(token, Result.GONE));
  }

  private Result tell(Command.Builder command) {
    return !gone && commands.add(command.setConn(number)) ? Result.SUCCESS : Result.GONE;
  }

  private Result ask(Command.Builder command) {
    CompletableFuture<Result> call = new CompletableFuture<>();
    long token = tokens.incrementAndGet();
    waiting.put(token, call);
    try {
      return tell(command.setToken(token)).ok() ? await(call) : Result.GONE;
    } finally {
      waiting.remove(token);
    }
  }

  private Result await(CompletableFuture<Result> call) {
    try {
      return call.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      return Result.unknown("the gateway did not answer within " + timeout.toMillis() + " ms");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Result.unknown("interrupted");
    } catch (ExecutionException e) {
      throw new IllegalStateException(e); // results are never completed with an exception
    }
  }

  @Override
  public String id() {
    return id;
  }

  @Override
  public Result send(byte[] bytes) {
    return tell(Command.newBuilder().setSend(UnsafeByteOperations.unsafeWrap(bytes)));
  }

  @Override
  public Result close() {
    return tell(Command.newBuilder().setClose(Close.getDefaultInstance()));
  }

  @Override
  public Result authenticate(ClientInfo client, String password) {
    return ask(
        Command.newBuilder()
            .setAuthenticate(Authenticate.newBuilder().setClientinfo(Convert.clientInfo(client)).setPassword(Convert.orEmpty(password))));
  }

  @Override
  public Result startTimer(Duration interval) {
    return ask(Command.newBuilder().setStartTimer(StartTimer.newBuilder().setType(TimerType.KEEPALIVE).setInterval(Convert.seconds(interval))));
  }

  @Override
  public Result setTimer(int id, Duration after) {
    if (!features.contains("timers")) {
      return new Result(Result.Code.PARAMS_TYPE_ERROR, "the gateway has no timers: it needs a newer version");
    }
    return ask(Command.newBuilder().setSetTimer(SetTimer.newBuilder().setId(id).setMs(Convert.milliseconds(after))));
  }

  @Override
  public byte[] state() {
    return state.clone();
  }

  @Override
  public Result saveState(byte[] state) {
    if (!features.contains("state")) {
      return new Result(Result.Code.PARAMS_TYPE_ERROR, "the gateway keeps no state: it needs a newer version");
    }
    return ask(Command.newBuilder().setSaveState(SaveState.newBuilder().setState(UnsafeByteOperations.unsafeWrap(state))));
  }

  @Override
  public Result publish(String topic, int qos, byte[] payload) {
    return ask(Command.newBuilder().setPublish(message(topic, qos, payload)));
  }

  @Override
  public Result publishWith(String topic, int qos, byte[] payload, Properties properties) {
    if (!features.contains("properties")) {
      return new Result(Result.Code.PARAMS_TYPE_ERROR, "the gateway has no properties: it needs a newer version");
    }
    return ask(Command.newBuilder().setPublish(message(topic, qos, payload).setProperties(properties.encoded())));
  }

  @Override
  public Result rawPublish(String topic, int qos, byte[] payload) {
    return ask(Command.newBuilder().setRawPublish(message(topic, qos, payload)));
  }

  private static Publish.Builder message(String topic, int qos, byte[] payload) {
    return Publish.newBuilder().setTopic(topic).setQos(qos).setPayload(UnsafeByteOperations.unsafeWrap(payload));
  }

  @Override
  public Result subscribe(String topic, int qos) {
    return ask(Command.newBuilder().setSubscribe(Subscribe.newBuilder().setTopic(topic).setQos(qos)));
  }

  @Override
  public Result unsubscribe(String topic) {
    return ask(Command.newBuilder().setUnsubscribe(Unsubscribe.newBuilder().setTopic(topic)));
  }
}
