"""What a traveller is told, in five languages.

Problem   A text written where it is sent exists in one language and cannot be checked.
Idea      A catalogue: each message has a code, its fields, and a sentence in each language. Easy Japanese
          (`ja-easy`) says one fact per sentence, short, in です/ます.
Source    facts E: the Immigration and Culture agencies' guideline; template seeds for 欠航.
"""

from dataclasses import dataclass

LANGUAGES = ("ja", "ja-easy", "en", "zh-Hans", "ko")


@dataclass(frozen=True, slots=True)
class Message:
    """A message: `texts` has one entry per language of LANGUAGES."""

    code: str
    texts: dict[str, str]


CATALOGUE: dict[str, dict[str, str]] = {
    "order_confirmed": {
        "ja": "ご予約が確定しました。{origin} {departs} 発、{destination} {arrives} 着。合計 {total} 円。",
        "ja-easy": "予約が できました。{departs}に {origin}を 出ます。{arrives}に {destination}に 着きます。",
        "en": "Your trip is booked: {origin} {departs} to {destination} {arrives}. Total {total} yen.",
        "zh-Hans": "预订已确认。{origin} {departs} 出发，{destination} {arrives} 到达。合计 {total} 日元。",
        "ko": "예약이 확정되었습니다. {origin} {departs} 출발, {destination} {arrives} 도착. 합계 {total}엔.",
    },
    "sailing_cancelled": {
        "ja": "{date} の船便（{line}）は欠航になりました。"
        "未使用の運賃 {amount} 円を全額払い戻します。手続きは不要です。",
        "ja-easy": "{date}の 船は 出ません。お金を {amount}円 返します。何も しなくて いいです。",
        "en": "The ship of {date} ({line}) is cancelled. All unused fares, {amount} yen, are refunded."
        " You need not do anything.",
        "zh-Hans": "{date} 的船班（{line}）已停航。未使用的票款 {amount} 日元将全额退还，无需办理手续。",
        "ko": "{date} 배편({line})이 결항되었습니다. "
        "사용하지 않은 운임 {amount}엔을 전액 환불합니다. 별도 절차는 필요 없습니다.",
    },
    "landed_elsewhere": {
        "ja": "{date} の船便（{line}）は {place} で下船となりました。"
        "そこまでの片道運賃を除く {amount} 円を払い戻します。手続きは不要です。",
        "ja-easy": "{date}の 船は {place}に 着きました。そこまでの お金だけ いただきます。"
        "{amount}円 返します。何も しなくて いいです。",
        "en": "The ship of {date} ({line}) put you ashore at {place}. You pay the fare to there only:"
        " {amount} yen are refunded. You need not do anything.",
        "zh-Hans": "{date} 的船班（{line}）改在 {place} 下船。仅收取到该地的单程票款，"
        "其余 {amount} 日元将退还，无需办理手续。",
        "ko": "{date} 배편({line})은 {place}에서 하선하였습니다. "
        "그곳까지의 편도 운임을 제외한 {amount}엔을 환불합니다. 별도 절차는 필요 없습니다.",
    },
    "travel_refused": {
        "ja": "乗車料金 {amount} 円のお支払いができませんでした。お支払いが済むまで改札をご利用になれません。"
        "アプリの「未払い」からお支払いください。",
        "ja-easy": "電車などの お金 {amount}円を 払えませんでした。払うまで 改札を 通れません。"
        "アプリの「未払い」から 払えます。",
        "en": "Your rides could not be charged. Until you pay {amount} yen, gates refuse your card."
        " Pay under “Debts” in the app.",
        "zh-Hans": "您的乘车费 {amount} 日元未能扣款。付清之前无法通过检票口。请在应用的“欠款”中支付。",
        "ko": "승차 요금 {amount}엔이 결제되지 않았습니다. 납부할 때까지 개찰구를 이용할 수 없습니다. "
        "앱의 ‘미납’에서 결제해 주세요.",
    },
    "travel_allowed": {
        "ja": "未払いのお支払いが済みました。改札をまたご利用いただけます。",
        "ja-easy": "お金を 払いました。また 改札を 通れます。",
        "en": "Your debt is paid. Gates let you in again.",
        "zh-Hans": "欠款已付清，您可以重新通过检票口。",
        "ko": "미납금이 결제되었습니다. 개찰구를 다시 이용할 수 있습니다.",
    },
    "refund_returned": {
        "ja": "払い戻した {amount} 円が金融機関から戻されました。別の方法でお返しします。手続きは不要です。",
        "ja-easy": "返した お金 {amount}円が 銀行から 戻りました。"
        "別の 方法で 返します。何も しなくて いいです。",
        "en": "Your bank sent the refund of {amount} yen back to us. We will pay it another way."
        " You need not do anything.",
        "zh-Hans": "退款 {amount} 日元被银行退回，我们将以其他方式退还，无需办理手续。",
        "ko": "환불한 {amount}엔이 은행에서 반송되었습니다. "
        "다른 방법으로 돌려드립니다. 별도 절차는 필요 없습니다.",
    },
    "refund_paid_after_all": {
        "ja": "お返しできていなかった {amount} 円を払い戻しました。",
        "ja-easy": "返していなかった お金 {amount}円を 返しました。",
        "en": "The {amount} yen that we still owed you are refunded.",
        "zh-Hans": "此前未能退还的 {amount} 日元现已退还。",
        "ko": "돌려드리지 못했던 {amount}엔을 환불했습니다.",
    },
    "payment_disputed": {
        "ja": "ご予約のお支払い {amount} 円について、カード会社に異議申立てがありました。"
        "審査が終わるまで乗車券は有効です。",
        "ja-easy": "カードの 会社が {amount}円の お金を しらべて います。きっぷは 今 使えます。",
        "en": "Your card's bank was asked to take back the {amount} yen of this trip."
        " Your ticket is valid until the bank decides.",
        "zh-Hans": "发卡行收到对本次行程 {amount} 日元付款的争议申请。银行作出决定前车票仍然有效。",
        "ko": "이 여정의 결제 {amount}엔에 대해 카드사에 이의가 접수되었습니다. "
        "결정될 때까지 승차권은 유효합니다.",
    },
    "payment_dispute_won": {
        "ja": "お支払いへの異議申立ては認められませんでした。お支払いはそのまま有効です。",
        "ja-easy": "カードの 会社の しらべが おわりました。お金は 返しません。きっぷは 使えます。",
        "en": "The bank has decided: your payment stands, and so does what is left of your ticket.",
        "zh-Hans": "银行已作出决定：您的付款有效，尚未使用的车票继续有效。",
        "ko": "카드사의 결정이 나왔습니다. 결제는 그대로 유효하며 남은 승차권도 유효합니다.",
    },
    "payment_dispute_lost": {
        "ja": "カード会社が {amount} 円をお返ししました。未使用の乗車券は無効になりました。",
        "ja-easy": "カードの 会社が {amount}円を 返しました。使って いない きっぷは もう 使えません。",
        "en": "The bank has given you back {amount} yen. Tickets that were not used are void.",
        "zh-Hans": "银行已退还 {amount} 日元。未使用的车票已作废。",
        "ko": "카드사가 {amount}엔을 돌려드렸습니다. 사용하지 않은 승차권은 무효입니다.",
    },
    "payment_dispute_lost_ridden": {
        "ja": "カード会社が {amount} 円をお返ししました。お手続きは不要です。",
        "ja-easy": "カードの 会社が {amount}円を 返しました。何も しなくて いいです。",
        "en": "The bank has given you back {amount} yen. You need not do anything.",
        "zh-Hans": "银行已退还 {amount} 日元，无需办理手续。",
        "ko": "카드사가 {amount}엔을 돌려드렸습니다. 별도 절차는 필요 없습니다.",
    },
    "order_cancelled": {
        "ja": "ご予約を取り消しました。払戻額は {amount} 円、手数料は {fee} 円です。",
        "ja-easy": "予約を やめました。お金を {amount}円 返します。手数料は {fee}円です。",
        "en": "Your trip is cancelled. {amount} yen are refunded; the fee is {fee} yen.",
        "zh-Hans": "预订已取消。退款 {amount} 日元，手续费 {fee} 日元。",
        "ko": "예약이 취소되었습니다. 환불 {amount}엔, 수수료 {fee}엔입니다.",
    },
}


def compose_message(code: str, **fields: str) -> Message:
    """The message `code` with its fields filled in, in every language."""
    return Message(code, {language: text.format(**fields) for language, text in CATALOGUE[code].items()})
