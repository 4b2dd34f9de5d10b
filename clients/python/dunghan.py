"""Gửi hồ sơ tới Đúng Hạn, chỉ dùng thư viện chuẩn. / Send dossiers with the standard library.

export DUNGHAN_URL=http://127.0.0.1:8000 DUNGHAN_KEY=dh_…
python3 dunghan.py send     H44.100 H44.100-260803-0012
python3 dunghan.py batch    H44.100 H44.100-260803-0013 H44.100-260803-0014
python3 dunghan.py national "UBND phường Việt Trì" H44.100-260803-0015
python3 dunghan.py verify   whsec_… <webhook-id> <webhook-timestamp> <webhook-signature> < body
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

URL = os.environ.get("DUNGHAN_URL", "http://127.0.0.1:8000")
KEY = os.environ.get("DUNGHAN_KEY", "")
AGAIN = {429, 502, 503, 504}
"""Gửi lại y nguyên khi gặp các mã này. / Send the same again on these."""
SKEW_SECONDS = 300


def request(method, path, body, **headers):
    """Gửi JSON; thử lại khi máy chủ bận. / Send JSON; try again while the server is busy."""
    data = json.dumps(body, ensure_ascii=False).encode("utf-8")
    headers = {"Content-Type": "application/json", "Accept-Language": "vi", **headers}
    for attempt in range(5):
        call = urllib.request.Request(URL + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(call, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code not in AGAIN or attempt == 4:
                return error.code, json.load(error)
            wait = int(error.headers.get("Retry-After") or 2**attempt)
        except OSError:
            if attempt == 4:
                raise
            wait = 2**attempt
        time.sleep(wait)
    raise AssertionError("unreachable")


def record(unit, code):
    """Một hồ sơ như phần mềm đang thấy. / A dossier as the software sees it now."""
    return {
        "code": code,
        "unit": unit,
        "procedure": "1.001193",
        "channel": "online",
        "applicant_type": "citizen",
        "submitted_at": "2026-08-03T08:12:00+07:00",
        "received_at": "2026-08-03T09:10:00+07:00",
        "due_at": "2026-08-05T17:00:00+07:00",
        "status": "processing",
        "source_updated_at": "2026-08-03T09:10:05+07:00",
    }


def send(unit, code):
    path = "/v1/dossiers/" + urllib.parse.quote(code, safe="")
    return request("PUT", path, record(unit, code), Authorization=f"Bearer {KEY}")


def batch(unit, *codes):
    """Nhiều hồ sơ một lần; cùng Idempotency-Key thì gửi lại vô hại. / Harmless to repeat."""
    return request(
        "POST",
        "/v1/dossiers/batch",
        {"dossiers": [record(unit, code) for code in codes]},
        **{"Authorization": f"Bearer {KEY}", "Idempotency-Key": str(uuid.uuid4())},
    )


def national(unit, code):
    """Gói tin quốc gia: đăng nhập, lấy phiên, gửi. / Sign in, take the session, send."""
    door = "/v1/adapters/national"
    user = os.environ.get("DUNGHAN_USER", "mot-cua")
    _, login = request("POST", door + "/login", {"username": user, "password": KEY})
    if login["error_code"] != "0":
        return 401, login
    dossier = {
        "MaHoSo": code,
        "MaTTHC": "1.001193",
        "TenTTHC": "Đăng ký khai sinh",
        "KenhThucHien": "2",
        "LoaiDoiTuong": "1",
        "NgayNopHoSo": "20260803081200",
        "NgayTiepNhan": "20260803091000",
        "NgayHenTra": "20260805170000",
        "TrangThaiHoSo": "4",
        "HinhThuc": "0",
        "NgayKetThucXuLy": "",
        "DonViXuLy": unit,
    }
    envelope = {
        "session": login["session"],
        "service": "DongBoHoSoMC",
        "isUpdating": "False",
        "data": [dossier],
    }
    return request("POST", door, envelope)


def verify(secret, webhook_id, timestamp, signatures, body):
    """Kiểm chữ ký của cảnh báo trước khi tin. / Check the signature before believing it."""
    if abs(time.time() - int(timestamp)) > SKEW_SECONDS:  # noqa: TID251  # it runs by itself
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return any(hmac.compare_digest("v1," + expected, one) for one in signatures.split())


def main(command, *arguments):
    if command == "verify":
        is_genuine = verify(*arguments, sys.stdin.buffer.read())
        print("OK" if is_genuine else "chữ ký không khớp / signature does not match")
        return 0 if is_genuine else 1
    status, answer = {"send": send, "batch": batch, "national": national}[command](*arguments)
    print(status, json.dumps(answer, ensure_ascii=False))
    is_taken = status < 300 and answer.get("error_code", "0") == "0"
    return 0 if is_taken and not answer.get("quarantined") else 1


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    sys.exit(main(*sys.argv[1:]))
