import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Gửi hồ sơ tới Đúng Hạn bằng Java 17, một tệp, không thư viện ngoài.
 * Send dossiers with Java 17: one file, no libraries.
 *
 *   export DUNGHAN_URL=http://127.0.0.1:8000 DUNGHAN_KEY=dh_…
 *   java DungHan.java send     H44.100 H44.100-260803-0012
 *   java DungHan.java batch    H44.100 H44.100-260803-0013 H44.100-260803-0014
 *   java DungHan.java national H44.100 H44.100-260803-0015
 *   java DungHan.java verify   whsec_… <id> <timestamp> <signature> < body
 */
public final class DungHan {
    private static final String URL = env("DUNGHAN_URL", "http://127.0.0.1:8000");
    private static final String KEY = env("DUNGHAN_KEY", "");
    private static final Set<Integer> AGAIN = Set.of(429, 502, 503, 504);
    private static final long SKEW_SECONDS = 300;
    // cấu hình mặc định của HttpClient dùng được / the default HttpClient is fine
    private static final HttpClient HTTP =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();

    record Answer(int status, String body) {
        boolean isTaken() {
            String code = field(body, "error_code");
            return status < 300 && (code == null || code.equals("0"))
                    && !body.matches("(?s).*\"quarantined\":\\s*[1-9].*");
        }
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        String[] rest = Arrays.copyOfRange(args, 1, args.length);
        if (args[0].equals("verify")) {
            boolean isGenuine =
                    verify(rest[0], rest[1], rest[2], rest[3], System.in.readAllBytes());
            out.println(isGenuine ? "OK" : "chữ ký không khớp / signature does not match");
            System.exit(isGenuine ? 0 : 1);
        }
        Answer answer = switch (args[0]) {
            case "send" -> send(rest[0], rest[1]);
            case "batch" -> batch(rest[0], Arrays.copyOfRange(rest, 1, rest.length));
            case "national" -> national(rest[0], rest[1]);
            default -> throw new IllegalArgumentException(args[0]);
        };
        out.println(answer.status() + " " + answer.body());
        System.exit(answer.isTaken() ? 0 : 1);
    }

    /** Gửi JSON; thử lại khi máy chủ bận. Send JSON; try again while the server is busy. */
    static Answer request(String method, String path, String json, String... headers)
            throws Exception {
        HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(URL + path))
                .timeout(Duration.ofSeconds(60))
                .header("Content-Type", "application/json")
                .header("Accept-Language", "vi")
                .method(method, HttpRequest.BodyPublishers.ofString(json, StandardCharsets.UTF_8));
        if (headers.length > 0) {
            builder.headers(headers);
        }
        for (int attempt = 0; ; attempt++) {
            long wait = 1L << attempt;
            try {
                HttpResponse<String> answer = HTTP.send(builder.build(),
                        HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
                if (!AGAIN.contains(answer.statusCode()) || attempt == 4) {
                    return new Answer(answer.statusCode(), answer.body());
                }
                wait = answer.headers().firstValueAsLong("Retry-After").orElse(wait);
            } catch (IOException error) {
                if (attempt == 4) {
                    throw error;
                }
            }
            Thread.sleep(wait * 1000);
        }
    }

    static String record(String unit, String code) {
        return """
                {"code": %s, "unit": %s, "procedure": "1.001193", "channel": "online",
                 "applicant_type": "citizen", "submitted_at": "2026-08-03T08:12:00+07:00",
                 "received_at": "2026-08-03T09:10:00+07:00", "due_at": "2026-08-05T17:00:00+07:00",
                 "status": "processing", "source_updated_at": "2026-08-03T09:10:05+07:00"}
                """.formatted(quoted(code), quoted(unit));
    }

    static Answer send(String unit, String code) throws Exception {
        String path = "/v1/dossiers/" + URLEncoder.encode(code, StandardCharsets.UTF_8);
        return request("PUT", path, record(unit, code), "Authorization", "Bearer " + KEY);
    }

    static Answer batch(String unit, String... codes) throws Exception {
        String records = Arrays.stream(codes).map(code -> record(unit, code))
                .collect(Collectors.joining(","));
        return request("POST", "/v1/dossiers/batch", "{\"dossiers\": [" + records + "]}",
                "Authorization", "Bearer " + KEY,
                "Idempotency-Key", UUID.randomUUID().toString());
    }

    static Answer national(String unit, String code) throws Exception {
        String door = "/v1/adapters/national";
        Answer login = request("POST", door + "/login", "{\"username\": %s, \"password\": %s}"
                .formatted(quoted(env("DUNGHAN_USER", "mot-cua")), quoted(KEY)));
        if (!login.isTaken()) {
            return login;
        }
        return request("POST", door, """
                {"session": %s, "service": "DongBoHoSoMC", "isUpdating": "False", "data": [
                 {"MaHoSo": %s, "MaTTHC": "1.001193", "TenTTHC": "Đăng ký khai sinh",
                  "KenhThucHien": "2", "LoaiDoiTuong": "1", "NgayNopHoSo": "20260803081200",
                  "NgayTiepNhan": "20260803091000", "NgayHenTra": "20260805170000",
                  "TrangThaiHoSo": "4", "HinhThuc": "0", "NgayKetThucXuLy": "",
                  "DonViXuLy": %s}]}
                """.formatted(quoted(field(login.body(), "session")), quoted(code), quoted(unit)));
    }

    /** Kiểm chữ ký trước khi tin. Check the signature before believing the message. */
    static boolean verify(String secret, String id, String timestamp, String signatures,
            byte[] body) throws Exception {
        if (Math.abs(Instant.now().getEpochSecond() - Long.parseLong(timestamp)) > SKEW_SECONDS) {
            return false;
        }
        byte[] key = Base64.getDecoder().decode(secret.replaceFirst("^whsec_", ""));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        mac.update((id + "." + timestamp + ".").getBytes(StandardCharsets.UTF_8));
        byte[] expected = ("v1," + Base64.getEncoder().encodeToString(mac.doFinal(body)))
                .getBytes(StandardCharsets.US_ASCII);
        return Arrays.stream(signatures.split(" ")).anyMatch(
                one -> MessageDigest.isEqual(expected, one.getBytes(StandardCharsets.US_ASCII)));
    }

    private static String env(String name, String otherwise) {
        return System.getenv().getOrDefault(name, otherwise);
    }

    /** Đủ cho mã và tên; phần mềm thật nên dùng thư viện JSON. Enough for codes and names. */
    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    private static String field(String json, String name) {
        Matcher found = Pattern.compile('"' + name + "\":\\s*\"([^\"]*)\"").matcher(json);
        return found.find() ? found.group(1) : null;
    }
}
