"""What the system wrote down in English is read in the reader's language; people's words stay."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.translation import gettext, override

from notifications import reasons
from notifications.admin.tests.rows import listener, listing, notification, superuser
from notifications.models import DeviceToken, Notification

# A stored text of each kind, as it stands in the database, and what is read in Japanese.
STORED = {
    "ENVIRONMENT is staging; only production may send.": (
        "ENVIRONMENT は staging です。送信できるのは production だけです。"
    ),
    "GOOGLE_APPLICATION_CREDENTIALS is not set.": (
        "GOOGLE_APPLICATION_CREDENTIALS が設定されていません。"
    ),
    "The sending switch is set to dry run.": "送信スイッチはドライランに設定されています。",
    "The sending switch was live until 2026-11-27 03:00 UTC.": (
        "送信スイッチの本番送信は 2026-11-27 03:00 UTC で終了しました。"
    ),
    "The program is set to dry run.": "この番組はドライランに設定されています。",
    "Live: the evening show (2nd try) (anna (admin))": (
        "本番：the evening show (2nd try) (anna (admin))"
    ),
    "Its audience is larger than the 1,000 that anna (admin) allowed when going live. "
    "Somebody else must release it, or cancel it.": (
        "対象が、anna (admin) が本番に切り替えたときに許可した 1,000 を超えています。"
        "別の人が保留を解除するか、中止してください。"
    ),
    "Its audience is larger than 1,000 (NOTIFICATIONS_APPROVAL_AUDIENCE), and anna (admin) went "
    "live. Another account must release it, or cancel it.": (
        "対象が 1,000 件（NOTIFICATIONS_APPROVAL_AUDIENCE）より多く、"
        "本番に切り替えたのは anna (admin) です。"
        "別のアカウントが保留を解除するか、中止してください。"
    ),
    "anna (admin) approved it, and has gone live since: another account must release it, or "
    "cancel it.": (
        "anna (admin) は承認した後に自分で本番に切り替えました。"
        "別のアカウントが保留を解除するか、中止してください。"
    ),
    "anna (admin) wants it sent again, and its audience is large: another account must release "
    "it, or cancel it.": (
        "anna (admin) が再送を求めましたが、対象が多いため、"
        "別のアカウントが保留を解除するか、中止してください。"
    ),
    "It was being sent live. The program is set to dry run. Release it or cancel it.": (
        "本番で送信中でした。この番組はドライランに設定されています。"
        "保留を解除するか、中止してください。"
    ),
    "It cannot be started: the message is\ntoo long": (
        "送信を開始できません：the message is\ntoo long"
    ),
    "The worker died 3 times in a row while sending it, and recorded no answer in between. Look "
    "into the worker's log, then release or cancel.": (
        "送信中にワーカーが 3 回続けて異常終了し、その間に記録された応答はありません。"
        "ワーカーのログを調べてから、保留を解除するか中止してください。"
    ),
    "21 of 100 answers are UNREGISTERED: are these the devices of this Firebase project, and is "
    "the list up to date? Check, then release or cancel. Released, it is not held for them again, "
    "and they are disabled.": (
        "応答 100 件のうち 21 件が UNREGISTERED です。端末がこの Firebase プロジェクトのものか、"
        "一覧が最新かを確認してから、保留を解除するか中止してください。"
        "解除すると、同じ拒否では保留にならず、該当する端末は無効になります。"
    ),
    "12 of 40 answers are SENDER_ID_MISMATCH: the credentials seem to be of another Firebase "
    "project. Correct them, then release.": (
        "応答 40 件のうち 12 件が SENDER_ID_MISMATCH です。"
        "認証情報が別の Firebase プロジェクトのもののようです。"
        "修正してから、保留を解除してください。"
    ),
    "13 of 25 answers are INVALID_ARGUMENT: FCM seems to refuse the message itself. Look at its "
    "title and text, then release or cancel.": (
        "応答 25 件のうち 13 件が INVALID_ARGUMENT です。"
        "FCM がメッセージ自体を拒否しているようです。"
        "タイトルと本文を確認してから、保留を解除するか中止してください。"
    ),
    "Google answered THIRD_PARTY_AUTH_ERROR: the configuration is wrong, not the devices. Renew "
    "the APNs key or the web push certificate in the Firebase console. Then release, or cancel.": (
        "Google の応答は THIRD_PARTY_AUTH_ERROR です。誤りは端末ではなく設定にあります。"
        "Firebase コンソールで、APNs の鍵または Web プッシュの証明書を更新してください。"
        "その後、保留を解除するか中止してください。"
    ),
    "20 of 25 answers for ios, web blame the configuration, most of them by "
    "THIRD_PARTY_AUTH_ERROR. Renew the APNs key or the web push certificate in the Firebase "
    "console. Then release: these are attempted again, and it is not held for them again. Or "
    "cancel.": (
        "ios, web への応答 25 件のうち 20 件は設定の誤りを示しています（最も多いのは "
        "THIRD_PARTY_AUTH_ERROR）。"
        "Firebase コンソールで、APNs の鍵または Web プッシュの証明書を更新してください。"
        "その後、保留を解除してください（該当する端末にはもう一度送信し、同じ理由では保留に"
        "なりません）。または中止してください。"
    ),
    "Nobody on ios is reached: 20 of the last 25 answers there blame the configuration, most of "
    "them by NOT_FOUND. Is the service account's project the one that FCM knows? Then release: "
    "these are attempted again, and it is not held for them again. Or cancel.": (
        "ios の端末に届いていません。直近の応答 25 件のうち 20 件は設定の誤りを示しています"
        "（最も多いのは NOT_FOUND）。"
        "サービスアカウントのプロジェクトが、FCM の知っているプロジェクトかを確認してください。"
        "その後、保留を解除してください（該当する端末にはもう一度送信し、同じ理由では保留に"
        "なりません）。または中止してください。"
    ),
    "Its program may announce 6 talks an hour, and this one is beyond that: the talk is posted, "
    "and its notification waits for an operator to release or cancel it.": (
        "この番組が 1 時間に通知できるトークは 6 件までで、これはその上限を超えています。"
        "トークは投稿されていますが、通知は保留中です。オペレーターが解除するか中止します。"
    ),
    "Its program may announce 24 talks a day, and this one is beyond that: the talk is posted, "
    "and its notification waits for an operator to release or cancel it.": (
        "この番組が 1 日に通知できるトークは 24 件までで、これはその上限を超えています。"
        "トークは投稿されていますが、通知は保留中です。オペレーターが解除するか中止します。"
    ),
    "Its talk was deleted.": "トークが削除されました。",
    "The talk was posted too long ago to be announced.": (
        "トークの投稿から時間がたちすぎているため、通知しません。"
    ),
    "Too late after 1:00:00: 1250 targets were claimed.": (
        "1:00:00 を過ぎたため期限切れになりました。確保した対象は 1250 台でした。"
    ),
    "A worker that was replaced says that some of the unknown were not accepted: they are "
    "attempted again.": (
        "交代した前のワーカーから、不明とした配信の一部は FCM に受け付けられていなかった"
        "と遅れて報告がありました。再送します。"
    ),
    "FCM: unregistered": "FCM：登録なし",
    "FCM: mismatched": "FCM：別のプロジェクト",
    "FCM: invalid": "FCM：無効なトークン",
    "unregistered by its user": "ユーザーが登録を解除",
    "Disabled by anna": "anna が無効化",
    "Its user has 19 other devices, which were refreshed later, and may have no more.": (
        "同じユーザーに、この端末より後に更新された端末がほかに 19 台あり、上限に達しています。"
    ),
}


def japanese(client: Client, address: str) -> str:
    """Return a page of the desk as a Japanese browser gets it."""
    with override("en"):  # the middleware's choice would stay active for the tests that follow
        return client.get(address, headers={"accept-language": "ja"}).content.decode()


# --- The words ------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", reasons.TEMPLATES)
def test_every_template_has_a_translation(template: str) -> None:
    with override("ja"):
        assert gettext(template) != template


@pytest.mark.parametrize("template", reasons.TEMPLATES)
def test_a_text_is_taken_for_no_other_templates(template: str) -> None:
    class Anything(dict[str, Any]):
        def __missing__(self, name: str) -> str:
            return "anything (at) all."

    text = template % Anything()

    assert [each for each, looks in reasons.PATTERNS if looks.fullmatch(text)] == [template]


@pytest.mark.parametrize("text", STORED)
def test_what_is_stored_is_said_in_japanese_with_its_values(text: str) -> None:
    with override("ja"):
        assert reasons.said(text) == STORED[text]


@pytest.mark.parametrize("text", STORED)
def test_what_is_stored_is_said_in_english_as_it_is(text: str) -> None:
    assert reasons.said(text) == text


def test_every_template_but_an_advice_is_tried_above() -> None:
    tried = {
        template
        for template, looks in reasons.PATTERNS
        if any(looks.fullmatch(text) for text in STORED)
    }

    assert set(reasons.TEMPLATES) - tried == {*reasons.ADVICE.values(), reasons.OTHER_ADVICE}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "–",
        "the wrong recording",
        "100 %(count)s",
        "Held by anna (admin): The program is muted.",
    ],
)
def test_the_words_of_an_operator_stay(text: str) -> None:
    with override("ja"):
        assert reasons.said(text) == text


# --- The pages ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_page_of_a_held_notification_says_why_in_japanese() -> None:
    client, held = superuser(), notification("held")
    reason = reasons.NO_LONGER_LIVE % {"objection": reasons.PROGRAM_DRY_RUN}
    Notification.objects.filter(id=held.id).update(reason=reason)

    page = japanese(client, f"{listing('notification')}{held.pk}/change/")
    asked = japanese(client, f"{listing('notification')}{held.pk}/release/")

    assert page.count(STORED[reason]) == 2  # at its head, and among everything that is known
    assert f"保留の理由：{STORED[reason]}" in asked
    assert "It was being sent live" not in page + asked


@pytest.mark.django_db
def test_devices_say_why_they_are_disabled_in_japanese() -> None:
    client = superuser()
    devices = [listener(name) for name in ("lena", "otto", "ida")]
    texts = ["FCM: mismatched", "unregistered by its user", "Disabled by anna"]
    for device, text in zip(devices, texts, strict=True):
        DeviceToken.objects.filter(id=device.id).disable(reason=text, now=timezone.now())

    page = japanese(client, listing("devicetoken"))
    one = japanese(client, f"{listing('devicetoken')}{devices[1].pk}/change/")

    for text in texts:
        assert STORED[text] in page
        assert text not in page
    assert STORED[texts[1]] in one


@pytest.mark.django_db
def test_the_banner_and_the_switch_say_why_in_japanese() -> None:
    client = superuser()
    told = "ENVIRONMENT は development です。送信できるのは production だけです。"

    assert told in japanese(client, listing("notification"))
    assert f"ここでは本番に切り替えられません：{told}" in japanese(client, listing("sendingswitch"))
    assert f"ここではできません：{told}" in japanese(client, listing("sendingswitch", "live/"))


@pytest.mark.django_db
def test_words_within_a_reason_are_no_markup() -> None:
    client, held = superuser(), notification("held")
    reason = reasons.CANNOT_BE_STARTED % {"error": "<script>alert(1)</script>"}
    Notification.objects.filter(id=held.id).update(reason=reason)
    device = listener("lena")
    DeviceToken.objects.filter(id=device.id).disable(
        reason=reasons.DISABLED_BY % {"who": "<script>alert(1)"}, now=timezone.now()
    )

    page = japanese(client, f"{listing('notification')}{held.pk}/change/")
    devices = japanese(client, listing("devicetoken"))

    assert "送信を開始できません：&lt;script&gt;alert(1)" in page
    assert "&lt;script&gt;alert(1) が無効化" in devices
    assert "<script>alert(1)" not in page + devices
