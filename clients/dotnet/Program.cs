// Gửi hồ sơ tới Đúng Hạn bằng .NET, từ bản 3.1 (đã chạy trên 3.1), không thư viện ngoài.
// Send dossiers with .NET, 3.1 or newer (run on 3.1), without libraries.
//
//   export DUNGHAN_URL=http://127.0.0.1:8000 DUNGHAN_KEY=dh_…
//   dotnet run -- send     H44.100 H44.100-260803-0012
//   dotnet run -- batch    H44.100 H44.100-260803-0013 H44.100-260803-0014
//   dotnet run -- national "UBND phường Việt Trì" H44.100-260803-0015
//   dotnet run -- verify   whsec_… <id> <timestamp> <signature> < body
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Threading.Tasks;

static class DungHan
{
    const int SkewSeconds = 300;
    static readonly string Url = Env("DUNGHAN_URL", "http://127.0.0.1:8000");
    static readonly string Key = Env("DUNGHAN_KEY", "");
    static readonly JsonSerializerOptions Plain =
        new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    static readonly HttpClient Http = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
    // Gửi lại y nguyên khi gặp các mã này. / Send the same again on these.
    static readonly HttpStatusCode[] Again =
    {
        HttpStatusCode.TooManyRequests, HttpStatusCode.BadGateway,
        HttpStatusCode.ServiceUnavailable, HttpStatusCode.GatewayTimeout,
    };

    static async Task<int> Main(string[] args)
    {
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
        Console.WriteLine($"{(int)status} {answer.GetRawText()}");
        var isTaken = (int)status < 300
            && Field(answer, "error_code", "0") == "0"
            && Field(answer, "quarantined", "0") == "0";
        return isTaken ? 0 : 1;
    }

    // Gửi JSON; thử lại khi máy chủ bận. / Send JSON; try again while the server is busy.
    static async Task<(HttpStatusCode, JsonElement)> Request(
        HttpMethod method, string path, object body, params (string Name, string Value)[] headers)
    {
        for (var attempt = 0; ; attempt++)
        {
            var wait = TimeSpan.FromSeconds(Math.Pow(2, attempt));
            using var request = new HttpRequestMessage(method, Url + path);
            request.Content = new StringContent(
                JsonSerializer.Serialize(body, Plain), Encoding.UTF8, "application/json");
            request.Headers.Add("Accept-Language", "vi");
            foreach (var (name, value) in headers) request.Headers.Add(name, value);
            try
            {
                using var response = await Http.SendAsync(request);
                if (!Again.Contains(response.StatusCode) || attempt == 4)
                    return (response.StatusCode, JsonSerializer.Deserialize<JsonElement>(
                        await response.Content.ReadAsStringAsync()));
                wait = response.Headers.RetryAfter?.Delta ?? wait;
            }
            catch (HttpRequestException) when (attempt < 4)
            {
                // mất kết nối / the connection was lost
            }
            catch (TaskCanceledException) when (attempt < 4)
            {
                // quá thời gian chờ / no answer in time
            }
            await Task.Delay(wait);
        }
    }

    // Một hồ sơ như phần mềm đang thấy. / A dossier as the software sees it now.
    static Dictionary<string, string> Record(string unit, string code) =>
        new Dictionary<string, string>
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

    static Task<(HttpStatusCode, JsonElement)> Send(string unit, string code) => Request(
        HttpMethod.Put, "/v1/dossiers/" + Uri.EscapeDataString(code), Record(unit, code),
        ("Authorization", $"Bearer {Key}"));

    static Task<(HttpStatusCode, JsonElement)> Batch(string unit, string[] codes) => Request(
        HttpMethod.Post, "/v1/dossiers/batch",
        new { dossiers = codes.Select(code => Record(unit, code)) },
        ("Authorization", $"Bearer {Key}"), ("Idempotency-Key", Guid.NewGuid().ToString()));

    static async Task<(HttpStatusCode, JsonElement)> National(string unit, string code)
    {
        const string door = "/v1/adapters/national";
        var user = Env("DUNGHAN_USER", "mot-cua");
        var (status, login) = await Request(
            HttpMethod.Post, door + "/login", new { username = user, password = Key });
        if (Field(login, "error_code", "") != "0") return (status, login);
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
            session = Field(login, "session", ""),
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
        using var hmac = new HMACSHA256(
            Convert.FromBase64String(secret.StartsWith("whsec_") ? secret[6..] : secret));
        var signed = Encoding.UTF8.GetBytes($"{id}.{timestamp}.").Concat(body).ToArray();
        var expected = Encoding.ASCII.GetBytes(
            "v1," + Convert.ToBase64String(hmac.ComputeHash(signed)));
        return signatures.Split(' ').Any(one =>
            CryptographicOperations.FixedTimeEquals(expected, Encoding.ASCII.GetBytes(one)));
    }

    static string Env(string name, string otherwise) =>
        Environment.GetEnvironmentVariable(name) ?? otherwise;

    static string Field(JsonElement answer, string name, string otherwise) =>
        answer.TryGetProperty(name, out var found) ? found.ToString() : otherwise;
}
