package tidemark.correction;

import io.debezium.connector.postgresql.PostgresSchema;
import io.debezium.connector.postgresql.connection.PostgresConnection;
import io.debezium.relational.Table;
import io.debezium.relational.TableId;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.sql.DatabaseMetaData;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.postgresql.core.BaseConnection;
import org.postgresql.core.TransactionState;

/**
 * The key of a table by its RELATION message, while this thread handles it
 * (docs/decisions/011-the-key-of-a-relation.md).
 */
public final class StreamedRelation {
    private static final ThreadLocal<StreamedRelation> CURRENT = new ThreadLocal<>();

    /** How long to wait until others see a commit that is in the log. A commit may wait for standby servers first. */
    private static final Duration VISIBLE_WITHIN = Duration.ofSeconds(5);
    private static final Duration BETWEEN_LOOKS = Duration.ofMillis(1);

    private final int oid;
    private final TableId table;
    /** With REPLICA IDENTITY DEFAULT, the columns that the message marks are those of the primary key. */
    private final boolean marksKey;
    private final List<String> marked = new ArrayList<>();
    private List<String> key;

    private StreamedRelation(ByteBuffer message) {
        oid = message.getInt();
        table = new TableId(null, text(message), text(message));
        marksKey = message.get() == 'd';
        for (int left = message.getShort(); left > 0; left--) {
            boolean isMarked = (message.get() & 1) != 0;
            String name = text(message);
            message.getInt(); // type
            message.getInt(); // type modifier
            if (isMarked) marked.add(name);
        }
    }

    /** Begins to handle a message, once the database shows what its transaction has done. Does not move the buffer. */
    public static void begin(ByteBuffer buffer, PostgresConnection connection, PostgresSchema schema, Long transactionId)
            throws SQLException {
        StreamedRelation relation = new StreamedRelation(buffer.duplicate());
        awaitVisibility(connection, transactionId);
        List<String> found = keyByDatabase(connection, relation.table);
        relation.key = relation.marksKey
                ? relation.markedInOrder(connection, schema, found)
                : relation.currentKey(connection, schema, found);
        CURRENT.set(relation);
    }

    /** This must be called whether the message could be handled or not. */
    public static void end() {
        CURRENT.remove();
    }

    /** A list that the caller may change; null if no message about the table is being handled. */
    static List<String> keyOf(TableId asked) {
        StreamedRelation relation = CURRENT.get();
        return relation == null || !relation.table.equals(asked) ? null : new ArrayList<>(relation.key);
    }

    /** Whether the column is in the key. If no message is being handled, the only answer is what Debezium found. */
    public static boolean isKey(String column, boolean found) {
        StreamedRelation relation = CURRENT.get();
        return relation == null ? found : relation.key.contains(column);
    }

    /**
     * Whether a column of the key may be null. A column of a primary key may not, whatever the database says at
     * present.
     */
    public static boolean isKeyOptional(boolean found) {
        StreamedRelation relation = CURRENT.get();
        return found && (relation == null || !relation.marksKey);
    }

    /** Postgres sends a commit before others see it, and a look-up would find the tables and keys from before it. */
    private static void awaitVisibility(PostgresConnection connection, Long transactionId) throws SQLException {
        // A caller that has begun a transaction on this connection goes on reading in it, so it must not be ended here.
        if (transactionId == null
                || connection.connection().unwrap(BaseConnection.class).getTransactionState() != TransactionState.IDLE) return;
        long deadline = System.nanoTime() + VISIBLE_WITHIN.toNanos();
        while (isCommitting(connection, transactionId) && System.nanoTime() < deadline) {
            LockSupport.parkNanos(BETWEEN_LOOKS.toNanos());
        }
    }

    /**
     * Whether others do not see the transaction yet: it releases the lock on its own id after it has become visible.
     */
    private static boolean isCommitting(PostgresConnection connection, long transactionId) throws SQLException {
        boolean committing = connection.prepareQueryAndMap(
                "select exists (select from pg_catalog.pg_locks where locktype = 'transactionid' and transactionid = ?::xid)",
                statement -> statement.setString(1, Long.toString(transactionId)),
                result -> result.next() && result.getBoolean(1));
        // The next look-up has to see more than this query did, also when transactions are repeatable read.
        connection.commit();
        return committing;
    }

    private static List<String> keyByDatabase(PostgresConnection connection, TableId table) throws SQLException {
        DatabaseMetaData metadata = connection.connection().getMetaData();
        List<String> key = connection.readPrimaryKeyNames(metadata, table);
        return key == null || key.isEmpty() ? connection.readTableUniqueIndices(metadata, table) : key;
    }

    /**
     * The marked columns in the order of their index, which the bytes of a record's key follow. The message does not
     * give this order. It is taken from the first known key that has the same columns, which may be a later key.
     */
    private List<String> markedInOrder(PostgresConnection connection, PostgresSchema schema, List<String> found)
            throws SQLException {
        if (marked.size() < 2) return marked;
        for (List<String> ordered : List.of(currentKey(connection, schema, found), previousKey(schema))) {
            if (ordered.size() == marked.size() && ordered.containsAll(marked)) return ordered;
        }
        return marked;
    }

    /**
     * The key that the relation has at present, under the name that it has at present.
     *
     * @param found the key of the table that has the message's name at present, which may be another table
     */
    private List<String> currentKey(PostgresConnection connection, PostgresSchema schema, List<String> found) throws SQLException {
        TableId now = connection.prepareQueryAndMap(
                "select n.nspname, c.relname from pg_catalog.pg_class c "
                        + "join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = ?",
                statement -> statement.setLong(1, Integer.toUnsignedLong(oid)),
                result -> result.next() ? new TableId(null, result.getString(1), result.getString(2)) : null);
        if (now == null) {
            List<String> before = previousKey(schema);
            return before.isEmpty() ? found : before;
        }
        return now.equals(table) ? found : keyByDatabase(connection, now);
    }

    /** The key by the RELATION message before this one. */
    private List<String> previousKey(PostgresSchema schema) {
        Table before = schema.tableFor(oid);
        return before == null ? List.of() : before.primaryKeyColumnNames();
    }

    private static String text(ByteBuffer message) {
        ByteBuffer bytes = message.slice();
        int length = 0;
        while (message.get() != 0) length++;
        return StandardCharsets.UTF_8.decode(bytes.limit(length)).toString();
    }
}
