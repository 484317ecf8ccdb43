"""
What a bundle says to someone who knows nothing of voicepush.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from voicepush.masking import shown
from voicepush.report.bundle.contents import (
    CALLS,
    DIGESTS,
    HISTORY,
    MANIFEST,
    README,
    RECEIPTS,
    REJECTS,
    SUPPRESSION,
    SUPPRESSION_HISTORY,
)

_FILES: Mapping[str, str] = {
    README: "This text.",
    MANIFEST: (
        "Which campaign this is, what was played, what its owner had set, the counts, "
        "and when, by whom and with which program this bundle was made."
    ),
    CALLS: "One row for each person who was planned to be called.",
    RECEIPTS: (
        "What the telephone platform reported of the calls, word for word, one report "
        "per line."
    ),
    SUPPRESSION: (
        "The people of this campaign who were on the suppression list (those who must "
        "not be called) when this bundle was made."
    ),
    SUPPRESSION_HISTORY: (
        "What was done to that list, when, and by which process, one line each. It "
        "tells of all people on the list, not only of those of this campaign."
    ),
    HISTORY: "Who did what to this campaign, and when, one line each.",
    REJECTS: (
        "The rows of the list that were refused when the campaign was planned, each "
        "with its reason. The ledger does not keep them: this is a file that the owner "
        "has added, as it was when this bundle was made."
    ),
}

_LIST = (
    "The list that the campaign was planned from, added by its owner. Its SHA-256 is "
    "that of the list that was read when the campaign was planned."
)

_WHAT = """\
WHAT THIS IS

This bundle holds what the program voicepush knows of one campaign of telephone calls:
who was to be called, what became of each call, and who did what when. It was written
from the campaign's ledger, a database in which each step is stored before it is taken
and after it has ended. It says what was done. It does not say what was allowed.

All times are in UTC, as 2030-01-31T12:00:00+00:00 or 2030-01-31T12:00:00Z. "Our clock"
is the clock of the computer that ran voicepush, or of its database. "The platform's
stamp" is a time that the telephone platform wrote into its report, by a clock of its
own.

THE FILES
"""

_COLUMNS = """
calls.csv, COLUMN BY COLUMN

A cell that begins with an apostrophe (') is one that a spreadsheet would otherwise run
as a formula; the apostrophe is not part of the text.

  recipient       the telephone number in full, or the customer id
  outcome         what became of the request to call this person:
                    accepted    the platform took the call
                    rejected    the platform refused it for good
                    expired     the campaign's expiry came first; no call was requested
                    not_sent    the platform never took it; no call was requested
                    unknown     a request was made and its answer was lost: the person
                                may have been called, or not
                    suppressed  left out when it was their turn; not called
                    pending     not tried yet, or waiting for another try
                    in_flight   the request was under way when this row was read
  code            the platform's code in its answer, where there was one
  description     the platform's words, or voicepush's where it said nothing
  transaction_id  the platform's own name for the call
  sent_as         the name under which voicepush asked for the call (correlation id)
  row             the row of the list, counted from 1; a header is row 1
  as_came         what stood there, before it was brought into one form
  call            what became of an accepted call, by the platform's reports:
                    reached       someone or something picked up; a voicemail can't be
                                  told from a person
                    agent         so it was, and an agent was connected
                    not_reached   no answer, busy, or refused
                    dropped       it has ended, and no report says how
                    expired       it expired before the platform offered it
                    on_its_way    no report yet that says how it ended
  call_code       the code of the report that decided this, and
  call_words      its words
  answered_at     when it was picked up, by the platform's stamp
  ended_at        when it ended, by the platform's stamp
  heard_seconds   the seconds between these two
  message         the number of what was to be played, see "messages" in the manifest
  batch           the request's group: up to 1,000 people are asked for together
  attempts        how many requests were made for that group so far
  claimed_at      when, by our clock, voicepush stored that the LAST request of this
                  group was about to leave. Where a group took several requests, this
                  person may have been in an earlier one: then the true time is before.
                  It is empty where the group was never tried.
  recorded_at     when, by our clock, the answer to that last request was stored
  given_up        "yes" where the outcome is unknown and the owner decided to leave it
                  so
  call_at         when that happened which decided "call", by the platform's stamp
  receipt_at      when, by our clock, a report last told something new of this call
  receipts        how many reports of this call stand in receipts.jsonl
"""

_KEPT = "The columns behind these were kept from the owner's list: {names}"

_CONSENT = """
consent: until when this person has agreed to be called, as the owner's list said it; a
day counts to its end in UTC. It was asked when the campaign was planned, and again when
the request was about to leave; who had not agreed was not called.
"""

_NOT_OFFERED = """
When a call was offered to the network is not a column: where the platform reported it,
it stands in receipts.jsonl.
"""

_OTHERS = """
receipts.jsonl: recipient and sent_as as above; stored_at is when the report was stored,
by our clock; body is the report, word for word, or base64 where it is no text. Where it
says "deleted", the report was deleted from the ledger, which keeps them for a limited
time; what it said stands in calls.csv. At most 64 reports of one call are told.

suppression.csv: recipient, row and outcome as above; since when, by our clock, the
person is on the list; the category and the reason that were given; and which process
put them there. Someone who was taken off the list before this bundle was made is not in
it, but the taking off is in suppression-history.jsonl.
People who were on the list, or in the way of another rule, when the campaign was
planned are in none of these rows: they are counted in manifest.json
(suppressed_when_planned), and never became part of the campaign.

history.jsonl: at (our clock), who (process and computer), event, and detail. Events are
planned, joined (a process began to send), told (its owner steered it), changed,
resolved (a decision about the unknown), left (a process stopped sending, and why),
evidence made (an earlier bundle like this one).

manifest.json: "counts" are those of the rows in calls.csv, with those who were refused
when planning. Two sums always hold, and stand in "sums":
  planned = pending + in flight + accepted + rejected + expired + not sent + unknown
  read    = planned + invalid + duplicate + suppressed
"went_on_meanwhile" is true where the campaign was still going on, or reports still came
in, while this bundle was made; then each row is as it was when it was read, between
"began" and "ended". "plan" is what the campaign was set to; "given" in it is what its
owner typed. Where an address in "messages" had a part that may be secret, that was left
out.

HOW TO CHECK IT

digests.txt has a line for each file: its SHA-256, its name, and the chain so far. The
chain is the SHA-256 of: the chain of the line before (64 zeros before the first), two
spaces, the file's SHA-256, two spaces, the file's name, and a line feed. The last one
stands for the whole bundle. It was printed, and written into the history of the
campaign in the ledger, when this bundle was made. A bundle whose last digest is not the
one that was noted then is not the one that was made then.

In the folder of these files, without voicepush:

  awk '{print $1 "  " $2}' digests.txt | sha256sum --check --strict

  chain=0000000000000000000000000000000000000000000000000000000000000000
  while read -r digest name kept; do
    chain=$(printf '%s  %s  %s\\n' "$chain" "$digest" "$name" |
      sha256sum | cut -d' ' -f1)
    [ "$chain" = "$kept" ] || echo "the chain is broken at $name"
  done < digests.txt; echo "$chain"

With voicepush: voicepush evidence --verify BUNDLE --ledger LEDGER
"""


def readme(
    campaign: str, files: Sequence[str], kept: Sequence[str], *, asks_consent: bool
) -> str:
    """
    The text for a bundle of *campaign*, which holds *files* and the columns that were
    *kept*.

    Args:
        asks_consent: Whether one of these says until when people have agreed.
    """
    listed = "".join(_told(name, _FILES.get(name, _LIST)) for name in files)
    listed += _told(DIGESTS, "The digest of each file, see the end of this text.")
    names = _wrapped(_KEPT.format(names=shown(", ".join(kept)))) if kept else ""
    names += _CONSENT if asks_consent else ""
    head = f"Evidence of the campaign: {shown(campaign)}\n\n"
    return f"{head}{_WHAT}{listed}{_COLUMNS}{names}{_NOT_OFFERED}{_OTHERS}"


def _told(name: str, words: str) -> str:
    return f"\n  {name}\n{_wrapped(words, '    ')}"


def _wrapped(words: str, indent: str = "") -> str:
    return (
        textwrap.fill(words, 88, initial_indent=indent, subsequent_indent=indent) + "\n"
    )
