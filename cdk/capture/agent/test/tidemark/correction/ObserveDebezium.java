package tidemark.correction;

import io.debezium.config.CommonConnectorConfig;
import io.debezium.config.Configuration;
import io.debezium.connector.postgresql.PostgresConnectorConfig;
import io.debezium.connector.postgresql.PostgresSchema;
import io.debezium.connector.postgresql.PostgresSignalBasedIncrementalSnapshotChangeEventSource;
import io.debezium.connector.postgresql.PostgresValueConverter;
import io.debezium.connector.postgresql.TypeRegistry;
import io.debezium.connector.postgresql.connection.Lsn;
import io.debezium.connector.postgresql.connection.MessageDecoderContext;
import io.debezium.connector.postgresql.connection.PostgresConnection;
import io.debezium.connector.postgresql.connection.ReplicationMessage;
import io.debezium.connector.postgresql.connection.ReplicationMessage.Operation;
import io.debezium.connector.postgresql.connection.WalPositionLocator;
import io.debezium.connector.postgresql.connection.pgoutput.PgOutputMessageDecoder;
import io.debezium.pipeline.source.snapshot.incremental.AbstractIncrementalSnapshotChangeEventSource;
import io.debezium.pipeline.source.snapshot.incremental.DataCollection;
import io.debezium.pipeline.source.snapshot.incremental.IncrementalSnapshotContext;
import io.debezium.pipeline.spi.OffsetContext;
import io.debezium.relational.Column;
import io.debezium.relational.CustomConverterRegistry;
import io.debezium.relational.Table;
import io.debezium.relational.TableId;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;

/**
 * Makes Debezium's own classes do what the corrections are about, and prints the results as lines "name: outcome". The
 * argument is the address of a database that has the tables of agent.int.test.ts.
 */
final class ObserveDebezium {
    private static final int INT4 = 23;
    private static final int TEXT = 25;

    private final PostgresConnection connection;
    private final TypeRegistry types;
    private final PostgresSchema schema;
    private final PostgresConnectorConfig config;

    public static void main(String[] arguments) throws Exception {
        Corrections.require();
        if (arguments.length > 0) new ObserveDebezium(URI.create(arguments[0])).observe();
    }

    private ObserveDebezium(URI database) throws Exception {
        String[] login = database.getUserInfo().split(":", 2);
        Configuration configuration = Configuration.create()
                .with("database.hostname", database.getHost())
                .with("database.port", database.getPort())
                .with("database.user", login[0])
                .with("database.password", login.length > 1 ? login[1] : "")
                .with("database.dbname", database.getPath().substring(1))
                .with("topic.prefix", "observed")
                .with("plugin.name", "pgoutput")
                .build();
        config = new PostgresConnectorConfig(configuration);
        types = PostgresConnection.createTypeRegistry(config.getJdbcConfig());
        connection = new PostgresConnection(
                config.getJdbcConfig(), types, registry -> PostgresValueConverter.of(config, StandardCharsets.UTF_8, registry), "test");
        Class<?> context = Class.forName("io.debezium.connector.postgresql.PostgresTaskContext");
        schema = make(
                PostgresSchema.class,
                make(context, configuration, config),
                connection.getDefaultValueConverter(),
                config.getTopicNamingStrategy(CommonConnectorConfig.TOPIC_NAMING_STRATEGY),
                PostgresValueConverter.of(config, StandardCharsets.UTF_8, types),
                new CustomConverterRegistry(List.of()));
    }

    private void observe() throws Exception {
        print("after one of two rows of an LSN", locate(20, 10, Operation.INSERT, 1, 10, 20, 20));
        print("after a commit whose end a row of the next transaction has", locate(20, 20, Operation.COMMIT, 0, 15, 20));
        print("dates read", dates());
        for (String table : List.of("keyed", "deferrable", "only_unique", "including")) print("key of " + table, keyRead(table));

        int keyed = oid("keyed");
        relation(keyed, "keyed", 'd', List.of(marked("a", INT4), marked("b", INT4), column("note", TEXT)));
        print("streamed table", described(schema.tableFor(keyed)));
        int renamed = oid("renamed");
        relation(renamed, "called_so_before", 'd', List.of(marked("a", INT4), marked("b", INT4)));
        print("key under the name before", schema.tableFor(renamed).primaryKeyColumnNames());
        relation(renamed, "called_so_before", 'f', List.of(marked("a", INT4), marked("b", INT4)));
        print("key by replica identity full", schema.tableFor(renamed).primaryKeyColumnNames());
        print("key after a message that fails", afterFailure(keyed));

        relation(keyed, "keyed", 'd', List.of(marked("a", INT4), marked("b", INT4), column("gone", INT4)));
        TableId id = new TableId(null, "public", "keyed");
        call(PostgresSchema.class, schema, "refreshFromIncrementalSnapshot", connection, id);
        print("streamed table once it was read", names(schema.tableFor(keyed)));
        print("read table once it was streamed", readThenStreamed(keyed, id));
    }

    private static void print(String name, Object outcome) {
        System.out.println(name + ": " + outcome);
    }

    /** Searches events with these LSNs for the one at which to resume, and returns what is found. */
    private static String locate(long event, long commit, Operation last, long sent, long... lsns) {
        WalPositionLocator locator = new WalPositionLocator(Lsn.valueOf(commit), Lsn.valueOf(event), last, sent);
        ReplicationMessage message = stub(ReplicationMessage.class, Map.of("getOperation", Operation.INSERT));
        for (int place = 0; place < lsns.length; place++) {
            Optional<Lsn> found = locator.resumeFromLsn(Lsn.valueOf(lsns[place]), message);
            if (found.isPresent()) return "event " + (place + 1) + " resumes at " + found.get().asLong();
        }
        return "nothing found";
    }

    private List<Object> dates() throws SQLException {
        Column column = Column.editor().name("day").nativeType(1082).jdbcType(91).type("date").create();
        return connection.queryAndMap("select day from public.days order by id", rows -> {
            List<Object> values = new ArrayList<>();
            while (rows.next()) values.add(connection.getColumnValue(rows, 1, column, null));
            return values;
        });
    }

    /** The key, looked up in the way that Debezium does. */
    private List<String> keyRead(String table) throws SQLException {
        TableId id = new TableId(null, "public", table);
        List<String> key = connection.readPrimaryKeyNames(connection.connection().getMetaData(), id);
        return key.isEmpty() ? connection.readTableUniqueIndices(connection.connection().getMetaData(), id) : key;
    }

    private int oid(String table) throws SQLException {
        return connection.queryAndMap("select 'public." + table + "'::regclass::oid", rows -> {
            rows.next();
            return rows.getInt(1);
        });
    }

    private record Sent(String name, int type, boolean isMarked) {}

    private static Sent marked(String name, int type) {
        return new Sent(name, type, true);
    }

    private static Sent column(String name, int type) {
        return new Sent(name, type, false);
    }

    /** Makes the decoder read a RELATION message, as Postgres writes it. */
    private void relation(int oid, String table, char identity, List<Sent> columns) throws Exception {
        ByteBuffer message = ByteBuffer.allocate(1_000);
        message.put((byte) 'R').putInt(oid).put(text("public")).put(text(table)).put((byte) identity);
        message.putShort((short) columns.size());
        for (Sent each : columns) {
            message.put((byte) (each.isMarked ? 1 : 0)).put(text(each.name)).putInt(each.type).putInt(-1);
        }
        new PgOutputMessageDecoder(new MessageDecoderContext(config, schema), connection)
                .processNotEmptyMessage(message.flip(), null, types);
    }

    private static byte[] text(String value) {
        return (value + '\0').getBytes(StandardCharsets.UTF_8);
    }

    /** The key that is found after the decoder has refused a message. It must not be the key of that message. */
    private List<String> afterFailure(int oid) throws Exception {
        try {
            relation(oid, "keyed", 'd', List.of(marked("note", INT4), column("NOTE", INT4)));
        } catch (RuntimeException refused) {
            return keyRead("keyed");
        }
        throw new IllegalStateException("the decoder takes columns that differ by case only");
    }

    /** The columns with which rows are sent that were read before a message with other columns came. */
    private String readThenStreamed(int oid, TableId id) throws Exception {
        var source = new PostgresSignalBasedIncrementalSnapshotChangeEventSource(config, connection, null, schema, null, null, null, null);
        Class<?> declaring = AbstractIncrementalSnapshotChangeEventSource.class;
        call(PostgresSchema.class, schema, "refreshFromIncrementalSnapshot", connection, id);
        Schema key = SchemaBuilder.struct().build();
        window(declaring, source).put(new Struct(key), new Object[0]);
        // The snapshot is paused, so it reads nothing, and the window stays as it is.
        IncrementalSnapshotContext<?> paused = stub(IncrementalSnapshotContext.class, Map.of(
                "snapshotRunning", true,
                "isSnapshotPaused", true,
                "currentDataCollectionId", new DataCollection<>(id),
                "getDataCollectionsToStop", List.of()));
        OffsetContext offset = stub(OffsetContext.class, Map.of("getIncrementalSnapshotContext", paused));
        call(declaring, source, "readChunk", null, offset);
        relation(oid, "keyed", 'd', List.of(marked("a", INT4), marked("b", INT4), column("other", TEXT)));
        try {
            call(declaring, source, "sendWindowEvents", null, offset);
        } catch (InvocationTargetException withoutDispatcher) {
            if (!(withoutDispatcher.getCause() instanceof NullPointerException)) throw withoutDispatcher;
        }
        return names(schema.tableFor(id));
    }

    private static String described(Table table) {
        String columns = table.columns().stream()
                .map(column -> column.name() + " " + column.typeName() + (column.isOptional() ? "?" : ""))
                .collect(Collectors.joining(", "));
        return columns + "; key " + table.primaryKeyColumnNames();
    }

    private static String names(Table table) {
        return String.join(", ", table.retrieveColumnNames());
    }

    /** An object that implements an interface. It gives these answers, and false or null for other methods. */
    private static <T> T stub(Class<T> type, Map<String, Object> answers) {
        Object stub = Proxy.newProxyInstance(
                ObserveDebezium.class.getClassLoader(),
                new Class<?>[] {type},
                (self, method, given) -> answers.getOrDefault(method.getName(), method.getReturnType() == boolean.class ? false : null));
        return type.cast(stub);
    }

    @SuppressWarnings("unchecked")
    private static <T> T make(Class<T> type, Object... given) throws Exception {
        for (var constructor : type.getDeclaredConstructors()) {
            if (constructor.getParameterCount() != given.length) continue;
            constructor.setAccessible(true);
            return (T) constructor.newInstance(given);
        }
        throw new NoSuchMethodException(type.getName());
    }

    @SuppressWarnings("unchecked")
    private static Map<Struct, Object[]> window(Class<?> type, Object source) throws Exception {
        Field window = type.getDeclaredField("window");
        window.setAccessible(true);
        return (Map<Struct, Object[]>) window.get(source);
    }

    private static void call(Class<?> type, Object on, String name, Object... given) throws Exception {
        for (Method method : type.getDeclaredMethods()) {
            if (!method.getName().equals(name) || method.getParameterCount() != given.length) continue;
            method.setAccessible(true);
            method.invoke(on, given);
            return;
        }
        throw new NoSuchMethodException(name);
    }
}
