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
 * A streamed row has the columns that the last message about its relation said, by their places: the first chunk of a
 * reading would put those that the database has by now in their place (docs/decisions/010-columns-of-streamed-and-read-rows.md).
 */
public final class StreamedRowsFollowTheirRelation {
    /** By schema and relation, what its last RELATION message said. */
    private static final Map<PostgresSchema, Map<Integer, Table>> STREAMED = Collections.synchronizedMap(new WeakHashMap<>());

    private StreamedRowsFollowTheirRelation() {}

    /** Of PostgresSchema.applySchemaChangesForTable. */
    static final class Told {
        @Advice.OnMethodExit
        static void exit(@Advice.This PostgresSchema schema, @Advice.Argument(0) int relation, @Advice.Argument(1) Table table) {
            keep(schema, relation, table);
        }
    }

    /** Of PostgresSchema.tableFor(int). */
    static final class Asked {
        @Advice.OnMethodEnter
        static void enter(@Advice.This PostgresSchema schema, @Advice.Argument(0) int relation) {
            describe(schema, relation);
        }
    }

    public static void keep(PostgresSchema schema, int relation, Table table) {
        Table known = schema.tableFor(table.id());
        // A table that is not captured is none that Debezium knows.
        if (known != null) STREAMED.computeIfAbsent(schema, unused -> new HashMap<>()).put(relation, known);
    }

    public static void describe(PostgresSchema schema, int relation) {
        Map<Integer, Table> streamed = STREAMED.get(schema);
        Table table = streamed == null ? null : streamed.get(relation);
        if (table != null) describeBy(schema, table);
    }

    /** Makes a table that the schema has given the one again by which rows are described. */
    static void describeBy(RelationalDatabaseSchema schema, Table table) {
        if (schema.tableFor(table.id()) != table) schema.refresh(table);
    }
}
