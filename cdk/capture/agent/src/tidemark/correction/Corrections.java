package tidemark.correction;

import io.debezium.connector.postgresql.Module;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.connect.errors.ConnectException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tidemark.agent.CaptureAgent;
import tidemark.agent.Correction;
import tidemark.agent.Correction.Advised;

/** Asks the agent, before anything streams, whether each method that it corrects is the expected one. */
public final class Corrections {
    private static final Logger LOGGER = LoggerFactory.getLogger(Corrections.class);

    private Corrections() {}

    /**
     * Throws a ConnectException with a message of one line when Debezium runs without some or all of its corrections.
     */
    public static void require() {
        Set<Correction> on = switchedOn();
        if (on.isEmpty()) {
            throw new ConnectException(
                    "Nothing is captured: the agent that corrects Debezium is not loaded. Start Kafka Connect with "
                            + "KAFKA_OPTS=-javaagent:<folder>/tidemark-agent.jar (cdk/capture/agent/README.md).");
        }
        if (!Module.version().equals(Correction.RELEASE)) throw unfit("this is Debezium " + Module.version());
        for (Correction correction : Correction.values()) {
            for (Advised advised : correction.advised()) {
                Optional<String> why = whyUncorrected(advised.type());
                if (why.isPresent()) throw unfit(why.get());
            }
        }
        LOGGER.info("Debezium {} is corrected: {}", Correction.RELEASE, on);
        Set<Correction> off = EnumSet.complementOf(EnumSet.copyOf(on));
        if (!off.isEmpty()) LOGGER.warn("Corrections are switched off, which loses or changes rows: {}", off);
    }

    private static Set<Correction> switchedOn() {
        try {
            return CaptureAgent.switchedOn();
        } catch (NoClassDefFoundError missing) {
            return Set.of();
        }
    }

    private static Optional<String> whyUncorrected(String type) {
        ClassLoader loader = Corrections.class.getClassLoader();
        try {
            Class.forName(type, false, loader);
        } catch (ClassNotFoundException missing) {
            return Optional.of("there is no class " + type);
        }
        return CaptureAgent.whyUncorrected(loader, type);
    }

    private static ConnectException unfit(String why) {
        return new ConnectException(String.format(
                "Nothing is captured: the agent corrects Debezium %s, and %s. Deploy that release, or an agent for this one "
                        + "(cdk/capture/agent/README.md).",
                Correction.RELEASE, why));
    }
}
