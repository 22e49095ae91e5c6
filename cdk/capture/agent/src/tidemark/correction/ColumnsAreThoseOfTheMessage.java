package tidemark.correction;

import net.bytebuddy.asm.Advice;

/**
 * A streamed column has the type that its RELATION message says, and may be null unless it is of the key: the database,
 * which Debezium asks for both, may be ahead of the stream (docs/decisions/010-columns-of-streamed-and-read-rows.md). Columns
 * of the key are as in rows that are read: a window of them is searched by the keys of streamed rows, schema and all.
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
