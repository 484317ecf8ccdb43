"""
Send voice messages in bulk: no one is called twice by us, and no one is lost.
"""

import logging

from voicepush.campaign.campaign import Campaign
from voicepush.client.client import Client
from voicepush.client.stream import Stream
from voicepush.errors import (
    CampaignHeldError,
    ClientClosedError,
    DeliveryError,
    ExpiredError,
    InDoubtError,
    InputError,
    LedgerError,
    NotSentError,
    RejectedError,
    SourceError,
    UnreachableError,
    VoicepushError,
)
from voicepush.ledger import Ledger, open_ledger
from voicepush.model.batch import Batch
from voicepush.model.message import Priority, VoiceMessage
from voicepush.model.outcome import (
    BatchResult,
    Outcome,
    RecipientsError,
    Result,
    SourceRow,
    Summary,
    Verdict,
)
from voicepush.model.recipients import Destination, Recipient
from voicepush.model.status import CampaignState, CampaignStatus
from voicepush.screening.screening import Screening
from voicepush.screening.suppression import Suppressed
from voicepush.settings import Settings
from voicepush.sources.files import ListFile, read_file
from voicepush.sources.opening import digest_of

__version__ = "0.1.0"

# What becomes of records is the application's business.
logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [  # noqa: RUF022 -- in the order of the journey
    # What is sent, to whom
    "VoiceMessage",
    "Priority",
    "Destination",
    "Recipient",
    "read_file",
    "ListFile",
    "digest_of",
    # Who is not called
    "Screening",
    "Suppressed",
    # Sending
    "Settings",
    "Client",
    "Stream",
    # Campaigns
    "open_ledger",
    "Ledger",
    "Campaign",
    "CampaignStatus",
    "CampaignState",
    # What became of it
    "Batch",
    "BatchResult",
    "Outcome",
    "Result",
    "SourceRow",
    "Summary",
    "Verdict",
    # What can go wrong
    "VoicepushError",
    "InputError",
    "SourceError",
    "RecipientsError",
    "DeliveryError",
    "RejectedError",
    "ExpiredError",
    "NotSentError",
    "UnreachableError",
    "InDoubtError",
    "ClientClosedError",
    "LedgerError",
    "CampaignHeldError",
]
