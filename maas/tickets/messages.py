"""What the inspector and the rider read: Japanese, easy Japanese, English, Chinese, Korean.

Not here  The choice of a language; a device shows the rider's.
"""

from maas.tickets.verify import VerdictStatus

LANGUAGES = ("ja", "ja-easy", "en", "zh-Hans", "ko")

MESSAGES: dict[VerdictStatus, tuple[str, str, str, str, str]] = {
    VerdictStatus.ACCEPTED: (
        "有効な乗車券です。お通りください。",
        "だいじょうぶです。とおってください。",
        "The ticket is valid. Please go ahead.",
        "车票有效，请通行。",
        "유효한 승차권입니다. 들어가세요.",
    ),
    VerdictStatus.MALFORMED: (
        "乗車券として読み取れません。画面を明るくしてもう一度かざしてください。",
        "よみとれません。がめんを あかるくして、もういちど かざしてください。",
        "This is not readable as a ticket. Brighten the screen and try again.",
        "无法识别为车票。请调亮屏幕后重试。",
        "승차권으로 읽을 수 없습니다. 화면을 밝게 하고 다시 대 주세요.",
    ),
    VerdictStatus.UNKNOWN_KEY: (
        "この端末の鍵一覧にない乗車券です。鍵一覧を更新してください。",
        "この きかいでは わかりません。かかりの ひとに きいてください。",
        "This device does not know the ticket's key. Update the key list.",
        "本设备没有该车票的密钥，请更新密钥列表。",
        "이 단말기에 승차권의 키가 없습니다. 키 목록을 갱신하세요.",
    ),
    VerdictStatus.FORGED: (
        "署名が正しくありません。この乗車券は使えません。発行元のアプリか窓口で確かめてください。",
        "ほんものの きっぷでは ありません。まどぐちで きいてください。",
        "The signature is false. This ticket cannot be used: ask where it was bought.",
        "签名无效，此车票不能使用。请向售票处确认。",
        "서명이 올바르지 않습니다. 이 승차권은 사용할 수 없으니 구입한 곳에 확인하세요.",
    ),
    VerdictStatus.REVOKED_KEY: (
        "発行鍵が失効しています。アプリを更新するか、窓口で再発行を受けてください。",
        "この きっぷの かぎは 止まりました。アプリか まどぐちで あたらしくしてください。",
        "The key of this ticket was revoked. Refresh the app, or have it issued again at the counter.",
        "签发密钥已被吊销，请刷新应用或到窗口重新签发。",
        "발행 키가 폐기되었습니다. 앱을 새로 고치거나 창구에서 재발행받으세요.",
    ),
    VerdictStatus.EXPIRED_KEY: (
        "期限切れの鍵で発行された乗車券です。窓口で再発行を受けてください。",
        "きっぷが ふるいです。まどぐちで あたらしくしてください。",
        "The ticket was issued with an expired key. Have it issued again at the counter.",
        "车票由过期密钥签发，请到窗口重新签发。",
        "만료된 키로 발행된 승차권입니다. 창구에서 재발행받으세요.",
    ),
    VerdictStatus.SUPERSEDED: (
        "別の端末または新しい券面に移された乗車券です。新しい方をお見せください。",
        "この きっぷは ふるいです。あたらしい ほうを 見せてください。",
        "The ticket was moved to another phone or printed again. Show the newer one.",
        "车票已转移到其他手机或已重新打印，请出示新的车票。",
        "다른 기기로 옮겼거나 다시 발행된 승차권입니다. 새 승차권을 보여 주세요.",
    ),
    VerdictStatus.NOT_YET_VALID: (
        "まだ有効期間の前です。券面の開始日時をご確認ください。",
        "まだ つかえません。つかえる日を みてください。",
        "The ticket is not valid yet. See on it when it begins.",
        "车票尚未生效。请查看票面上的生效时间。",
        "아직 유효 기간 전입니다. 승차권의 시작 시각을 확인하세요.",
    ),
    VerdictStatus.EXPIRED: (
        "有効期間が過ぎています。新しい乗車券をお求めください。",
        "つかえる日が おわりました。あたらしい きっぷを かってください。",
        "The ticket has expired. Please buy a new one.",
        "车票已过有效期。请购买新的车票。",
        "유효 기간이 지났습니다. 새 승차권을 구입하세요.",
    ),
    VerdictStatus.STALE_CODE: (
        (
            "古いコードです。画面の写真は使えません。アプリを開いてください。"
            "それでも読めないときは、スマートフォンの時計を自動設定にしてください。"
        ),
        (
            "ふるい コードです。しゃしんは つかえません。アプリを ひらいてください。"
            "だめなときは スマホの 時計を なおしてください。"
        ),
        (
            "The code is old. A screenshot does not count: open the app. "
            "If it is refused still, set the phone's time automatically."
        ),
        "此码已过时。截图无效，请打开应用出示实时二维码。若仍无效，请将手机时间设为自动。",
        (
            "지난 코드입니다. 화면 캡처는 쓸 수 없으니 앱을 여세요. "
            "그래도 안 되면 휴대전화 시계를 자동으로 설정하세요."
        ),
    ),
    VerdictStatus.EARLY_CODE: (
        "スマートフォンの時計が進んでいます。時刻を自動設定にしてください。",
        "スマホの 時計が すすんでいます。時計を なおしてください。",
        "The clock of the phone is fast. Set its time automatically and try again.",
        "手机时钟偏快，请将时间设为自动后重试。",
        "휴대전화 시계가 빠릅니다. 시간을 자동으로 설정하고 다시 시도하세요.",
    ),
    VerdictStatus.STATIC_REFUSED: (
        "ここでは動くコードが必要です。アプリで表示してください。",
        "ここでは かみは つかえません。アプリの コードを 見せてください。",
        "A moving code is needed here. Show it in the app.",
        "此处需要动态二维码，请在应用中出示。",
        "이곳에서는 움직이는 코드가 필요합니다. 앱에서 보여 주세요.",
    ),
    VerdictStatus.WRONG_OPERATOR: (
        "この事業者では使えない乗車券です。券面の事業者をご確認ください。",
        "この のりものでは つかえません。かかりの ひとに きいてください。",
        "The ticket does not cover this operator. See on it where it is good, or buy another.",
        "此车票不适用于本运营商。请查看票面或另行购票。",
        "이 운영사에서는 사용할 수 없는 승차권입니다. 이용할 수 있는 곳을 확인하세요.",
    ),
    VerdictStatus.REVOKED: (
        "取り消された乗車券です。払い戻しをご確認ください。",
        "この きっぷは とりけされました。おかねが もどったか みてください。",
        "This fare was cancelled. Please check your refund.",
        "此车票已取消，请确认退款。",
        "취소된 승차권입니다. 환불을 확인하세요.",
    ),
    VerdictStatus.WRONG_PLACE: (
        "乗車券の区間と異なります。係員にお申し出ください。",
        "きっぷの ばしょと ちがいます。かかりの ひとに きいてください。",
        "The ticket is for another place. Please ask the staff.",
        "与车票区间不符，请联系工作人员。",
        "승차권의 구간과 다릅니다. 직원에게 문의하세요.",
    ),
    VerdictStatus.WRONG_CLASS: (
        "等級が異なります。係員にお申し出ください。",
        "せきの しゅるいが ちがいます。かかりの ひとに きいてください。",
        "The ticket is for another class. Please ask the staff.",
        "舱位等级不符，请联系工作人员。",
        "등급이 다릅니다. 직원에게 문의하세요.",
    ),
    VerdictStatus.REPLAYED: (
        "このコードは別の場所で読み取り済みです。今の画面をお見せください。",
        "この コードは ほかの ところで つかいました。いまの 画面を 見せてください。",
        "This code was already shown elsewhere. Ask to see the live screen.",
        "此码已在别处出示，请出示实时画面。",
        "이 코드는 다른 곳에서 이미 사용되었습니다. 현재 화면을 보여 주세요.",
    ),
    VerdictStatus.ALREADY_USED: (
        "すでに使用された乗車券です。お心当たりがなければ係員にお申し出ください。",
        "この きっぷは もう つかいました。ちがうときは かかりの ひとに きいてください。",
        "The ticket has already been used. If that was not you, please ask the staff.",
        "此车票已被使用。如有疑问，请联系工作人员。",
        "이미 사용된 승차권입니다. 본인이 사용하지 않았다면 직원에게 문의하세요.",
    ),
}


def message_for(status: VerdictStatus) -> dict[str, str]:
    """The message of a status by language."""
    return dict(zip(LANGUAGES, MESSAGES[status], strict=True))
