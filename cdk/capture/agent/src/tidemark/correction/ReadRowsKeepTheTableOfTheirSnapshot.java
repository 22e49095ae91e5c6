package tidemark.correction;

import io.debezium.connector.postgresql.PostgresSchema;
import io.debezium.pipeline.source.snapshot.incremental.IncrementalSnapshotContext;
import io.debezium.relational.RelationalDatabaseSchema;
import io.debezium.relational.Table;
import io.debezium.relational.TableId;
import java.util.Collections;
import java.util.Map;
import java.util.WeakHashMap;
import net.bytebuddy.asm.Advice;

/**
 * The rows of a chunk have the columns that the database reported when they were read, by their places. Events that
 * came since may have brought other columns (docs/decisions/010-columns-of-streamed-and-read-rows.md).
 */
public final class ReadRowsKeepTheTableOfTheirSnapshot {
    /** By the source of the snapshot, the table definition of the rows in its window. */
    private static final Map<Object, Table> READ = Collections.synchronizedMap(new WeakHashMap<>());

    private ReadRowsKeepTheTableOfTheirSnapshot() {}

    /** Advice for AbstractIncrementalSnapshotChangeEventSource.readChunk. */
    static final class Read {
        @Advice.OnMethodExit
        static void exit(
                @Advice.This Object source,
                @Advice.FieldValue("databaseSchema") RelationalDatabaseSchema schema,
                @Advice.FieldValue("window") Map<?, ?> window,
                @Advice.FieldValue("context") IncrementalSnapshotContext<?> context) {
            keep(source, schema, window, context);
        }
    }

    /** Advice for AbstractIncrementalSnapshotChangeEventSource.sendWindowEvents. */
    static final class Sent {
        @Advice.OnMethodEnter
        static void enter(
                @Advice.This Object source, @Advice.FieldValue("databaseSchema") RelationalDatabaseSchema schema) {
            describe(source, schema);
        }
    }

    public static void keep(
            Object source, RelationalDatabaseSchema schema, Map<?, ?> window, IncrementalSnapshotContext<?> context) {
        if (!(schema instanceof PostgresSchema)) return;
        if (window.isEmpty()) READ.remove(source);
        else READ.put(source, schema.tableFor((TableId) context.currentDataCollectionId().getId()));
    }

    public static void describe(Object source, RelationalDatabaseSchema schema) {
        Table table = READ.get(source);
        if (table != null) StreamedRowsFollowTheirRelation.describeBy(schema, table);
    }
}
