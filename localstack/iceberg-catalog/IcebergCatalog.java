import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.iceberg.jdbc.JdbcCatalog;
import org.apache.iceberg.rest.RESTCatalogAdapter;
import org.apache.iceberg.rest.RESTCatalogServlet;
import org.apache.iceberg.rest.responses.ConfigResponse;
import org.apache.iceberg.rest.responses.ConfigResponseParser;
import org.apache.iceberg.rest.responses.ErrorResponse;
import org.apache.iceberg.rest.responses.ErrorResponseParser;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves Apache Iceberg's REST catalog on loopback under /iceberg, which is also its path in S3 Tables and Glue. Its only
 * argument is a properties file. The file has `port`; `access-key-id` and `secret-access-key`, with which requests are
 * signed; `token`, which a request may have instead; and the properties of JdbcCatalog and its FileIO.
 */
public final class IcebergCatalog {
  public static void main(String[] arguments) throws Exception {
    Map<String, String> properties = read(Path.of(arguments[0]));
    int port = Integer.parseInt(properties.remove("port"));
    SignedRequests callers =
        new SignedRequests(
            properties.remove("access-key-id"),
            properties.remove("secret-access-key"),
            properties.remove("token"));
    JdbcCatalog catalog = new JdbcCatalog();
    catalog.initialize("tidemark", properties);

    ServletContextHandler context = new ServletContextHandler("/iceberg");
    context.getServletHandler().setDecodeAmbiguousURIs(true);
    context.addServlet(new ServletHolder(new Endpoint(new RESTCatalogAdapter(catalog), callers)), "/*");
    Server server = new Server();
    server.addConnector(connector(server, port));
    server.setHandler(context);
    server.start();
    server.join();
  }

  private static Map<String, String> read(Path file) throws IOException {
    Properties properties = new Properties();
    try (Reader reader = Files.newBufferedReader(file)) {
      properties.load(reader);
    }
    Map<String, String> map = new TreeMap<>();
    properties.stringPropertyNames().forEach(name -> map.put(name, properties.getProperty(name)));
    return map;
  }

  private static ServerConnector connector(Server server, int port) {
    HttpConfiguration http = new HttpConfiguration();
    // The ARN of a table bucket is one segment of the path and contains a slash, which is sent as %2F. Jetty refuses such
    // a path by default.
    http.setUriCompliance(UriCompliance.UNSAFE);
    ServerConnector connector = new ServerConnector(server, new HttpConnectionFactory(http));
    connector.setHost("127.0.0.1");
    connector.setPort(port);
    return connector;
  }

  /**
   * Gives the servlet, which serves one catalog without a prefix, the paths of AWS. The name of a warehouse is the prefix,
   * and every warehouse is this one catalog.
   */
  private static final class Endpoint extends RESTCatalogServlet {
    private static final Logger LOG = LoggerFactory.getLogger(IcebergCatalog.class);
    private static final Pattern BEFORE_THE_RESOURCE =
        Pattern.compile("^/iceberg/v1/(.*?/)??(?=(namespaces|tables|transactions|views|oauth)(/|$))");

    private final SignedRequests callers;

    Endpoint(RESTCatalogAdapter adapter, SignedRequests callers) {
      super(adapter);
      this.callers = callers;
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response)
        throws ServletException, IOException {
      byte[] body = request.getInputStream().readAllBytes();
      if (!mayPass(request, body)) {
        refuse(response);
        return;
      }
      if (request.getRequestURI().equals("/iceberg/v1/config")) {
        configure(request.getParameter("warehouse"), response);
        return;
      }
      String path = BEFORE_THE_RESOURCE.matcher(request.getRequestURI()).replaceFirst("/v1/");
      super.service(
          new HttpServletRequestWrapper(request) {
            @Override
            public String getRequestURI() {
              return path;
            }

            @Override
            public ServletInputStream getInputStream() {
              return new BodyStream(body);
            }

            @Override
            public BufferedReader getReader() {
              return new BufferedReader(new InputStreamReader(getInputStream(), StandardCharsets.UTF_8));
            }
          },
          response);
    }

    private boolean mayPass(HttpServletRequest request, byte[] body) throws ServletException {
      try {
        return callers.mayPass(request, body);
      } catch (GeneralSecurityException missingAlgorithm) {
        throw new ServletException(missingAlgorithm);
      }
    }

    private static void refuse(HttpServletResponse response) throws IOException {
      response.setStatus(HttpServletResponse.SC_UNAUTHORIZED);
      response.setContentType("application/json");
      ErrorResponse error =
          ErrorResponse.builder()
              .responseCode(HttpServletResponse.SC_UNAUTHORIZED)
              .withType("NotAuthorizedException")
              .withMessage("The request is neither signed with the key of this stack nor has its token")
              .build();
      response.getWriter().write(ErrorResponseParser.toJson(error));
    }

    /** Logs only errors of the server. The servlet itself would log the stack of every conflict and of every absent table. */
    @Override
    protected Consumer<ErrorResponse> handle(HttpServletResponse response) {
      Consumer<ErrorResponse> answer = super.handle(response);
      return error -> {
        if (error.code() >= 500) LOG.error("{} {}\n{}", error.type(), error.message(), beginOf(error.stack()));
        answer.accept(error);
      };
    }

    /** The body of a request. It was read before, to check the signature of the request. */
    private static final class BodyStream extends ServletInputStream {
      private final ByteArrayInputStream bytes;

      BodyStream(byte[] body) {
        bytes = new ByteArrayInputStream(body);
      }

      @Override
      public int read() {
        return bytes.read();
      }

      @Override
      public int read(byte[] into, int offset, int length) {
        return bytes.read(into, offset, length);
      }

      @Override
      public boolean isFinished() {
        return bytes.available() == 0;
      }

      @Override
      public boolean isReady() {
        return true;
      }

      @Override
      public void setReadListener(ReadListener listener) {
        throw new UnsupportedOperationException("the body was read before, so no listener is called");
      }
    }

    private static String beginOf(List<String> stack) {
      return stack == null ? "" : stack.stream().limit(30).collect(Collectors.joining("\n"));
    }

    private static void configure(String warehouse, HttpServletResponse response) throws IOException {
      ConfigResponse.Builder config = ConfigResponse.builder();
      if (warehouse != null) config.withOverride("prefix", URLEncoder.encode(warehouse, StandardCharsets.UTF_8));
      response.setContentType("application/json");
      response.getWriter().write(ConfigResponseParser.toJson(config.build()));
    }
  }
}
