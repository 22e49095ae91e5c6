package tidemark.correction;

import net.bytebuddy.asm.Advice;

/**
 * A streamed column has the type of its RELATION message, and may be null unless it is in the key. Debezium asks the
 * database for both, which may be ahead of the stream (docs/decisions/010-columns-of-streamed-and-read-rows.md).
 * Columns of the key are described as in rows that are read, because a window of such rows is searched by the keys of
 * streamed rows, including the schema of the key.
 */
public final class ColumnsAreThoseOfTheMessage {
    private ColumnsAreThoseOfTheMessage() {}

    @Advice.OnMethodEnter
    static void enter(
            @Advice.Argument(0) String name,
            @Advice.Argument(value = 2, readOnly = false) boolean key,
            @Advice.Argument(value = 3, readOnly = false) boolean optional,
            @Advice.Argument(value = 7, readOnly = false) String typeOfDatabase) {
        key = StreamedRelation.isKey(name, key);
        optional = !key || StreamedRelation.isKeyOptional(optional);
        typeOfDatabase = null;
    }
}
