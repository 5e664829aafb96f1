"""A ticket on paper, and as plain words: for printers, letters, screen readers, SMS.

Problem   A ticket must be usable by somebody without a telephone, and readable by somebody who does not see
          its code.
Idea      The same lines in five languages, as text alone or on an SVG sheet beside the code. Only a static
          code is drawn: of one on a device there is nothing to print. Times are those of the zone given.
Not here  The code itself (drawing.py), which codes count (services/ticketing).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from maas.prices import RiderCategory
from maas.tickets.drawing import QUIET_MODULES, build_qr
from maas.tickets.phone_code import spell

Language = Literal["ja", "ja-easy", "en", "zh-Hans", "ko"]

TITLE: Mapping[Language, str] = {
    "ja": "乗車券",
    "ja-easy": "きっぷ",
    "en": "Ticket",
    "zh-Hans": "车票",
    "ko": "승차권",
}
VALID: Mapping[Language, str] = {
    "ja": "有効期間",
    "ja-easy": "つかえる とき",
    "en": "Valid",
    "zh-Hans": "有效期",
    "ko": "유효 기간",
}
RIDERS: Mapping[Language, str] = {
    "ja": "人数",
    "ja-easy": "何人",
    "en": "Riders",
    "zh-Hans": "人数",
    "ko": "인원",
}
BY_PHONE: Mapping[Language, str] = {
    "ja": "電話で伝える番号",
    "ja-easy": "電話で いう ばんごう",
    "en": "To be read by telephone",
    "zh-Hans": "电话报读码",
    "ko": "전화로 불러줄 번호",
}
ONCE: Mapping[Language, str] = {
    "ja": "各区間に一度だけ使えます。写しは使えません。番号も人に教えないでください。",
    "ja-easy": "1かいだけ つかえます。ほかの人に 見せないでください。",
    "en": "Each ride once. A copy is worth nothing. Keep the number to yourself.",
    "zh-Hans": "每段限用一次。复印件无效。请勿告知他人号码。",
    "ko": "구간마다 한 번만 쓸 수 있습니다. 사본은 쓸 수 없습니다. 번호를 남에게 알리지 마세요.",
}
AGAIN_AND_AGAIN: Mapping[Language, str] = {
    "ja": "有効期間中は何度でも乗れます。ほかの人に渡すことはできません。",
    "ja-easy": "なんかいでも のれます。ほかの人に わたさないでください。",
    "en": "Any number of rides in its time, by one party. It is not handed on.",
    "zh-Hans": "有效期内不限次数。不得转让他人。",
    "ko": "유효 기간 동안 몇 번이든 탈 수 있습니다. 남에게 넘길 수 없습니다.",
}
IN_THE_APP: Mapping[Language, str] = {
    "ja": "アプリを開いて動くコードをお見せください。",
    "ja-easy": "アプリを ひらいて コードを 見せてください。",
    "en": "Open the app and show the moving code.",
    "zh-Hans": "请打开应用出示动态二维码。",
    "ko": "앱을 열어 움직이는 코드를 보여 주세요.",
}
RIDER_NAMES: Mapping[RiderCategory, Mapping[Language, str]] = {
    RiderCategory.ADULT: {"ja": "大人", "ja-easy": "おとな", "en": "adult", "zh-Hans": "成人", "ko": "어른"},
    RiderCategory.CHILD: {
        "ja": "小児",
        "ja-easy": "こども",
        "en": "child",
        "zh-Hans": "儿童",
        "ko": "어린이",
    },
    RiderCategory.INFANT: {
        "ja": "幼児",
        "ja-easy": "小さい こども",
        "en": "infant",
        "zh-Hans": "幼儿",
        "ko": "유아",
    },
    RiderCategory.STUDENT: {
        "ja": "学生",
        "ja-easy": "学生（がくせい）",
        "en": "student",
        "zh-Hans": "学生票",
        "ko": "학생",
    },
    RiderCategory.SENIOR: {
        "ja": "高齢者",
        "ja-easy": "70さいから",
        "en": "senior",
        "zh-Hans": "老年人",
        "ko": "경로",
    },
    RiderCategory.DISABLED: {
        "ja": "障害者",
        "ja-easy": "しょうがいが ある人",
        "en": "disabled rider",
        "zh-Hans": "残障人士",
        "ko": "장애인",
    },
    RiderCategory.HELPER: {
        "ja": "介護者",
        "ja-easy": "たすける人",
        "en": "helper",
        "zh-Hans": "陪护",
        "ko": "보호자",
    },
    RiderCategory.ISLANDER: {
        "ja": "島民",
        "ja-easy": "島の人",
        "en": "islander",
        "zh-Hans": "岛民",
        "ko": "섬 주민",
    },
    RiderCategory.GROUP: {
        "ja": "団体",
        "ja-easy": "グループ",
        "en": "group",
        "zh-Hans": "团体",
        "ko": "단체",
    },
}
LINE_PX, MARGIN_PX, MODULE_PX, LETTER_PX = 22, 24, 4, 9


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedFare:
    """A fare as a rider reads it. A pass has no two ends: both are its name."""

    origin: str
    destination: str
    fare_class: str | None = None

    @property
    def is_pass(self) -> bool:
        """Whether it is good for any number of rides."""
        return self.origin == self.destination


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedTicket:
    """What is written of a ticket. `payload` is its static code, None while it is on a device."""

    ticket_ref: str
    riders: Mapping[RiderCategory, int]
    valid_from: datetime
    valid_until: datetime
    fares: tuple[PrintedFare, ...]
    phone_code: str | None
    payload: str | None


def write_text(ticket: PrintedTicket, *, language: Language, zone: ZoneInfo) -> str:
    """The ticket in plain words, a line each."""
    return "\n".join([*_lines(ticket, language, zone), ""])


def draw_sheet(ticket: PrintedTicket, *, language: Language, zone: ZoneInfo) -> str:
    """The ticket as an SVG sheet to print: its code, and its words below."""
    assert ticket.payload is not None, "only a static code is printed"
    code = build_qr(ticket.payload)
    lines = _lines(ticket, language, zone)
    side = code.symbol_size(scale=MODULE_PX, border=QUIET_MODULES)[0]
    # Wide signs take two letters' room: the sheet is as wide as its longest line in them.
    width = max(side, LETTER_PX * 2 * max(len(line) for line in lines)) + 2 * MARGIN_PX
    height = side + LINE_PX * (len(lines) + 1) + 2 * MARGIN_PX
    dark = "".join(
        f"M{x} {y}h1v1h-1z"
        for y, row in enumerate(code.matrix_iter(border=0))
        for x, bit in enumerate(row)
        if bit
    )
    offset = MARGIN_PX + QUIET_MODULES * MODULE_PX
    words = "".join(
        f'<text x="{MARGIN_PX}" y="{MARGIN_PX + side + LINE_PX * (number + 1)}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" lang="{language}"><title>{escape(lines[0])}</title>'
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<path transform="translate({offset} {offset}) scale({MODULE_PX})" d="{dark}" fill="#000"/>'
        f'<g font-family="sans-serif" font-size="16" fill="#000">{words}</g></svg>'
    )


def _lines(ticket: PrintedTicket, language: Language, zone: ZoneInfo) -> list[str]:
    starts, ends = (
        f"{instant.astimezone(zone):%Y-%m-%d %H:%M}" for instant in (ticket.valid_from, ticket.valid_until)
    )
    riders = ", ".join(
        f"{RIDER_NAMES[rider][language]} {count}" for rider, count in ticket.riders.items() if count
    )
    lines = [
        f"{TITLE[language]} {ticket.ticket_ref}",
        f"{VALID[language]}: {starts} - {ends}",
        f"{RIDERS[language]}: {riders}",
    ]
    for number, fare in enumerate(ticket.fares, 1):
        way = fare.origin if fare.is_pass else f"{fare.origin} → {fare.destination}"
        lines.append(f"{number}. {way}" + (f" ({fare.fare_class})" if fare.fare_class else ""))
    if ticket.phone_code is not None:
        lines.append(f"{BY_PHONE[language]}: {spell(ticket.phone_code)}")
    on_paper = AGAIN_AND_AGAIN if all(fare.is_pass for fare in ticket.fares) else ONCE
    lines.append((IN_THE_APP if ticket.payload is None else on_paper)[language])
    return lines
