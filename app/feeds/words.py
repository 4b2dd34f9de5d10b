"""Vietnamese words as offices write them, folded so that spelling does not matter.

"Ủy ban", "Uỷ ban" and "UỶ BAN" in any normal form are one word. What is compared is folded; what
is stored is what was written.
"""

import re
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from app.domain.record import ApplicantType, Channel, Outcome, ReturnMethod, Status

_Member = TypeVar("_Member", bound=StrEnum)
_ASIDE = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_NOT_A_LETTER = re.compile(r"[^a-z0-9]+")


def fold(text: str) -> str:
    """Return a text without marks, case, brackets' content and punctuation."""
    letters = unicodedata.normalize("NFD", _ASIDE.sub(" ", text).casefold().replace("đ", "d"))
    plain = "".join(sign for sign in letters if not unicodedata.combining(sign))
    return _NOT_A_LETTER.sub(" ", plain).strip()


def _words(told: Mapping[_Member, str]) -> Mapping[str, _Member]:
    """Return each folded word with its meaning; the member's own value is one of them."""
    kinds = {type(member) for member in told}
    own = {fold(member.value): member for kind in kinds for member in kind}
    return own | {fold(word): member for member, words in told.items() for word in words.split(";")}


STATUSES: Final = _words(
    {
        Status.SUBMITTED: "mới đăng ký;chờ tiếp nhận;mới nộp;đã nộp",
        Status.RECEIVED: "được tiếp nhận;đã tiếp nhận;mới tiếp nhận;tiếp nhận",
        Status.REFUSED_AT_INTAKE: "không được tiếp nhận;không tiếp nhận;từ chối tiếp nhận",
        Status.PROCESSING: "đang xử lý;đang giải quyết;đang thụ lý;đang thực hiện",
        Status.AWAITING_SUPPLEMENT: (
            "yêu cầu bổ sung giấy tờ;yêu cầu bổ sung hồ sơ;yêu cầu bổ sung;chờ bổ sung;"
            "chờ bổ sung giấy tờ;chờ bổ sung hồ sơ;đang bổ sung"
        ),
        Status.AWAITING_PAYMENT: (
            "yêu cầu thực hiện nghĩa vụ tài chính;chờ thực hiện nghĩa vụ tài chính;"
            "chờ nghĩa vụ tài chính;chờ thanh toán;chờ nộp thuế"
        ),
        Status.STOPPED: "dừng xử lý;tạm dừng xử lý;tạm dừng;dừng",
        Status.WITHDRAWN: (
            "công dân yêu cầu rút hồ sơ;yêu cầu rút hồ sơ;xin rút hồ sơ;rút hồ sơ;đã rút;xin rút"
        ),
        Status.FINISHED: (
            "đã xử lý xong;xử lý xong;đã giải quyết xong;đã giải quyết;đã có kết quả;có kết quả;"
            "chờ trả kết quả;hoàn thành;đã hoàn thành"
        ),
        Status.RETURNED: "đã trả kết quả;đã trả;trả kết quả;đã trả hồ sơ",
    }
)
CHANNELS: Final = _words(
    {
        Channel.ONLINE: (
            "trực tuyến;nộp trực tuyến;qua mạng;trực tuyến toàn trình;trực tuyến một phần;"
            "toàn trình;một phần"
        ),
        Channel.IN_PERSON: "trực tiếp;nộp trực tiếp;tại quầy;tại bộ phận một cửa",
        Channel.POST: "bưu chính;bưu chính công ích;bcci;qua bưu chính;bưu điện;qua bưu điện",
    }
)
APPLICANTS: Final = _words(
    {
        ApplicantType.CITIZEN: "công dân;cá nhân;người dân",
        ApplicantType.BUSINESS: "doanh nghiệp",
        ApplicantType.STATE_BODY: "cơ quan nhà nước;cơ quan",
        ApplicantType.ORGANISATION: "tổ chức;tổ chức khác;khác",
    }
)
OUTCOMES: Final = _words(
    {
        Outcome.GRANTED: "đồng ý;đủ điều kiện;được giải quyết",
        Outcome.REFUSED: "từ chối;không đủ điều kiện;từ chối giải quyết;không giải quyết",
    }
)
RETURNS: Final = _words(
    {
        ReturnMethod.COUNTER: "trực tiếp;tại quầy;tại bộ phận một cửa;nhận trực tiếp",
        ReturnMethod.POST: "bưu chính;bưu chính công ích;bcci;qua bưu chính;qua bưu điện",
        ReturnMethod.ONLINE: "trực tuyến;qua mạng;bản điện tử;kết quả điện tử",
    }
)
FLAGS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("co", "x", "1", "true", "yes", "da", "dung"), True),
    **dict.fromkeys(("khong", "0", "false", "no", "chua", "sai"), False),
}
