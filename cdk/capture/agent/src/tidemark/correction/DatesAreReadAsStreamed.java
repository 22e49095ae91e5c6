package tidemark.correction;

import io.debezium.connector.postgresql.PgOid;
import io.debezium.connector.postgresql.connection.DateTimeFormat;
import io.debezium.relational.Column;
import java.sql.ResultSet;
import java.sql.SQLException;
import net.bytebuddy.asm.Advice;

/**
 * Dates are read in the proleptic Gregorian calendar and with their era, as streamed dates are. java.sql.Date has the
 * Julian calendar before 1582, and no era (docs/decisions/009-how-types-travel.md).
 */
public final class DatesAreReadAsStreamed {
    private DatesAreReadAsStreamed() {}

    @Advice.OnMethodEnter(skipOn = Advice.OnNonDefaultValue.class)
    static Object enter(@Advice.Argument(0) ResultSet row, @Advice.Argument(1) int place, @Advice.Argument(2) Column column) {
        return column.nativeType() == PgOid.DATE ? date(row, place) : null;
    }

    @Advice.OnMethodExit
    static void exit(@Advice.Enter Object date, @Advice.Return(readOnly = false) Object returned) {
        if (date != null) returned = date;
    }

    /**
     * Null for values that are left to Debezium: null itself, and infinity, which cannot be a boundary of a chunk as a
     * LocalDate.
     */
    public static Object date(ResultSet row, int place) {
        try {
            String text = row.getString(place);
            // The driver's own LocalDate fails for 29 February BC.
            return text == null || text.endsWith("infinity") ? null : DateTimeFormat.get().date(text);
        } catch (SQLException unreadable) {
            return null;
        }
    }
}
