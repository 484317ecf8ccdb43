"""
What spans and metrics are called: one table, from which their documentation is made.

The names are those of OpenTelemetry's semantic conventions, version 1.44.0, wherever
they have one; all others begin with ``voicepush.``.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

#: The version of the conventions, as OpenTelemetry wants it told.
SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"

#: What the conventions for messaging want of whatever sends.
MESSAGING: Mapping[str, str] = {
    "messaging.system": "imiconnect",
    "messaging.operation.name": "send",
    "messaging.operation.type": "send",
    # The channel of the API, which is what its messages are sent to.
    "messaging.destination.name": "voice",
}

#: What those for HTTP want of a request.
HTTP: Mapping[str, str] = {"http.request.method": "POST"}

CAMPAIGN_SPAN = "dispatch campaign"
SEND_SPAN = "send voice"


@attrs.frozen
class Metric:
    """
    Something that is measured.
    """

    name: str
    #: In UCUM, where that has one.
    unit: str
    says: str
    #: By which words it is told apart.
    by: tuple[str, ...] = ()


DURATION = Metric(
    "http.client.request.duration",
    "s",
    "How long the service took to answer a request.",
    ("http.response.status_code", "error.type"),
)
SENT = Metric(
    "messaging.client.sent.messages",
    "{message}",
    "Destinations of the requests that were made.",
    ("error.type",),
)
ACTIVE = Metric(
    "http.client.active_requests",
    "{request}",
    "Requests under way: no answer has come yet.",
)
WAITING = Metric(
    "voicepush.batches.waiting",
    "{batch}",
    "Batches that were begun with and have no request under way.",
)
PACE = Metric(
    "voicepush.pace",
    "{destination}/s",
    "Destinations per second at present, where there is a limit.",
)
ATTEMPTS = Metric(
    "voicepush.attempts",
    "{attempt}",
    "Requests, by what the service said of most of their destinations.",
    ("voicepush.code", "voicepush.meaning"),
)
RECIPIENTS = Metric(
    "voicepush.recipients",
    "{recipient}",
    "Recipients of requests, by what became of them.",
    ("voicepush.outcome",),
)
RECEIPTS = Metric(
    "voicepush.receipts",
    "{receipt}",
    "Receipts that were stored, by what they say of their call.",
    ("voicepush.call.state",),
)
POSTS = Metric(
    "voicepush.receipts.posts",
    "{request}",
    "Requests to the notify URL, by what was done with them.",
    ("voicepush.post",),
)

METRICS = (
    *(DURATION, ACTIVE, SENT, ATTEMPTS, RECIPIENTS),
    *(WAITING, PACE, RECEIPTS, POSTS),
)
