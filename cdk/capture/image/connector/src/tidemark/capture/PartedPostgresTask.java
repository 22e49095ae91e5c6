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
 * Debezium's task. Of the records that it polled, each large one is passed on in parts, and the slot confirms nothing
 * that Connect has not stored.
 */
public class PartedPostgresTask extends PostgresConnectorTask {
    /** The longest value of a record, in bytes of JSON. */
    static final String RECORD_BYTES = "tidemark.record.bytes";
    /** The longest value that is sent in parts, in bytes of JSON. */
    static final String ROW_BYTES = "tidemark.row.bytes";

    private final ArrayDeque<SourceRecord> polled = new ArrayDeque<>();
    /** The parts of a large record that were not passed on yet. */
    private Iterator<SourceRecord> rest = Collections.emptyIterator();
    private RecordParts parts;
    /** The offset of the record that was passed on last; null before the first one since the start. */
    private Map<String, ?> handedOn;
    /** The key by which Connect stores offsets. */
    private Map<String, String> partition;
    /** The stored offset that was last confirmed to the slot. */
    private volatile Map<String, ?> confirmed;

    @Override
    public ChangeEventSourceCoordinator<PostgresPartition, PostgresOffsetContext> start(Configuration config) {
        Corrections.require();
        parts = new RecordParts(config.getInteger(RECORD_BYTES), config.getInteger(ROW_BYTES));
        // After an error that is retried, Debezium begins at the stored offset, so what was polled before comes again.
        polled.clear();
        rest = Collections.emptyIterator();
        handedOn = null;
        confirmed = null;
        partition = Map.of("server", config.getString("topic.prefix"));
        SlotPlace.requireStored(stored(), config);
        return super.start(config);
    }

    /**
     * Does nothing: Debezium would confirm the record that was acknowledged last, even before others with earlier
     * places.
     */
    @Override
    public void commitRecord(SourceRecord record, RecordMetadata metadata) {}

    /**
     * Confirms the stored offset only. After a crash Connect begins at the stored offset and Postgres at the confirmed
     * place, which must therefore not be later.
     */
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

    /**
     * Passes on the records before a large one, and then the large one part by part, so that memory for one is enough.
     */
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
     * The offset of the parts before the last one. If it is stored when a crash comes between two parts, Debezium sends
     * the whole record again. Null if nothing was stored; then nothing is stored for these parts.
     */
    private Map<String, ?> offsetBefore(SourceRecord record) {
        return handedOn != null ? handedOn : context.offsetStorageReader().offset(record.sourcePartition());
    }
}
