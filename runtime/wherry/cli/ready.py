"""The one line that says that everything is up, for people or for programs."""

import json
import os

from wherry.cli.options import Common
from wherry.cli.output import Output, line


def say_ready(
    common: Common, url: str, redis_url: str, *, event: str = "ready", console: str = ""
) -> None:
    """Print where HTTP is, where Redis is, and who we are. A password is left out."""
    from wherry.setting_values import without_password

    if Output(common.output).format == "table":
        also = f"   console {console}" if console else ""
        line(f"wherry is {event} at {url}{also}   stop it with Ctrl-C")
        return
    said = {"event": event, "url": url, "redis_url": without_password(redis_url)}
    line(json.dumps({**said, "pid": os.getpid()}))
