package tidemark.capture;

import io.debezium.config.Configuration;
import io.debezium.connector.postgresql.PostgresConnectorTask;
import io.debezium.connector.postgresql.PostgresOffsetContext;
import io.debezium.connector.postgresql.PostgresPartition;
import io.debezium.pipeline.ChangeEventSourceCoordinator;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.connect.source.SourceRecord;
import tidemark.correction.Corrections;

/**
 * Debezium's task; what it polled is handed on with each large record in parts, and the slot confirms nothing that Connect has
 * not stored.
 */
public class PartedPostgresTask extends PostgresConnectorTask {
    /** The longest value of a record, in bytes of JSON. */
    static final String RECORD_BYTES = "tidemark.record.bytes";
    /** The longest value that is sent in parts, in bytes of JSON. */
    static final String ROW_BYTES = "tidemark.row.bytes";

    private final ArrayDeque<SourceRecord> polled = new ArrayDeque<>();
    /** What is left of a large record. */
    private Iterator<SourceRecord> rest = Collections.emptyIterator();
    private RecordParts parts;
    /** The offset of the record that was handed on last; null before the first since the start. */
    private Map<String, ?> handedOn;
    /** What Connect stores offsets by. */
    private Map<String, String> partition;
    /** The stored offset that the slot has been told last. */
    private volatile Map<String, ?> confirmed;

    @Override
    public ChangeEventSourceCoordinator<PostgresPartition, PostgresOffsetContext> start(Configuration config) {
        Corrections.require();
        parts = new RecordParts(config.getInteger(RECORD_BYTES), config.getInteger(ROW_BYTES));
        // After an error that is retried, Debezium begins at the stored offset: what was polled before comes again.
        polled.clear();
        rest = Collections.emptyIterator();
        handedOn = null;
        confirmed = null;
        partition = Map.of("server", config.getString("topic.prefix"));
        SlotPlace.requireStored(stored(), config);
        return super.start(config);
    }

    /** What Debezium would confirm to the slot is the record that was acknowledged last, also before others of earlier places. */
    @Override
    public void commitRecord(SourceRecord record, RecordMetadata metadata) {}

    /** After a crash Connect begins at the stored offset, and Postgres at what is confirmed: that must not be behind it. */
    @Override
    public void commit() throws InterruptedException {
        Map<String, ?> stored = stored();
        if (stored != null && !stored.equals(confirmed)) {
            super.commitRecord(new SourceRecord(partition, stored, "", null, null), null);
            confirmed = stored;
        }
        super.commit();
    }

    private Map<String, ?> stored() {
        return context.offsetStorageReader().offset(partition);
    }

    /** Hands on the records before a large one, then that part by part: the memory of one is enough. */
    @Override
    public List<SourceRecord> doPoll() throws InterruptedException {
        if (rest.hasNext()) return List.of(rest.next());
        if (polled.isEmpty()) {
            List<SourceRecord> records = super.doPoll();
            if (records == null || records.stream().allMatch(RecordParts::isSmall)) return handOn(records);
            polled.addAll(records);
        }
        if (RecordParts.isSmall(polled.element())) {
            List<SourceRecord> small = new ArrayList<>();
            while (!polled.isEmpty() && RecordParts.isSmall(polled.element())) small.add(polled.remove());
            return handOn(small);
        }
        SourceRecord record = polled.remove();
        rest = parts.of(record, offsetBefore(record));
        handedOn = record.sourceOffset();
        return List.of(rest.next());
    }

    private List<SourceRecord> handOn(List<SourceRecord> records) {
        if (records != null && !records.isEmpty()) handedOn = records.get(records.size() - 1).sourceOffset();
        return records;
    }

    /**
     * The offset that parts before the last one carry: stored after a crash between two parts, it has Debezium send the
     * whole record again. Null where nothing was stored, which stores nothing.
     */
    private Map<String, ?> offsetBefore(SourceRecord record) {
        return handedOn != null ? handedOn : context.offsetStorageReader().offset(record.sourcePartition());
    }
}
