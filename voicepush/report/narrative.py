"""
A report for people at a terminal, in lines of at most eighty letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

import attrs

from voicepush.report.account import Account, Reason
from voicepush.report.figures.figure import Figure, Table
from voicepush.report.text import counted, messages_as_text
from voicepush.report.together import Together
from voicepush.report.wording import cell, local_time

_WIDTH = 80

#: So many bars have a line each; more of them share one.
_MOST_LINES = 16

_BAR = 26

#: From nothing to the most.
_HEIGHTS = " ▁▂▃▄▅▆▇█"


def narrative(
    accounts: Sequence[Account],
    together: Together | None = None,
    *,
    encoding: str = "utf-8",
) -> str:
    """
    The campaigns of *accounts* one after the other.

    Args:
        together: What is told of all of them, where there are several.
        encoding: The terminal's; one that has no blocks gets no bars.
    """
    lines: list[str] = []
    if together is not None:
        lines += _together(together)
    pen = _Pen(can_draw=_can_draw(encoding))
    for each in accounts:
        lines += ["", ""] if lines else []
        lines += pen.told(each)
    return "\n".join(line.rstrip() for line in lines)


def _can_draw(encoding: str) -> bool:
    try:
        _HEIGHTS.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _together(found: Together) -> Iterator[str]:
    yield from _paragraph(found.headline, "")
    yield ""
    yield from _table(found.caption, found.table)
    if found.rounds is not None:
        yield ""
        yield from _table("How many picked up after how many rounds", found.rounds)
    for note in found.notes:
        yield from _paragraph(note)


def _table(caption: str, table: Table) -> Iterator[str]:
    yield caption
    heads = list(table.columns.values())
    rows = [heads, *([cell(each) for each in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *others = (
            f"{words:<{width}}" if at == 0 else f"{words:>{width}}"
            for at, (words, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  " + "  ".join([first, *others])


def _paragraph(text: str, indent: str = "  ") -> list[str]:
    return wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)


@attrs.frozen
class _Pen:
    """
    Writes, and draws where the terminal can show it.
    """

    can_draw: bool

    def told(self, account: Account) -> Iterator[str]:
        """
        One campaign from the headline to its history.
        """
        made_at = local_time(account.overview.made_at)
        yield from _paragraph(f"Campaign {account.name}, looked at {made_at}", "")
        yield ""
        yield from _paragraph(account.headline, "")
        for sentence in account.standing:
            yield from _paragraph(sentence, "")
        for figure in account.figures:
            yield from self._figure(figure)
        yield from ["", "The sums"]
        for each in account.sums:
            yield f"  {'  ' * each.depth + each.words:<18}{each.number:>13,}"
        yield from _by_message(account)
        if account.reasons:
            yield from ["", "What the service answered, and what to do"]
            yield from _reasons(account.reasons)
        if account.call_codes:
            yield from ["", "What became of the calls, and what to do"]
            yield from _reasons(account.call_codes)
        if account.unknown:
            yield from ["", "The unknown"]
            for group in account.advice:
                yield from _paragraph(
                    f"{group.words}, {counted(group.requests, 'request')} with "
                    f"{group.unknown:,} unknown: {group.meaning}"
                )
        yield from ["", "What it ran with"]
        for name, value in [("list", account.source), *account.settings]:
            yield from _paragraph(f"{name}: {value}")
        yield from ["", "What was done by whom when"]
        for deed in account.history:
            detail = f": {deed.detail}" if deed.detail else ""
            yield from _paragraph(
                f"{local_time(deed.at)}  {deed.event}{detail}, by {deed.who}"
            )

    def _figure(self, figure: Figure) -> Iterator[str]:
        yield from ["", figure.title]
        yield from _paragraph(figure.says)
        if figure.spec and self.can_draw:
            if len(figure.bars) > _MOST_LINES:
                yield from _small(figure.bars)
            else:
                yield from _large(figure.bars)
        for key in figure.keys:
            if key.number is not None:
                yield f"  {key.number:>13,}  {key.words}"
        for note in figure.notes:
            yield from _paragraph(note)


def _large(bars: Sequence[tuple[str, int]]) -> Iterator[str]:
    """
    Each in a line of its own, with its number.
    """
    most = max(number for _, number in bars) or 1
    width = max(len(words) for words, _ in bars)
    for words, number in bars:
        drawn = "█" * round(_BAR * number / most)
        yield f"  {words:<{width}}  {drawn:<{_BAR}}{number:>13,}"


def _small(bars: Sequence[tuple[str, int]]) -> Iterator[str]:
    """
    All of them in one line, a sign for each.
    """
    most = max(number for _, number in bars) or 1
    steps = len(_HEIGHTS) - 1
    drawn = "".join(_HEIGHTS[-(-steps * number // most)] for _, number in bars)
    first, last = bars[0][0], bars[-1][0]
    yield f"  {drawn}"
    yield f"  {first}{last:>{max(len(last) + 1, len(bars) - len(first))}}"


def _by_message(account: Account) -> Iterator[str]:
    if account.overview.messages:
        yield from ["", "By message"]
        yield messages_as_text(account.overview.messages)


def _reasons(found: Sequence[Reason]) -> Iterator[str]:
    for each in found:
        said = " ".join(filter(None, (each.what, each.code, each.words)))
        yield from wrap(
            f"{each.number:>13,}  {said}", _WIDTH, subsequent_indent=" " * 15
        )
        means = each.remedy.means if each.remedy.means != each.words else ""
        yield from _paragraph(
            "; ".join(filter(None, (means, each.remedy.do))), " " * 15
        )
