package tidemark.correction;

import io.debezium.connector.postgresql.connection.PostgresConnection;
import io.debezium.jdbc.JdbcConnection;
import io.debezium.relational.TableId;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import net.bytebuddy.asm.Advice;

/**
 * Only a primary key that is not deferrable is a key. The columns of a unique index may be null, and an update may give
 * two rows the same deferrable key for a moment (docs/decisions/013-a-unique-index-is-no-key.md).
 */
public final class UniqueIndexIsNoKey {
    private UniqueIndexIsNoKey() {}

    /** Advice for JdbcConnection.readPrimaryKeyNames. */
    static final class PrimaryKey {
        @Advice.OnMethodEnter(skipOn = Advice.OnNonDefaultValue.class)
        static List<String> enter(@Advice.This JdbcConnection connection, @Advice.Argument(1) TableId table) throws SQLException {
            return primaryKey(connection, table);
        }

        @Advice.OnMethodExit
        static void exit(@Advice.Enter List<String> key, @Advice.Return(readOnly = false) List<String> returned) {
            if (key != null) returned = key;
        }
    }

    /** Advice for JdbcConnection.readTableUniqueIndices. */
    static final class UniqueIndices {
        @Advice.OnMethodEnter(skipOn = Advice.OnNonDefaultValue.class)
        static List<String> enter(@Advice.This JdbcConnection connection) {
            return uniqueIndices(connection);
        }

        @Advice.OnMethodExit
        static void exit(@Advice.Enter List<String> none, @Advice.Return(readOnly = false) List<String> returned) {
            if (none != null) returned = none;
        }
    }

    /**
     * The columns of the key in the order of its index, without those that it only includes; null if this is not
     * Postgres.
     */
    public static List<String> primaryKey(JdbcConnection connection, TableId table) throws SQLException {
        if (!(connection instanceof PostgresConnection)) return null;
        return connection.prepareQueryAndMap(
                "select a.attname from pg_catalog.pg_index i "
                        + "join pg_catalog.pg_class c on c.oid = i.indrelid "
                        + "join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
                        + "cross join unnest(i.indkey::pg_catalog.int2[]) with ordinality as k (attnum, place) "
                        + "join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum "
                        + "where n.nspname = ? and c.relname = ? and i.indisprimary and i.indimmediate and k.place <= i.indnkeyatts "
                        + "order by k.place",
                statement -> {
                    statement.setString(1, table.schema());
                    statement.setString(2, table.table());
                },
                result -> {
                    List<String> columns = new ArrayList<>();
                    while (result.next()) columns.add(result.getString(1));
                    return columns;
                });
    }

    /** An empty list that Debezium may change; null for a database that is not Postgres. */
    public static List<String> uniqueIndices(JdbcConnection connection) {
        return connection instanceof PostgresConnection ? new ArrayList<>() : null;
    }
}
