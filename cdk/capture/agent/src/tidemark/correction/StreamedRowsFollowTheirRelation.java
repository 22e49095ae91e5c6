package tidemark.correction;

import io.debezium.connector.postgresql.PostgresSchema;
import io.debezium.relational.RelationalDatabaseSchema;
import io.debezium.relational.Table;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.WeakHashMap;
import net.bytebuddy.asm.Advice;

/**
 * A streamed row has the columns of the last message about its relation, by their places. Without this correction, the
 * first chunk of a snapshot would replace them by those that the database has at that moment
 * (docs/decisions/010-columns-of-streamed-and-read-rows.md).
 */
public final class StreamedRowsFollowTheirRelation {
    /** By schema and relation, the table of its last RELATION message. */
    private static final Map<PostgresSchema, Map<Integer, Table>> STREAMED = Collections.synchronizedMap(new WeakHashMap<>());

    private StreamedRowsFollowTheirRelation() {}

    /** Advice for PostgresSchema.applySchemaChangesForTable. */
    static final class Applied {
        @Advice.OnMethodExit
        static void exit(@Advice.This PostgresSchema schema, @Advice.Argument(0) int relation, @Advice.Argument(1) Table table) {
            keep(schema, relation, table);
        }
    }

    /** Advice for PostgresSchema.tableFor(int). */
    static final class Asked {
        @Advice.OnMethodEnter
        static void enter(@Advice.This PostgresSchema schema, @Advice.Argument(0) int relation) {
            describe(schema, relation);
        }
    }

    public static void keep(PostgresSchema schema, int relation, Table table) {
        Table known = schema.tableFor(table.id());
        // Debezium does not know a table that is not captured.
        if (known != null) STREAMED.computeIfAbsent(schema, unused -> new HashMap<>()).put(relation, known);
    }

    public static void describe(PostgresSchema schema, int relation) {
        Map<Integer, Table> streamed = STREAMED.get(schema);
        Table table = streamed == null ? null : streamed.get(relation);
        if (table != null) describeBy(schema, table);
    }

    /** Makes the table the one by which the schema describes rows again. */
    static void describeBy(RelationalDatabaseSchema schema, Table table) {
        if (schema.tableFor(table.id()) != table) schema.refresh(table);
    }
}
