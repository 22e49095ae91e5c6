package tidemark.capture;

import io.debezium.config.Configuration;
import io.debezium.connector.SnapshotType;
import io.debezium.connector.postgresql.PostgresConnectorConfig;
import io.debezium.connector.postgresql.connection.Lsn;
import io.debezium.connector.postgresql.connection.PostgresConnection;
import io.debezium.connector.postgresql.spi.SlotState;
import java.sql.SQLException;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.errors.RetriableException;

/**
 * Where the replication slot begins. Postgres sends nothing from before the place that the slot has confirmed, whatever
 * place is asked for. Debezium compares the stored offset with the log that the slot keeps, which may begin long before
 * that place (decision 021).
 */
final class SlotPlace {
    private SlotPlace() {}

    /**
     * Fails the start of a task if the slot is gone, or has confirmed more than was stored: then it was advanced, or
     * dropped and created again, and the changes in between would be left out. `stored` is null before the first record. An
     * initial snapshot that did not end begins again.
     */
    static void requireStored(Map<String, ?> stored, Configuration configuration) {
        if (stored == null || SnapshotType.INITIAL.name().equals(stored.get("snapshot"))) return;
        PostgresConnectorConfig config = new PostgresConnectorConfig(configuration);
        Lsn confirmed = confirmedBy(config);
        Lsn read = Lsn.valueOf(Stream.of("lsn", "lsn_proc", "lsn_commit").mapToLong(name -> number(stored.get(name))).max().orElse(0));
        if (confirmed == null) {
            throw new ConnectException("The replication slot " + config.slotName() + " is gone, and with it the log that was not read yet, after "
                + read.asString() + ". Run npm run recover");
        }
        if (confirmed.compareTo(read) <= 0) return;
        throw new ConnectException("The replication slot " + config.slotName() + " begins at " + confirmed.asString() + ", and capture has read up to "
            + read.asString() + ": it was advanced, or dropped and created again, and changes between are lost. Run npm run recover");
    }

    private static Lsn confirmedBy(PostgresConnectorConfig config) {
        try (PostgresConnection connection = new PostgresConnection(config.getJdbcConfig(), "tidemark-slot-place")) {
            SlotState slot = connection.getReplicationSlotState(config.slotName(), config.plugin().getPostgresPluginName());
            return slot == null ? null : slot.slotLastFlushedLsn();
        } catch (SQLException error) {
            throw new RetriableException("The source did not say where the replication slot begins", error);
        }
    }

    private static long number(Object value) {
        return value instanceof Number number ? number.longValue() : 0;
    }
}
