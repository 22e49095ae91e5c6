package tidemark.correction;

import io.debezium.connector.postgresql.connection.MessageDecoderContext;
import io.debezium.connector.postgresql.connection.PostgresConnection;
import io.debezium.jdbc.JdbcConnection;
import io.debezium.relational.TableId;
import java.nio.ByteBuffer;
import java.sql.SQLException;
import java.util.List;
import net.bytebuddy.asm.Advice;

/**
 * A streamed table has the key that its RELATION message gives, or that its relation has. Debezium looks the key up by
 * the table's name in the database, which may be ahead of the stream (docs/decisions/011-the-key-of-a-relation.md).
 */
public final class KeyIsTheOneOfTheRelation {
    private KeyIsTheOneOfTheRelation() {}

    /** Advice for PgOutputMessageDecoder.handleRelationMessage. */
    static final class Message {
        @Advice.OnMethodEnter
        static void enter(
                @Advice.Argument(0) ByteBuffer buffer,
                @Advice.FieldValue("connection") PostgresConnection connection,
                @Advice.FieldValue("decoderContext") MessageDecoderContext context,
                @Advice.FieldValue("transactionId") Long transactionId)
                throws SQLException {
            StreamedRelation.begin(buffer, connection, context.getSchema(), transactionId);
        }

        @Advice.OnMethodExit(onThrowable = Throwable.class)
        static void exit() {
            StreamedRelation.end();
        }
    }

    /** Advice for JdbcConnection.readPrimaryKeyNames. */
    static final class Answer {
        @Advice.OnMethodEnter(skipOn = Advice.OnNonDefaultValue.class)
        static List<String> enter(@Advice.This JdbcConnection connection, @Advice.Argument(1) TableId table) {
            return key(connection, table);
        }

        @Advice.OnMethodExit
        static void exit(@Advice.Enter List<String> key, @Advice.Return(readOnly = false) List<String> returned) {
            if (key != null) returned = key;
        }
    }

    /** Null when no message about the table is being handled. */
    public static List<String> key(JdbcConnection connection, TableId table) {
        return connection instanceof PostgresConnection ? StreamedRelation.keyOf(table) : null;
    }
}
