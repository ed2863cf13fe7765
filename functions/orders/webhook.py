"""The webhook: whoever wants to be told what customers are told. Nothing waits for it."""

import msgspec

from orders import settings
from orders.messages.kinds import WebhookKind
from orders.messages.outside import PostNotice
from orders.outside import post
from wherry import Attempt, Breaker, Target

webhook = Target(WebhookKind, breaker=Breaker(failures=5, reset=settings.BREAKER_RESET))


@webhook.effect(PostNotice, timeout=settings.CALL_TIMEOUT)
async def post_notice(call: PostNotice, attempt: Attempt) -> None:
    await post(attempt, settings.WEBHOOK_URL, "/notices", msgspec.to_builtins(call))
