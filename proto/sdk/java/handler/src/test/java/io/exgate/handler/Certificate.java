package io.exgate.handler;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Base64;
import java.util.List;

/** A certificate for 127.0.0.1 that the JDK's keytool makes, as PEM files. */
record Certificate(Path certificate, Path key) {
  private static final char[] PASSWORD = "changeit".toCharArray();

  static Certificate make(Path folder) throws IOException, InterruptedException, GeneralSecurityException {
    Path file = folder.resolve("test.p12");
    keytool("-genkeypair", "-keystore", file.toString(), "-storepass", new String(PASSWORD), "-alias", "test", "-keyalg", "EC", "-dname", "CN=test",
        "-ext", "san=ip:127.0.0.1");
    KeyStore store = KeyStore.getInstance(file.toFile(), PASSWORD);
    return new Certificate(
        pem(folder.resolve("cert.pem"), "CERTIFICATE", store.getCertificate("test").getEncoded()),
        pem(folder.resolve("key.pem"), "PRIVATE KEY", store.getKey("test", PASSWORD).getEncoded()));
  }

  private static void keytool(String... arguments) throws IOException, InterruptedException {
    ProcessBuilder keytool = new ProcessBuilder(System.getProperty("java.home") + File.separator + "bin" + File.separator + "keytool");
    keytool.command().addAll(List.of(arguments));
    assertEquals(0, keytool.inheritIO().start().waitFor());
  }

  private static Path pem(Path file, String kind, byte[] content) throws IOException {
    String text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(content);
    return Files.writeString(file, "-----BEGIN " + kind + "-----\n" + text + "\n-----END " + kind + "-----\n");
  }
}
