package io.exgate.examples.jsonecho;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.async.ByteArrayFeeder;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.util.TokenBuffer;
import java.io.IOException;
import java.io.UncheckedIOException;

/** Finds the JSON objects in what a device sends, however the network cut or joined them. */
final class Frames {
  private static final int MOST_BYTES = 64 << 10; // of a frame that is not whole
  private static final int MOST_TOKENS = 100;

  private static final ObjectMapper MAPPER =
      new ObjectMapper(
          JsonFactory.builder()
              .streamReadConstraints(StreamReadConstraints.builder().maxStringLength(MOST_BYTES).maxNameLength(64).maxNestingDepth(8).build())
              .build());

  private final JsonParser parser;
  private final ByteArrayFeeder input;
  private TokenBuffer frame; // null between frames
  private int bytes; // since the last frame
  private int tokens;
  private int depth;

  Frames() {
    try {
      parser = MAPPER.getFactory().createNonBlockingByteArrayParser();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    input = (ByteArrayFeeder) parser.getNonBlockingInputFeeder();
  }

  /** Takes what arrived. {@link #next} must have returned null before. */
  void add(byte[] arrived) throws IOException {
    bytes += arrived.length;
    input.feedInput(arrived, 0, arrived.length);
  }

  /**
   * The next whole frame, or null where more has to arrive first.
   *
   * @throws IOException where the device sent something else
   */
  Request next() throws IOException {
    for (JsonToken token = parser.nextToken(); token != JsonToken.NOT_AVAILABLE; token = parser.nextToken()) {
      follow(token);
      if (depth == 0) {
        return take();
      }
    }
    if (bytes > MOST_BYTES) {
      throw new JsonParseException(parser, "a frame is too long");
    }
    return null;
  }

  private void follow(JsonToken token) throws IOException {
    if (frame == null) {
      if (token != JsonToken.START_OBJECT) {
        throw new JsonParseException(parser, "a frame must be an object");
      }
      frame = new TokenBuffer(parser);
    }
    if (++tokens > MOST_TOKENS) {
      throw new JsonParseException(parser, "a frame has too many parts");
    }
    frame.copyCurrentEvent(parser);
    depth += token.isStructStart() ? 1 : token.isStructEnd() ? -1 : 0;
  }

  private Request take() throws IOException {
    try (TokenBuffer whole = frame) {
      frame = null;
      bytes = 0;
      tokens = 0;
      return MAPPER.readValue(whole.asParser(), Request.class);
    }
  }

  static byte[] encode(Answer answer) throws IOException {
    return MAPPER.writeValueAsBytes(answer);
  }
}
