# SPDX-License-Identifier: GPL-3.0-or-later
"""Options on command lines. Standard library only."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any

from .errors import UsageError
from .option_kinds import AnyOf, File, Flag, OneOf, Text
from .options import Option

NONE = "none"  # stands for the default of an option that may have no value


def add_options(parser: argparse.ArgumentParser, options: Iterable[Option], stored: str = "") -> None:
    """Add options to a parser. What is not given is not in the namespace; see `given_options`. `stored` tells in the
    help what comes before an option's default.
    """
    for option in options:
        if option.flag is None:
            continue
        arguments: dict[str, Any] = {"dest": option.name, "default": argparse.SUPPRESS, **option.kind.arguments}
        if isinstance(option.kind, Flag):
            arguments["action"] = argparse.BooleanOptionalAction
        else:
            arguments |= {"type": _reader(option), "metavar": _metavar(option)}
        parser.add_argument(option.flag, help=_help(option, stored), required=option.must, **arguments)
        for name in option.old:
            parser.add_argument(f"--{name.replace('_', '-')}", help=argparse.SUPPRESS, **arguments)


def given_options(namespace: argparse.Namespace, options: Iterable[Option]) -> dict[str, Any]:
    """The values that a command line states, by the option's name."""
    given = vars(namespace)
    return {option.name: _collected(option, given[option.name]) for option in options if option.name in given}


def _collected(option: Option, given: Any) -> Any:
    return given if given is None else option.kind.collect(given)


def _reader(option: Option) -> Callable[[str], Any]:
    """Reads one word; argparse tells what is wrong with it."""

    def read(text: str) -> Any:
        if _may_be_none(option) and text == NONE:
            return None
        try:
            value = option.kind.parse(text)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error
        except ValueError:
            value = None
        whole = option.kind.collect([value]) if option.kind.arguments else value
        if value is None or not option.kind.accepts(whole):
            raise argparse.ArgumentTypeError(f"{text!r} is not {option.kind.wording}")
        return value

    return read


def _may_be_none(option: Option) -> bool:
    """Whether the word "none" stands for no value: not where it is a choice, or could be meant as words."""
    kind = option.kind
    word = isinstance(kind, Text) or (isinstance(kind, OneOf) and NONE in kind.names)
    return not word and not option.must and option.default in (None, ())


def _metavar(option: Option) -> str:
    if isinstance(option.kind, OneOf):
        return "{" + ",".join(map(str, option.kind.names)) + "}"
    if isinstance(option.kind, File) and not option.metavar:
        return "DIR" if option.kind.is_folder else "FILE"
    return option.metavar or option.unit.upper() or option.kind.metavar or option.name.split("_")[-1].upper()


def _help(option: Option, stored: str) -> str:
    """Its help, with what it can be and what it is where it is left out."""
    choices = f": {', '.join(option.kind.names)}" if isinstance(option.kind, AnyOf) else ""
    told = not option.must and option.default not in (None, (), "", 0, False)
    default = f" (default: {stored}{option.default})" if told else ""
    return f"{option.help}{choices}{default}".replace("%", "%%")
