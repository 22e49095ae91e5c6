package tidemark.capture;

import io.debezium.transforms.ToLogicalTopicRouter;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.HoistField;
import org.apache.kafka.connect.transforms.Transformation;

/**
 * Sends rows as the task and the worker would. For each line of standard input, which is a text in base64, it prints
 * the records of the row as lines "offset key value", with key and value in base64. Arguments: the longest record, the
 * longest row, and the settings of the transformations as name=value.
 */
final class SendRows {
    private static final Schema ROW = SchemaBuilder.struct()
            .name("e1.public.document.Value").optional()
            .field("id", Schema.INT32_SCHEMA)
            .field("body", Schema.OPTIONAL_STRING_SCHEMA)
            .build();
    private static final Schema SOURCE = SchemaBuilder.struct()
            .field("name", Schema.STRING_SCHEMA)
            .field("schema", Schema.STRING_SCHEMA)
            .field("table", Schema.STRING_SCHEMA)
            .field("lsn", Schema.INT64_SCHEMA)
            .build();
    private static final Schema ENVELOPE = SchemaBuilder.struct()
            .name("e1.public.document.Envelope")
            .field("before", ROW)
            .field("after", ROW)
            .field("source", SOURCE)
            .field("op", Schema.STRING_SCHEMA)
            .build();
    private static final Schema KEY = SchemaBuilder.struct()
            .name("e1.public.document.Key").field("id", Schema.INT32_SCHEMA).build();

    public static void main(String[] arguments) throws Exception {
        RecordParts parts = new RecordParts(Integer.parseInt(arguments[0]), Integer.parseInt(arguments[1]));
        Transformation<SourceRecord> route = configured(new ToLogicalTopicRouter<>(), "transforms.route.", arguments);
        Transformation<SourceRecord> hoist = configured(new HoistField.Key<>(), "transforms.hoist.", arguments);
        JsonConverter json = new JsonConverter();
        json.configure(Map.of("schemas.enable", "false"), false);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        int id = 0;
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String body = new String(java.util.Base64.getDecoder().decode(line), StandardCharsets.UTF_8);
            SourceRecord row = row(++id, body);
            Iterator<SourceRecord> sent = parts.of(row, Map.of("lsn", id - 1));
            while (sent.hasNext()) print(json, hoist.apply(route.apply(sent.next())));
        }
    }

    private static Transformation<SourceRecord> configured(
            Transformation<SourceRecord> transformation, String prefix, String[] arguments) {
        Map<String, String> settings = new TreeMap<>();
        for (String each : arguments) {
            if (!each.startsWith(prefix)) continue;
            int at = each.indexOf('=');
            settings.put(each.substring(prefix.length(), at), each.substring(at + 1));
        }
        transformation.configure(settings);
        return transformation;
    }

    private static SourceRecord row(int id, String body) {
        Struct source = new Struct(SOURCE)
                .put("name", "tidemark_e1").put("schema", "public").put("table", "document").put("lsn", (long) id);
        Struct envelope = new Struct(ENVELOPE)
                .put("after", new Struct(ROW).put("id", id).put("body", body))
                .put("source", source)
                .put("op", "c");
        SourceRecord record = new SourceRecord(
                Map.of("server", "e1"), Map.of("lsn", id), "tidemark_e1.public.document", KEY, new Struct(KEY).put("id", id),
                ENVELOPE, envelope);
        record.headers().addString("__debezium.oldkey", "{\"id\":" + -id + "}");
        return record;
    }

    private static void print(JsonConverter json, SourceRecord record) {
        String key = base64(json.fromConnectData(record.topic(), record.keySchema(), record.key()));
        String value = base64(json.fromConnectData(record.topic(), record.valueSchema(), record.value()));
        Object header = record.headers().lastWithName("__debezium.oldkey").value();
        System.out.println(record.topic() + " " + record.sourceOffset().get("lsn") + " " + header + " " + key + " " + value);
    }

    private static String base64(byte[] bytes) {
        return java.util.Base64.getEncoder().encodeToString(bytes);
    }
}
