"""`wherry openapi`: the description of HTTP that the bundles make, for programs."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from wherry.cli.failure import INTERNAL, Failed, about
from wherry.cli.options import NOTHING, OPERATE, Common
from wherry.cli.output import Output, line
from wherry.cli.session import bundles_folder, load


def add_to(app: App) -> None:
    """Register the command."""
    app.command(openapi, group=OPERATE)


def openapi(
    *,
    out: Annotated[
        Path | None, Parameter(help="Write it to this file instead.", show_default=False)
    ] = None,
    common: Common = NOTHING,
) -> int:
    """Print the OpenAPI document of the bundles: the one that HTTP serves at /openapi.json.

    It is made from the folder of the bundles; no server is needed. In every format it is JSON.
    """
    text = _text(common)
    if out is None:
        line(text)
        return 0
    try:
        out.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise Failed(
            INTERNAL, "wherry openapi", f"{out} cannot be written: {error}", "wherry openapi"
        ) from error
    Output(common.output).one({"file": str(out)})
    return 0


def _text(common: Common) -> str:
    import msgspec

    from wherry import wiring
    from wherry.codec import to_json
    from wherry.engine.registry import Registry, check
    from wherry.http.openapi import document

    with about("wherry openapi", "wherry deploy --check"):
        settings = load(common).settings
        bundles = wiring.load_bundles(bundles_folder(settings.functions))
        registry = Registry(bundles.app, settings.partitions)
        check(registry)
    plain = to_json(document(registry)).decode()
    return plain if common.output == "jsonl" else msgspec.json.format(plain, indent=2)
