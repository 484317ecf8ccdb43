"""
What a header says of its column.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache


class Rank(enum.IntEnum):
    """
    What a header says of its column; of several with numbers the lowest is taken.
    """

    MSISDN = 0
    MOBILE = 1
    PHONE = 2
    MESSENGER = 3
    NUMBER = 4
    CUSTOMER_ID = 5
    CORRELATION_ID = 6
    NONE = 7


# Headers as people write them, without accents, spaces, signs, a remark in brackets
# and a number at their end: "Mobile No.", "Phone-Number 1" and "Tel. (home)" are
# "mobileno", "phonenumber" and "tel".
_MOBILE = (
    *("mobile", "mobilephone", "mob", "cell", "cellphone", "cellular", "gsm"),
    *("handy", "mobil", "mobilfunk", "mobiltelefon", "mobilruf"),
    *("portable", "telephoneportable", "telephonemobile", "telportable", "telmobile"),
    *("movil", "telefonomovil", "celular", "telefonocelular", "cellulare"),
)


_PHONE = (
    *("phone", "telephone", "tel", "ph", "phonework", "phonehome", "fon", "ruf"),
    *("telefon", "telephon", "telefono", "telefone", "fone"),
)


_OWNERS = (
    *("", "primary", "main", "customer", "client", "contact", "user", "home"),
    *("work", "office", "business", "personal", "private"),
)


_NUMBER_WORDS = ("", "no", "nr", "num", "number", "nos", "numbers", "nummer", "numero")


_NUMBER_OF = ("numero", "numerode", "numerodel", "numerodi", "num", "nde", "node")


def _spellings(words: Sequence[str], rank: Rank) -> dict[str, Rank]:
    after = [f"{each}{end}" for each in words for end in _NUMBER_WORDS]
    before = [f"{start}{each}" for each in words for start in _NUMBER_OF]
    return {f"{owner}{each}": rank for each in (*after, *before) for owner in _OWNERS}


_RANKS: dict[str, Rank] = {
    **_spellings(["number"], Rank.NUMBER),
    **dict.fromkeys(["numbers", "nummer", "numero", "contactno"], Rank.NUMBER),
    **_spellings(["whatsapp"], Rank.MESSENGER),
    **_spellings(_PHONE, Rank.PHONE),
    **dict.fromkeys(
        ["contactno", "contactnr", "contactnum", "contactnumber", "contactnumbers"],
        Rank.PHONE,
    ),
    **_spellings(_MOBILE, Rank.MOBILE),
    **_spellings(["msisdn"], Rank.MSISDN),
    # What an export of ours calls it.
    "recipient": Rank.MSISDN,
    **dict.fromkeys(["customerid", "custid"], Rank.CUSTOMER_ID),
    "correlationid": Rank.CORRELATION_ID,
}


_IDS = (Rank.CUSTOMER_ID, Rank.CORRELATION_ID)


@lru_cache(maxsize=4096)
def rank_of(header: str) -> Rank:
    """
    What *header* says of its column.
    """
    bare = re.sub(r"\([^)]*\)|\[[^]]*\]", "", header.casefold())
    letters = "".join(filter(str.isalnum, unicodedata.normalize("NFKD", bare)))
    rank = _RANKS.get(letters.rstrip("0123456789"), Rank.NONE)
    return Rank.NONE if rank in _IDS and letters not in _RANKS else rank


def choose(headers: Sequence[str]) -> list[int]:
    """
    The places of those of *headers* that are the best known, all of equal rank.
    """
    ranks = list(map(rank_of, headers))
    best = min(ranks, default=Rank.NONE)
    if best >= Rank.CORRELATION_ID:
        return []
    return [place for place, rank in enumerate(ranks) if rank is best]
