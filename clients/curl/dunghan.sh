#!/usr/bin/env bash
# Gửi hồ sơ tới Đúng Hạn bằng curl và bash (openssl để kiểm chữ ký).
# Send dossiers with curl and bash (openssl to check signatures).
#
#   export DUNGHAN_URL=http://127.0.0.1:8000 DUNGHAN_KEY=dh_…
#   ./dunghan.sh send     H44.100 H44.100-260803-0012
#   ./dunghan.sh batch    H44.100 H44.100-260803-0013 H44.100-260803-0014
#   ./dunghan.sh national "UBND phường Việt Trì" H44.100-260803-0015
#   ./dunghan.sh verify   whsec_… <id> <timestamp> <signature> < body
set -euo pipefail
url=${DUNGHAN_URL:-http://127.0.0.1:8000}
key=${DUNGHAN_KEY:-}

# --retry gửi lại khi gặp 408, 429, 500, 502, 503, 504 và theo Retry-After; thêm
# --retry-all-errors để gửi lại cả khi mất kết nối. Trả lời vào tệp: curl làm rỗng tệp trước mỗi lần
# gửi lại, còn trong ống thì các trả lời nối vào nhau.
# --retry sends the same again on 408, 429, 500, 502, 503, 504 and follows Retry-After, and
# --retry-all-errors when the connection is lost. The answer goes into a file, which curl empties
# before it sends again; in a pipe the answers would be joined.
request() { # method path [header…]; the body on standard input
    local method=$1 path=$2 headers=() answer status
    shift 2
    for one in "$@"; do headers+=(--header "$one"); done
    answer=$(mktemp)
    status=$(curl --silent --show-error --max-time 60 --retry 4 --retry-all-errors \
        --request "$method" "$url$path" \
        --header 'Content-Type: application/json' --header 'Accept-Language: vi' \
        ${headers[@]+"${headers[@]}"} --data-binary @- \
        --output "$answer" --write-out '%{http_code}') || true
    cat "$answer"
    rm -f "$answer"
    printf '\n%s\n' "$status"
}

record() { # unit code
    cat <<JSON
{"code": "$2", "unit": "$1", "procedure": "1.001193", "channel": "online",
 "applicant_type": "citizen", "submitted_at": "2026-08-03T08:12:00+07:00",
 "received_at": "2026-08-03T09:10:00+07:00", "due_at": "2026-08-05T17:00:00+07:00",
 "status": "processing", "source_updated_at": "2026-08-03T09:10:05+07:00"}
JSON
}

send() { record "$1" "$2" | request PUT "/v1/dossiers/$2" "Authorization: Bearer $key"; }

batch() {
    local unit=$1 comma=''
    shift
    {
        printf '{"dossiers": ['
        for code in "$@"; do
            printf '%s' "$comma"
            record "$unit" "$code"
            comma=','
        done
        printf ']}'
    } | request POST /v1/dossiers/batch "Authorization: Bearer $key" \
        "Idempotency-Key: $(openssl rand -hex 16)"
}

national() {
    local door=/v1/adapters/national login session
    login=$(printf '{"username": "%s", "password": "%s"}' "${DUNGHAN_USER:-mot-cua}" "$key" |
        request POST "$door/login")
    session=$(sed -n 's/.*"session":[[:space:]]*"\([^"]*\)".*/\1/p' <<<"$login")
    if [[ -z $session ]]; then
        printf '%s\n' "$login"
        return 1
    fi
    request POST "$door" <<JSON
{"session": "$session", "service": "DongBoHoSoMC", "isUpdating": "False", "data": [
 {"MaHoSo": "$2", "MaTTHC": "1.001193", "TenTTHC": "Đăng ký khai sinh", "KenhThucHien": "2",
  "LoaiDoiTuong": "1", "NgayNopHoSo": "20260803081200", "NgayTiepNhan": "20260803091000",
  "NgayHenTra": "20260805170000", "TrangThaiHoSo": "4", "HinhThuc": "0",
  "NgayKetThucXuLy": "", "DonViXuLy": "$1"}]}
JSON
}

verify() { # secret id timestamp signatures
    local age=$(($(date +%s) - $3)) hex expected one
    ((age <= 300 && age >= -300)) || return 1
    hex=$(printf '%s' "${1#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
    expected=v1,$({ printf '%s.%s.' "$2" "$3" && cat; } |
        openssl dgst -sha256 -mac HMAC -macopt "hexkey:$hex" -binary | openssl base64 -A)
    for one in $4; do [[ $one == "$expected" ]] && return 0; done
    return 1
}

command=$1
shift
if [[ $command == verify ]]; then
    if verify "$@"; then echo OK; else
        echo 'chữ ký không khớp / signature does not match'
        exit 1
    fi
    exit
fi
answer=$("$command" "$@") || { printf '%s\n' "$answer" && exit 1; }
status=${answer##*$'\n'}
body=${answer%$'\n'*}
printf '%s %s\n' "$status" "$body"
[[ $status == 2* && ! $body =~ \"error_code\":[[:space:]]*\"[^0] &&
    ! $body =~ \"quarantined\":[[:space:]]*[1-9] ]]
