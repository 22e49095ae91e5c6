package tidemark.capture;

import io.debezium.connector.postgresql.PostgresConnector;
import org.apache.kafka.connect.connector.Task;

/** Debezium's connector, whose task sends a record that does not fit an event in parts (docs/decisions/019-large-rows.md). */
public class PartedPostgresConnector extends PostgresConnector {
    @Override
    public Class<? extends Task> taskClass() {
        return PartedPostgresTask.class;
    }
}
