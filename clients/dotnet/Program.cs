// Gửi hồ sơ tới Đúng Hạn bằng .NET 8. / Send dossiers with .NET 8.
//
//   export DUNGHAN_URL=http://127.0.0.1:8000 DUNGHAN_KEY=dh_…
//   dotnet run -- send     H44.100 H44.100-260803-0012
//   dotnet run -- batch    H44.100 H44.100-260803-0013 H44.100-260803-0014
//   dotnet run -- national "UBND phường Việt Trì" H44.100-260803-0015
//   dotnet run -- verify   whsec_… <id> <timestamp> <signature> < body
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

const int SkewSeconds = 300;
var url = Environment.GetEnvironmentVariable("DUNGHAN_URL") ?? "http://127.0.0.1:8000";
var key = Environment.GetEnvironmentVariable("DUNGHAN_KEY") ?? "";
var plain = new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
Console.OutputEncoding = Encoding.UTF8;

var rest = args[1..];
if (args[0] == "verify")
{
    using var body = new MemoryStream();
    Console.OpenStandardInput().CopyTo(body);
    var isGenuine = Verify(rest[0], rest[1], rest[2], rest[3], body.ToArray());
    Console.WriteLine(isGenuine ? "OK" : "chữ ký không khớp / signature does not match");
    return isGenuine ? 0 : 1;
}
var (status, answer) = args[0] switch
{
    "send" => await Send(rest[0], rest[1]),
    "batch" => await Batch(rest[0], rest[1..]),
    "national" => await National(rest[0], rest[1]),
    _ => throw new ArgumentException(args[0]),
};
Console.WriteLine($"{(int)status} {answer.ToJsonString(plain)}");
var isTaken = (int)status < 300
    && ((string?)answer["error_code"] ?? "0") == "0"
    && ((int?)answer["quarantined"] ?? 0) == 0;
return isTaken ? 0 : 1;

// Gửi JSON; thử lại khi máy chủ bận. / Send JSON; try again while the server is busy.
async Task<(HttpStatusCode, JsonNode)> Request(
    HttpMethod method, string path, object body, params (string Name, string Value)[] headers)
{
    for (var attempt = 0; ; attempt++)
    {
        var wait = TimeSpan.FromSeconds(Math.Pow(2, attempt));
        using var request = new HttpRequestMessage(method, url + path);
        request.Content = new StringContent(
            JsonSerializer.Serialize(body, plain), Encoding.UTF8, "application/json");
        request.Headers.Add("Accept-Language", "vi");
        foreach (var (name, value) in headers) request.Headers.Add(name, value);
        try
        {
            using var response = await http.SendAsync(request);
            var isBusy = response.StatusCode is HttpStatusCode.TooManyRequests
                or HttpStatusCode.BadGateway
                or HttpStatusCode.ServiceUnavailable
                or HttpStatusCode.GatewayTimeout;
            if (!isBusy || attempt == 4)
                return (response.StatusCode,
                    JsonNode.Parse(await response.Content.ReadAsStringAsync())!);
            wait = response.Headers.RetryAfter?.Delta ?? wait;
        }
        catch (HttpRequestException) when (attempt < 4)
        {
        }
        await Task.Delay(wait);
    }
}

Dictionary<string, object> Record(string unit, string code) => new()
{
    ["code"] = code,
    ["unit"] = unit,
    ["procedure"] = "1.001193",
    ["channel"] = "online",
    ["applicant_type"] = "citizen",
    ["submitted_at"] = "2026-08-03T08:12:00+07:00",
    ["received_at"] = "2026-08-03T09:10:00+07:00",
    ["due_at"] = "2026-08-05T17:00:00+07:00",
    ["status"] = "processing",
    ["source_updated_at"] = "2026-08-03T09:10:05+07:00",
};

Task<(HttpStatusCode, JsonNode)> Send(string unit, string code) => Request(
    HttpMethod.Put, "/v1/dossiers/" + Uri.EscapeDataString(code), Record(unit, code),
    ("Authorization", $"Bearer {key}"));

Task<(HttpStatusCode, JsonNode)> Batch(string unit, string[] codes) => Request(
    HttpMethod.Post, "/v1/dossiers/batch",
    new { dossiers = codes.Select(code => Record(unit, code)).ToArray() },
    ("Authorization", $"Bearer {key}"), ("Idempotency-Key", Guid.NewGuid().ToString()));

async Task<(HttpStatusCode, JsonNode)> National(string unit, string code)
{
    const string door = "/v1/adapters/national";
    var user = Environment.GetEnvironmentVariable("DUNGHAN_USER") ?? "mot-cua";
    var (status, login) = await Request(
        HttpMethod.Post, door + "/login", new { username = user, password = key });
    if ((string?)login["error_code"] != "0") return (status, login);
    var dossier = new Dictionary<string, string>
    {
        ["MaHoSo"] = code,
        ["MaTTHC"] = "1.001193",
        ["TenTTHC"] = "Đăng ký khai sinh",
        ["KenhThucHien"] = "2",
        ["LoaiDoiTuong"] = "1",
        ["NgayNopHoSo"] = "20260803081200",
        ["NgayTiepNhan"] = "20260803091000",
        ["NgayHenTra"] = "20260805170000",
        ["TrangThaiHoSo"] = "4",
        ["HinhThuc"] = "0",
        ["NgayKetThucXuLy"] = "",
        ["DonViXuLy"] = unit,
    };
    return await Request(HttpMethod.Post, door, new
    {
        session = (string?)login["session"],
        service = "DongBoHoSoMC",
        isUpdating = "False",
        data = new[] { dossier },
    });
}

// Kiểm chữ ký trước khi tin. / Check the signature before believing the message.
static bool Verify(string secret, string id, string timestamp, string signatures, byte[] body)
{
    var age = DateTimeOffset.UtcNow.ToUnixTimeSeconds() - long.Parse(timestamp);
    if (Math.Abs(age) > SkewSeconds) return false;
    var bytes = Convert.FromBase64String(secret.StartsWith("whsec_") ? secret[6..] : secret);
    var signed = Encoding.UTF8.GetBytes($"{id}.{timestamp}.").Concat(body).ToArray();
    var expected = Encoding.ASCII.GetBytes(
        "v1," + Convert.ToBase64String(HMACSHA256.HashData(bytes, signed)));
    return signatures.Split(' ').Any(one =>
        CryptographicOperations.FixedTimeEquals(expected, Encoding.ASCII.GetBytes(one)));
}
