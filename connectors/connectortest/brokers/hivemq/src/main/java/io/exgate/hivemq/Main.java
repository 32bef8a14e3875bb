package io.exgate.hivemq;

import com.hivemq.embedded.EmbeddedExtension;
import com.hivemq.embedded.EmbeddedHiveMQ;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * HiveMQ Community Edition as a program: {@code java -jar hivemq.jar FOLDER [--user NAME PASSWORD] [--deny FILTER]}.
 *
 * <p>Its config.xml is in FOLDER, where its data go too. It ends when its standard input does, so that it outlives no test.
 */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        Path data = Files.createDirectories(folder.resolve("data"));
        Path extensions = Files.createDirectories(folder.resolve("extensions"));
        try (EmbeddedHiveMQ hivemq =
                EmbeddedHiveMQ.builder()
                        .withoutLoggingBootstrap()
                        .withConfigurationFolder(folder)
                        .withDataFolder(data)
                        .withExtensionsFolder(extensions)
                        .withEmbeddedExtension(extension(AccessRules.parse(arguments, 1)))
                        .build()) {
            hivemq.start().join();
            awaitEndOfInput();
        }
    }

    private static EmbeddedExtension extension(AccessRules rules) {
        return EmbeddedExtension.builder()
                .withId("exgate-test")
                .withName("exgate-test")
                .withVersion("1")
                .withPriority(1)
                .withStartPriority(1)
                .withExtensionMain(rules)
                .build();
    }

    private static void awaitEndOfInput() throws IOException {
        while (System.in.read() >= 0) {
            continue;
        }
    }
}
