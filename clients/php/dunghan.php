<?php
// Gửi hồ sơ tới Đúng Hạn bằng PHP 8 và curl. / Send dossiers with PHP 8 and curl.
//
//   export DUNGHAN_URL=http://127.0.0.1:8000 DUNGHAN_KEY=dh_…
//   php dunghan.php send     H44.100 H44.100-260803-0012
//   php dunghan.php batch    H44.100 H44.100-260803-0013 H44.100-260803-0014
//   php dunghan.php national "UBND phường Việt Trì" H44.100-260803-0015
//   php dunghan.php verify   whsec_… <id> <timestamp> <signature> < body
declare(strict_types=1);

const AGAIN = [0, 429, 502, 503, 504]; // gửi lại y nguyên / send the same again
const SKEW_SECONDS = 300;

/** Gửi JSON; thử lại khi máy chủ bận. / Send JSON; try again while the server is busy. */
function request(string $method, string $path, array $body, array $headers = []): array
{
    $url = getenv('DUNGHAN_URL') ?: 'http://127.0.0.1:8000';
    for ($attempt = 0; ; $attempt++) {
        $wait = 2 ** $attempt;
        $call = curl_init($url . $path);
        curl_setopt_array($call, [
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_POSTFIELDS => json_encode($body, JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR),
            // thiếu dòng này, curl tự khai là biểu mẫu và bị từ chối với mã 415
            // without this line curl says that it sends a form, and is refused with 415
            CURLOPT_HTTPHEADER => ['Content-Type: application/json', 'Accept-Language: vi', ...$headers],
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT => 60,
            CURLOPT_HEADERFUNCTION => function ($call, string $line) use (&$wait): int {
                if (preg_match('/^retry-after:\s*(\d+)/i', $line, $found)) {
                    $wait = (int) $found[1];
                }
                return strlen($line);
            },
        ]);
        $text = curl_exec($call);
        $status = (int) curl_getinfo($call, CURLINFO_RESPONSE_CODE);
        curl_close($call);
        if (!in_array($status, AGAIN, true) || $attempt === 4) {
            return [$status, $text === false ? [] : (json_decode($text, true) ?? [])];
        }
        sleep($wait);
    }
}

function dossier(string $unit, string $code): array
{
    return [
        'code' => $code,
        'unit' => $unit,
        'procedure' => '1.001193',
        'channel' => 'online',
        'applicant_type' => 'citizen',
        'submitted_at' => '2026-08-03T08:12:00+07:00',
        'received_at' => '2026-08-03T09:10:00+07:00',
        'due_at' => '2026-08-05T17:00:00+07:00',
        'status' => 'processing',
        'source_updated_at' => '2026-08-03T09:10:05+07:00',
    ];
}

function bearer(): string
{
    return 'Authorization: Bearer ' . getenv('DUNGHAN_KEY');
}

function send(string $unit, string $code): array
{
    return request('PUT', '/v1/dossiers/' . rawurlencode($code), dossier($unit, $code), [bearer()]);
}

function batch(string $unit, string ...$codes): array
{
    $records = array_map(fn (string $code): array => dossier($unit, $code), $codes);
    $once = 'Idempotency-Key: ' . bin2hex(random_bytes(16));
    return request('POST', '/v1/dossiers/batch', ['dossiers' => $records], [bearer(), $once]);
}

function national(string $unit, string $code): array
{
    $door = '/v1/adapters/national';
    $account = ['username' => getenv('DUNGHAN_USER') ?: 'mot-cua', 'password' => getenv('DUNGHAN_KEY')];
    [$status, $login] = request('POST', "$door/login", $account);
    if (($login['error_code'] ?? '') !== '0') {
        return [$status, $login];
    }
    return request('POST', $door, [
        'session' => $login['session'],
        'service' => 'DongBoHoSoMC',
        'isUpdating' => 'False',
        'data' => [[
            'MaHoSo' => $code,
            'MaTTHC' => '1.001193',
            'TenTTHC' => 'Đăng ký khai sinh',
            'KenhThucHien' => '2',
            'LoaiDoiTuong' => '1',
            'NgayNopHoSo' => '20260803081200',
            'NgayTiepNhan' => '20260803091000',
            'NgayHenTra' => '20260805170000',
            'TrangThaiHoSo' => '4',
            'HinhThuc' => '0',
            'NgayKetThucXuLy' => '',
            'DonViXuLy' => $unit,
        ]],
    ]);
}

/** Kiểm chữ ký trước khi tin. / Check the signature before believing the message. */
function verify(string $secret, string $id, string $timestamp, string $signatures, string $body): bool
{
    if (abs(time() - (int) $timestamp) > SKEW_SECONDS) {
        return false;
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret), true);
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $signatures) as $one) {
        if (hash_equals($expected, $one)) {
            return true;
        }
    }
    return false;
}

$command = $argv[1] ?? '';
$arguments = array_slice($argv, 2);
if ($command === 'verify') {
    $isGenuine = verify(...$arguments, body: file_get_contents('php://stdin'));
    echo $isGenuine ? "OK\n" : "chữ ký không khớp / signature does not match\n";
    exit($isGenuine ? 0 : 1);
}
[$status, $answer] = match ($command) {
    'send' => send(...$arguments),
    'batch' => batch(...$arguments),
    'national' => national(...$arguments),
};
echo $status, ' ', json_encode($answer, JSON_UNESCAPED_UNICODE), "\n";
$isTaken = $status >= 200 && $status < 300 && ($answer['error_code'] ?? '0') === '0';
exit($isTaken && empty($answer['quarantined']) ? 0 : 1);
