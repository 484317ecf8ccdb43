"""How often something happens, as percentages in words."""

import re


def parse_share(text: str) -> float | None:
    """
    The probability that a percentage such as "20%" means; None if it is none.
    """
    match = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,9})?)%", text)
    share = float(match[1]) / 100 if match else 0.0
    return share if 0 < share <= 1 else None


def split_share(word: str) -> tuple[str, float]:
    """
    What *word* names, and with which probability: "lost@2%"; alone it is certain.

    Raises:
        ValueError: What stands behind the @ is no percentage.
    """
    name, at, how_often = word.partition("@")
    if not at:
        return name, 1.0
    share = parse_share(how_often)
    if share is None:
        message = (
            f"{how_often!r} in {word!r} is not a frequency; possible is a percentage "
            "such as 20%."
        )
        raise ValueError(message)
    return name, share


def add_up(shares: list[float]) -> bool:
    """
    Whether *shares* are at most the whole, whatever rounding does to their sum.
    """
    return sum(shares) < 1 + 1e-9
