package io.exgate.hivemq;

import com.hivemq.extension.sdk.api.ExtensionMain;
import com.hivemq.extension.sdk.api.auth.SimpleAuthenticator;
import com.hivemq.extension.sdk.api.auth.parameter.SimpleAuthInput;
import com.hivemq.extension.sdk.api.auth.parameter.SimpleAuthOutput;
import com.hivemq.extension.sdk.api.auth.parameter.TopicPermission;
import com.hivemq.extension.sdk.api.packets.auth.DefaultAuthorizationBehaviour;
import com.hivemq.extension.sdk.api.packets.connect.ConnackReasonCode;
import com.hivemq.extension.sdk.api.packets.connect.ConnectPacket;
import com.hivemq.extension.sdk.api.parameter.ExtensionStartInput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStartOutput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStopInput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStopOutput;
import com.hivemq.extension.sdk.api.services.Services;
import com.hivemq.extension.sdk.api.services.builder.Builders;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Who may connect, and which topic filters nobody may publish or subscribe to. Without users everyone may connect. */
final class AccessRules implements ExtensionMain, SimpleAuthenticator {
    private final Map<String, String> passwords = new HashMap<>();
    private final List<String> denied = new ArrayList<>();

    static AccessRules parse(String[] arguments, int from) {
        AccessRules rules = new AccessRules();
        for (int i = from; i < arguments.length; ) {
            switch (arguments[i]) {
                case "--user" -> {
                    rules.passwords.put(arguments[i + 1], arguments[i + 2]);
                    i += 3;
                }
                case "--deny" -> {
                    rules.denied.add(arguments[i + 1]);
                    i += 2;
                }
                default -> throw new IllegalArgumentException("no argument " + arguments[i] + "; there are --user and --deny");
            }
        }
        return rules;
    }

    @Override
    public void extensionStart(ExtensionStartInput input, ExtensionStartOutput output) {
        Services.securityRegistry().setAuthenticatorProvider(provided -> this);
    }

    @Override
    public void extensionStop(ExtensionStopInput input, ExtensionStopOutput output) {}

    @Override
    public void onConnect(SimpleAuthInput input, SimpleAuthOutput output) {
        if (!knows(input.getConnectPacket())) {
            output.failAuthentication(ConnackReasonCode.BAD_USER_NAME_OR_PASSWORD);
            return;
        }
        for (String filter : denied) {
            output.getDefaultPermissions().add(denial(filter));
        }
        output.getDefaultPermissions().setDefaultBehaviour(DefaultAuthorizationBehaviour.ALLOW);
        output.authenticateSuccessfully();
    }

    private boolean knows(ConnectPacket connect) {
        if (passwords.isEmpty()) {
            return true;
        }
        Optional<String> password = connect.getPassword().map(AccessRules::text);
        return password.isPresent() && password.equals(connect.getUserName().map(passwords::get));
    }

    private static String text(ByteBuffer bytes) {
        return StandardCharsets.UTF_8.decode(bytes.duplicate()).toString();
    }

    private static TopicPermission denial(String filter) {
        return Builders.topicPermission().topicFilter(filter).type(TopicPermission.PermissionType.DENY).build();
    }
}
