"""`wherry completion`: what a shell needs to complete our commands and flags."""

from typing import Literal

from cyclopts import App

from wherry.cli.options import NOTHING, RUN, Common
from wherry.cli.output import Output, line


def add_to(app: App) -> None:
    """Register the command, and the flag that puts the script where the shell looks."""

    def completion(shell: Literal["bash", "zsh", "fish"], /, *, common: Common = NOTHING) -> int:
        """Print the script that completes commands and flags in a shell.

        source <(wherry completion bash), or for good: wherry --install-completion
        """
        script = app.generate_completion(prog_name="wherry", shell=shell)
        out = Output(common.output)
        if out.asked and out.format != "table":
            out.one({"shell": shell, "script": script})
        else:
            line(script)
        return 0

    app.command(completion, group=RUN)
    app.register_install_completion_command(
        add_to_startup=True, group=RUN, help="Complete commands and flags in the shell, for good."
    )
