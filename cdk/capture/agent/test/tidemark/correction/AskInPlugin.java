package tidemark.correction;

import java.util.Map;
import org.apache.kafka.connect.runtime.isolation.Plugins;

/**
 * Asks whether Debezium is corrected in the class loader that Connect has for the plugin. The argument is the plugin
 * path.
 */
final class AskInPlugin {
    public static void main(String[] arguments) throws Exception {
        Plugins plugins = new Plugins(Map.of("plugin.path", arguments[0], "plugin.discovery", "service_load"));
        ClassLoader loader = plugins.newConnector("tidemark.capture.PartedPostgresConnector").getClass().getClassLoader();
        Class<?> asked = loader.loadClass("tidemark.correction.Corrections");
        asked.getMethod("require").invoke(null);
        System.out.println("corrected in " + asked.getClassLoader().getClass().getSimpleName());
    }
}
