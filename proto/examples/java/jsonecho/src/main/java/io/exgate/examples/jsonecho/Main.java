package io.exgate.examples.jsonecho;

import io.exgate.handler.HandlerServer;
import io.exgate.handler.HandlerServerBuilder;
import io.grpc.TlsChannelCredentials;
import io.grpc.TlsServerCredentials;
import java.io.File;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Serves the JSON echo protocol until it is told to end. */
@Command(name = "jsonecho", mixinStandardHelpOptions = true, description = "Serves the JSON echo protocol to gateways.")
final class Main implements Callable<Integer> {

  @Option(names = "--listen", description = "address that the gateway's handler.grpc names; port 0 takes a free one (${DEFAULT-VALUE})")
  private String listen = "127.0.0.1:9001";

  @Option(names = "--adapter", description = "address of the gateway's adapter (${DEFAULT-VALUE})")
  private String adapter = "127.0.0.1:9100";

  @Option(names = "--unary-v42", description = "serve ConnectionHandler as EMQX Enterprise 4.2 calls it")
  private boolean unaryV42;

  @Option(names = "--cert", description = "certificate of the handler, a PEM file; without it, plain text")
  private File certificate;

  @Option(names = "--key", description = "its key, a PEM file")
  private File key;

  @Option(names = "--adapter-ca", description = "authority of the adapter's certificate, a PEM file; without it, plain text")
  private File adapterAuthority;

  @Option(names = "--token-file", description = "file with the token that the gateway must present")
  private Path tokenFile;

  @Option(names = "--adapter-token-file", description = "file with the token that the adapter wants")
  private Path adapterTokenFile;

  public static void main(String[] args) {
    System.exit(new CommandLine(new Main()).execute(args));
  }

  @Override
  public Integer call() throws Exception {
    HandlerServer server = server().start();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server)));
    InetSocketAddress address = server.address();
    System.out.printf("handler on %s:%d calls the adapter at %s%n", address.getAddress().getHostAddress(), address.getPort(), adapter);
    server.awaitTermination();
    return 0;
  }

  /** To be ended by a signal is this program's way to succeed. */
  private static void stop(HandlerServer server) {
    server.close();
    Runtime.getRuntime().halt(0);
  }

  private HandlerServerBuilder server() throws IOException {
    int colon = listen.lastIndexOf(':');
    HandlerServerBuilder server =
        HandlerServer.builder(JsonEcho::new)
            .program("jsonecho")
            .listen(new InetSocketAddress(listen.substring(0, colon), Integer.parseInt(listen.substring(colon + 1))))
            .adapter(adapter)
            .unaryV42(unaryV42);
    if (certificate != null) {
      server.credentials(TlsServerCredentials.create(certificate, key));
    }
    if (adapterAuthority != null) {
      server.adapterCredentials(TlsChannelCredentials.newBuilder().trustManager(adapterAuthority).build());
    }
    if (tokenFile != null) {
      server.token(Files.readString(tokenFile).strip());
    }
    if (adapterTokenFile != null) {
      server.adapterToken(Files.readString(adapterTokenFile).strip());
    }
    return server;
  }
}
