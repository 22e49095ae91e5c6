package tidemark.agent;

import java.util.List;

/**
 * A correction of Debezium: something that capture needs and Debezium as released does not guarantee. Each has the
 * methods whose advice corrects it. They are the methods of one release. Another release may have other methods, and if
 * advice matched none of them, everything would be streamed uncorrected.
 */
public enum Correction {
    /** docs/decisions/007-a-corrected-debezium-class.md */
    ROWS_THAT_SHARE_AN_LSN_COME_AGAIN_WHOLE(
            new Advised(
                    "io.debezium.connector.postgresql.connection.WalPositionLocator",
                    "resumeFromLsn",
                    "(Lio/debezium/connector/postgresql/connection/Lsn;"
                            + "Lio/debezium/connector/postgresql/connection/ReplicationMessage;)Ljava/util/Optional;",
                    "RowsThatShareAnLsnComeAgainWhole")),
    /** docs/decisions/009-how-types-travel.md */
    DATES_ARE_READ_AS_STREAMED(
            new Advised(
                    "io.debezium.connector.postgresql.connection.PostgresConnection",
                    "getColumnValue",
                    "(Ljava/sql/ResultSet;ILio/debezium/relational/Column;Lio/debezium/relational/Table;)Ljava/lang/Object;",
                    "DatesAreReadAsStreamed")),
    /** docs/decisions/010-columns-of-streamed-and-read-rows.md */
    COLUMNS_ARE_THOSE_OF_THE_MESSAGE(
            new Advised(
                    "io.debezium.connector.postgresql.connection.pgoutput.ColumnMetaData",
                    "<init>",
                    "(Ljava/lang/String;Lio/debezium/connector/postgresql/PostgresType;ZZZLjava/lang/String;ILjava/lang/String;)V",
                    "ColumnsAreThoseOfTheMessage")),
    /** docs/decisions/010-columns-of-streamed-and-read-rows.md */
    STREAMED_ROWS_FOLLOW_THEIR_RELATION(
            new Advised(
                    "io.debezium.connector.postgresql.PostgresSchema",
                    "applySchemaChangesForTable",
                    "(ILio/debezium/relational/Table;)V",
                    "StreamedRowsFollowTheirRelation$Applied"),
            new Advised(
                    "io.debezium.connector.postgresql.PostgresSchema",
                    "tableFor",
                    "(I)Lio/debezium/relational/Table;",
                    "StreamedRowsFollowTheirRelation$Asked")),
    /** docs/decisions/010-columns-of-streamed-and-read-rows.md */
    READ_ROWS_KEEP_THE_TABLE_OF_THEIR_SNAPSHOT(
            new Advised(Advised.INCREMENTAL_SNAPSHOT, "readChunk", Advised.OF_A_CHUNK, "ReadRowsKeepTheTableOfTheirSnapshot$Read"),
            new Advised(
                    Advised.INCREMENTAL_SNAPSHOT, "sendWindowEvents", Advised.OF_A_CHUNK, "ReadRowsKeepTheTableOfTheirSnapshot$Sent")),
    /**
     * docs/decisions/011-the-key-of-a-relation.md. It comes before the next correction, because it has to be asked
     * first.
     */
    KEY_IS_THE_ONE_OF_THE_RELATION(
            new Advised(
                    "io.debezium.connector.postgresql.connection.pgoutput.PgOutputMessageDecoder",
                    "handleRelationMessage",
                    "(Ljava/nio/ByteBuffer;Lio/debezium/connector/postgresql/TypeRegistry;)V",
                    "KeyIsTheOneOfTheRelation$Message"),
            new Advised(Advised.CONNECTION, "readPrimaryKeyNames", Advised.COLUMNS_OF_A_TABLE, "KeyIsTheOneOfTheRelation$Answer")),
    /** docs/decisions/013-a-unique-index-is-no-key.md */
    A_UNIQUE_INDEX_IS_NO_KEY(
            new Advised(Advised.CONNECTION, "readPrimaryKeyNames", Advised.COLUMNS_OF_A_TABLE, "UniqueIndexIsNoKey$PrimaryKey"),
            new Advised(Advised.CONNECTION, "readTableUniqueIndices", Advised.COLUMNS_OF_A_TABLE, "UniqueIndexIsNoKey$UniqueIndices"));

    /** The release of Debezium that has these methods. */
    public static final String RELEASE = "3.7.0.Final";

    private final List<Advised> advised;

    Correction(Advised... advised) {
        this.advised = List.of(advised);
    }

    public List<Advised> advised() {
        return advised;
    }

    /**
     * A method, as the class file names it, and the class with the advice that the method gets.
     *
     * @param advice a class of the package tidemark.correction. It is in the plugin's folder, where Debezium's classes
     *     are visible
     */
    public record Advised(String type, String method, String descriptor, String advice) {
        static final String CONNECTION = "io.debezium.jdbc.JdbcConnection";
        static final String COLUMNS_OF_A_TABLE = "(Ljava/sql/DatabaseMetaData;Lio/debezium/relational/TableId;)Ljava/util/List;";
        static final String INCREMENTAL_SNAPSHOT =
                "io.debezium.pipeline.source.snapshot.incremental.AbstractIncrementalSnapshotChangeEventSource";
        static final String OF_A_CHUNK = "(Lio/debezium/pipeline/spi/Partition;Lio/debezium/pipeline/spi/OffsetContext;)V";

        String adviceType() {
            return "tidemark.correction." + advice;
        }
    }
}
