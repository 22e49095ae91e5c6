package tidemark.capture;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.UUID;
import java.util.stream.Collectors;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.source.SourceRecord;

/**
 * Cuts the value of a large record, which is the JSON that the worker would write, into parts. Each part is a record of
 * its own with the same topic, key and headers: {"tidemark_part":{id, index, count, text},"op":…,"source":{…}}. The
 * texts, joined in the order of index, are the JSON. A value that is too large even for parts becomes one record that
 * says so: {"tidemark_oversize":{bytes, limit, key, columns},"op":…,"source":{…}}. core/wire/record-parts.ts reads the
 * former, core/wire/replaced-record.ts the latter.
 */
final class RecordParts {
    /** A character is at most six bytes of JSON, so a record with fewer characters than this is not large. */
    private static final int SMALL_LENGTH = 256 * 1024;
    /** A number, a boolean or a null is not longer in JSON than this number of such characters. */
    private static final int NUMBER_LENGTH = 5;
    /** Room for everything in a part that is not its text. */
    private static final int FRAME_BYTES = 64 * 1024;
    /** Table contracts and beacons go to the topic partition that their value names, and are never large. */
    private static final String CONTROL_SCHEMA = "tidemark";

    private static final Schema PART = SchemaBuilder.struct()
            .field("id", Schema.STRING_SCHEMA)
            .field("index", Schema.INT32_SCHEMA)
            .field("count", Schema.INT32_SCHEMA)
            .field("text", Schema.STRING_SCHEMA)
            .build();
    private static final Schema OVERSIZE = SchemaBuilder.struct()
            .field("bytes", Schema.INT64_SCHEMA)
            .field("limit", Schema.INT64_SCHEMA)
            .field("key", Schema.OPTIONAL_STRING_SCHEMA)
            .field("columns", SchemaBuilder.map(Schema.STRING_SCHEMA, Schema.INT64_SCHEMA).build())
            .build();

    private final JsonConverter json = new JsonConverter();
    private final int recordBytes;
    private final int rowBytes;

    RecordParts(int recordBytes, int rowBytes) {
        this.recordBytes = recordBytes;
        this.rowBytes = rowBytes;
        // The worker uses the same settings (adapters/connect/connector-configuration.ts).
        json.configure(Map.of("schemas.enable", "false", "replace.null.with.default", "false"), false);
    }

    /** Whether a record cannot be large. This check alone decides about most records. */
    static boolean isSmall(SourceRecord record) {
        return !(record.value() instanceof Struct value) || length(value, NUMBER_LENGTH) < SMALL_LENGTH;
    }

    /**
     * The records to send instead, which is the record itself if it fits. Only the last part has the source offset of the
     * record; the others have the offset of the record before it. So a worker that dies between two parts sends all of
     * them again.
     */
    Iterator<SourceRecord> of(SourceRecord record, Map<String, ?> offsetBefore) {
        Struct value = (Struct) record.value();
        if (CONTROL_SCHEMA.equals(schemaName(value))) return List.of(record).iterator();
        // JSON is never shorter than the texts in it, so a value that far exceeds the limit is not written as JSON.
        long length = length(value, 0);
        if (length > rowBytes) return List.of(oversize(record, value, length)).iterator();
        byte[] text = json.fromConnectData(record.topic(), record.valueSchema(), value);
        if (text.length <= recordBytes) return List.of(record).iterator();
        if (text.length > rowBytes) return List.of(oversize(record, value, text.length)).iterator();
        return new Cut(record, text, ends(text, recordBytes - FRAME_BYTES), offsetBefore);
    }

    /** The parts of a record. Each is made when it is asked for, and the row itself is not kept. */
    private static final class Cut implements Iterator<SourceRecord> {
        private static final String NAME = "tidemark_part";

        private final String id = UUID.randomUUID().toString();
        private final SourceRecord frame;
        private final byte[] text;
        private final List<Integer> ends;
        private final Map<String, ?> offsetBefore;
        private int index;

        Cut(SourceRecord record, byte[] text, List<Integer> ends, Map<String, ?> offsetBefore) {
            this.text = text;
            this.ends = ends;
            this.offsetBefore = offsetBefore;
            this.frame = instead(record, (Struct) record.value(), NAME, part(""), record.sourceOffset());
        }

        @Override
        public boolean hasNext() {
            return index < ends.size();
        }

        @Override
        public SourceRecord next() {
            if (!hasNext()) throw new NoSuchElementException();
            int from = index == 0 ? 0 : ends.get(index - 1);
            Struct part = part(new String(text, from, ends.get(index) - from, StandardCharsets.UTF_8));
            index++;
            return instead(frame, (Struct) frame.value(), NAME, part, hasNext() ? offsetBefore : frame.sourceOffset());
        }

        private Struct part(String text) {
            return new Struct(PART).put("id", id).put("index", index).put("count", ends.size()).put("text", text);
        }
    }

    /** Where the parts of a text end: all are about equally long as JSON strings, and end between two characters. */
    static List<Integer> ends(byte[] text, int most) {
        long whole = 0;
        for (byte each : text) whole += weight(each);
        long count = (whole + most - 1) / most;
        long share = (whole + count - 1) / count;
        List<Integer> ends = new ArrayList<>();
        long weight = 0;
        for (int at = 0; at < text.length; at++) {
            boolean begins = (text[at] & 0xC0) != 0x80;
            if (begins && weight >= share) {
                ends.add(at);
                weight = 0;
            }
            weight += weight(text[at]);
        }
        ends.add(text.length);
        return ends;
    }

    /** In a JSON string, a quote or a backslash has a backslash before it. */
    private static int weight(byte each) {
        return each == '"' || each == '\\' ? 2 : 1;
    }

    private SourceRecord oversize(SourceRecord record, Struct value, long bytes) {
        byte[] key = record.key() == null ? null : json.fromConnectData(record.topic(), record.keySchema(), record.key());
        Struct oversize = new Struct(OVERSIZE)
                .put("bytes", bytes)
                .put("limit", (long) rowBytes)
                .put("key", key == null ? null : new String(key, StandardCharsets.UTF_8))
                .put("columns", largest(value));
        return instead(record, value, "tidemark_oversize", oversize, record.sourceOffset());
    }

    /** The row's largest columns with their lengths: a user can make these smaller. */
    private static Map<String, Long> largest(Struct value) {
        Struct row = row(value, "after") != null ? row(value, "after") : row(value, "before");
        if (row == null) return Map.of();
        return row.schema().fields().stream()
                .map(field -> Map.entry(field.name(), length(row.getWithoutDefault(field.name()), NUMBER_LENGTH)))
                .filter(column -> column.getValue() >= SMALL_LENGTH)
                .sorted(Map.Entry.<String, Long>comparingByValue().reversed())
                .limit(5)
                .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue));
    }

    private static Struct row(Struct value, String name) {
        return value.schema().field(name) != null && value.get(name) instanceof Struct row ? row : null;
    }

    private static Object schemaName(Struct value) {
        Struct source = row(value, "source");
        return source == null || source.schema().field("schema") == null ? null : source.get("schema");
    }

    /** A record that replaces another one. It has what the envelope says in addition to the row. */
    private static SourceRecord instead(
            SourceRecord record, Struct value, String name, Struct content, Map<String, ?> offset) {
        SchemaBuilder schema = SchemaBuilder.struct().name("tidemark.Part").field(name, content.schema());
        List<String> kept = List.of("op", "source").stream().filter(each -> value.schema().field(each) != null).toList();
        for (String each : kept) schema.field(each, value.schema().field(each).schema());
        Struct replaced = new Struct(schema.build()).put(name, content);
        for (String each : kept) replaced.put(each, value.get(each));
        return new SourceRecord(
                record.sourcePartition(), offset, record.topic(), record.kafkaPartition(), record.keySchema(),
                record.key(), replaced.schema(), replaced, record.timestamp(), record.headers().duplicate());
    }

    /**
     * The number of characters and base64 digits in a value, plus `number` for each value of another kind. If `number`
     * is 0, the JSON is never shorter than the result.
     */
    private static long length(Object value, int number) {
        if (value instanceof String text) return text.length();
        if (value instanceof byte[] bytes) return bytes.length / 3L * 4;
        if (value instanceof ByteBuffer bytes) return bytes.remaining() / 3L * 4;
        if (value instanceof Struct struct) return length(struct, number);
        if (value instanceof Map<?, ?> map) return length(map.keySet(), number) + length(map.values(), number);
        if (value instanceof Collection<?> list) {
            long sum = 0;
            for (Object each : list) sum += 1 + length(each, number);
            return sum;
        }
        return number;
    }

    private static long length(Struct struct, int number) {
        long sum = 0;
        for (Field field : struct.schema().fields()) sum += length(struct.getWithoutDefault(field.name()), number);
        return sum;
    }
}
