"""
A report as one page that needs nothing else: no script, and no other file.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from voicepush import clock
from voicepush.report.account import Account
from voicepush.report.pages import environment, style
from voicepush.report.pictures import svg_of
from voicepush.report.together import Together


def page(
    accounts: Sequence[Account], together: Together | None = None, *, version: str
) -> str:
    """
    The campaigns of *accounts* in one page.

    Args:
        together: What is told of all of them, where there are several.
        version: Which of ours makes it.
    """
    sheet = style()
    digest = hashlib.sha256(sheet.encode()).digest()
    names = ", ".join(each.name for each in accounts)
    now = clock.utc_now()
    return (
        environment()
        .get_template("report.html")
        .render(
            accounts=accounts,
            together=together,
            heading=names if together is None else together.title,
            title=f"{names}: voicepush report",
            svgs=[
                {each.name: svg_of(each) for each in told.drawn} for told in accounts
            ],
            style=sheet,
            style_hash=f"sha256-{base64.b64encode(digest).decode()}",
            made_at=now,
            zone=f"UTC{now.astimezone():%z}",
            version=version,
        )
    )
