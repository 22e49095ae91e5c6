import jakarta.servlet.http.HttpServletRequest;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Decides which requests the catalog answers: those that are signed with the key by AWS Signature Version 4, which S3
 * Tables and Glue require, and those with the bearer token, which the REST protocol of Iceberg allows.
 */
final class SignedRequests {
  /** The greatest difference of the clocks that is accepted. Source: AWS General Reference, "Signature Version 4". */
  private static final Duration CLOCK_SKEW = Duration.ofMinutes(15);

  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("uuuuMMdd'T'HHmmss'Z'");
  private static final Pattern AUTHORIZATION =
      Pattern.compile(
          "AWS4-HMAC-SHA256 Credential=([^/]+)/((\\d{8})/([^/]+)/([^/]+)/aws4_request),\\s*"
              + "SignedHeaders=([^,]+),\\s*Signature=([0-9a-f]{64})");

  private final String accessKeyId;
  private final String secretAccessKey;
  private final String token;

  SignedRequests(String accessKeyId, String secretAccessKey, String token) {
    this.accessKeyId = accessKeyId;
    this.secretAccessKey = secretAccessKey;
    this.token = token;
  }

  boolean mayPass(HttpServletRequest request, byte[] body) throws GeneralSecurityException {
    String authorization = request.getHeader("authorization");
    if (authorization == null) return false;
    if (areEqual(authorization, "Bearer " + token)) return true;
    Matcher matcher = AUTHORIZATION.matcher(authorization);
    if (!matcher.matches() || !matcher.group(1).equals(accessKeyId)) return false;
    List<String> signedHeaders = List.of(matcher.group(6).split(";"));
    String time = request.getHeader("x-amz-date");
    // If the signature did not include the host, a request for another server could be sent here.
    if (!signedHeaders.contains("host") || !isOfNow(time)) return false;

    String toSign =
        String.join(
            "\n",
            "AWS4-HMAC-SHA256",
            time,
            matcher.group(2),
            HexFormat.of().formatHex(sha256(canonical(request, signedHeaders, body))));
    byte[] key = ("AWS4" + secretAccessKey).getBytes(StandardCharsets.UTF_8);
    for (String part : List.of(matcher.group(3), matcher.group(4), matcher.group(5), "aws4_request")) {
      key = hmac(key, part);
    }
    return areEqual(HexFormat.of().formatHex(hmac(key, toSign)), matcher.group(7));
  }

  private static byte[] canonical(HttpServletRequest request, List<String> signedHeaders, byte[] body)
      throws GeneralSecurityException {
    // Every service except S3 signs the path after encoding it once more: %3A in an ARN is signed as %253A.
    String path =
        Arrays.stream(request.getRequestURI().split("/", -1))
            .map(SignedRequests::encode)
            .collect(Collectors.joining("/"));
    String headers =
        signedHeaders.stream()
            .map(name -> name + ":" + valueOf(request, name) + "\n")
            .collect(Collectors.joining());
    return String.join(
            "\n",
            request.getMethod(),
            path,
            canonicalQuery(request.getQueryString()),
            headers,
            String.join(";", signedHeaders),
            HexFormat.of().formatHex(sha256(body)))
        .getBytes(StandardCharsets.UTF_8);
  }

  private static String canonicalQuery(String query) {
    if (query == null || query.isEmpty()) return "";
    return Arrays.stream(query.split("&"))
        .map(pair -> pair.split("=", 2))
        .map(pair -> again(pair[0]) + "=" + (pair.length > 1 ? again(pair[1]) : ""))
        .sorted()
        .collect(Collectors.joining("&"));
  }

  /** Encodes a part of the query in the form that signatures use, however the request has encoded it. */
  private static String again(String encoded) {
    return encode(URLDecoder.decode(encoded, StandardCharsets.UTF_8));
  }

  private static String encode(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8)
        .replace("+", "%20")
        .replace("*", "%2A")
        .replace("%7E", "~");
  }

  private static String valueOf(HttpServletRequest request, String header) {
    return Collections.list(request.getHeaders(header)).stream()
        .map(value -> value.trim().replaceAll("\\s+", " "))
        .collect(Collectors.joining(","));
  }

  private static boolean isOfNow(String time) {
    if (time == null) return false;
    try {
      Instant signedAt = LocalDateTime.parse(time, TIME).toInstant(ZoneOffset.UTC);
      return Duration.between(signedAt, Instant.now()).abs().compareTo(CLOCK_SKEW) < 0;
    } catch (DateTimeParseException notATime) {
      return false;
    }
  }

  private static boolean areEqual(String given, String expected) {
    return MessageDigest.isEqual(given.getBytes(StandardCharsets.UTF_8), expected.getBytes(StandardCharsets.UTF_8));
  }

  private static byte[] sha256(byte[] bytes) throws GeneralSecurityException {
    return MessageDigest.getInstance("SHA-256").digest(bytes);
  }

  private static byte[] hmac(byte[] key, String text) throws GeneralSecurityException {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
  }
}
