"""How every verb is run: no option of one value is given twice, and Ctrl-C ends in a sentence."""

from __future__ import annotations

from collections import Counter
from typing import Any

import typer
from typer.core import TyperCommand

from penviz.exit_codes import say
from penviz.store.run_config import RunError

STOPPED = "Stopped: every file that was written is whole, and what was not finished is left out."


class StrictCommand(TyperCommand):
    """A verb; of an option given twice the first value would else be ignored without a word."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As of any command; RunError for a repeated option that takes one value."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        times = Counter(parameter.name for parameter in given)
        for parameter in self.params:
            several = getattr(parameter, "multiple", False) or parameter.param_type_name != "option"
            if times[parameter.name] > 1 and not several:
                raise RunError(
                    f"{parameter.opts[0]} is given {times[parameter.name]} times: give it only once."
                )
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """As of any command; a Ctrl-C that the verb does not see to itself ends with status 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say(STOPPED)
            raise typer.Exit(130) from None
