package tidemark.windows;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/**
 * Runs what npm run windows -- flink prints: the file that the first argument names, or /job.sql of the jar. It returns
 * once the job is submitted.
 */
public final class SqlJob {
  /** Statements end with a semicolon at the end of a line. A text in them has no line break behind one. */
  private static final Pattern END = Pattern.compile(";\\s*(?:\\n|$)");

  private static final Pattern SETTING = Pattern.compile("SET '(.*)' = '(.*)'");

  private SqlJob() {}

  public static void main(String[] arguments) throws IOException {
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
    StreamTableEnvironment tables = StreamTableEnvironment.create(environment);
    for (String part : END.split(read(arguments))) {
      String statement = part.replaceAll("(?m)^--.*$", "").strip();
      Matcher setting = SETTING.matcher(statement);
      // Only Flink's SQL client knows the statement SET.
      if (setting.matches()) tables.getConfig().set(setting.group(1), setting.group(2));
      else if (!statement.isEmpty()) tables.executeSql(statement);
    }
  }

  private static String read(String[] arguments) throws IOException {
    if (arguments.length > 0) return Files.readString(Path.of(arguments[0]));
    try (InputStream job = SqlJob.class.getResourceAsStream("/job.sql")) {
      if (job == null) throw new IOException("the jar has no job.sql: put what npm run windows -- flink prints into src/main/resources");
      return new String(job.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
