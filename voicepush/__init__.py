"""
Send voice messages in bulk: no one is called twice by us, and no one is lost.
"""

import logging
from typing import TYPE_CHECKING

from voicepush import telemetry
from voicepush.campaign.campaign import Campaign
from voicepush.campaign.following import FollowUp
from voicepush.campaign.overview import overview_of
from voicepush.campaign.terms import Terms
from voicepush.client.client import Client
from voicepush.client.pace import CurrentPace
from voicepush.client.stream import Stream
from voicepush.client.work import Drained
from voicepush.errors import (
    BackupError,
    BusyError,
    CampaignHeldError,
    CampaignLostError,
    ClientClosedError,
    DeliveryError,
    ExpiredError,
    InDoubtError,
    InputError,
    LedgerError,
    NobodyToCallError,
    NoLedgerError,
    NotSentError,
    OtherLoopError,
    RejectedError,
    SourceError,
    UnreachableError,
    VoicepushError,
)
from voicepush.ledger import open_ledger
from voicepush.ledger.forgetting import Forgotten
from voicepush.ledger.plan import (
    Cap,
    Command,
    Control,
    Fingerprint,
    Follows,
    Plan,
    PlannedGroup,
    Stage,
    Trial,
)
from voicepush.ledger.protocol import Draft, Due, Finished, Ledger, Worker
from voicepush.ledger.reader import CalledBatch, LedgerReader
from voicepush.ledger.silence import Silent
from voicepush.ledger.suppression import SuppressionList
from voicepush.model.batch import Batch, BatchId, Group
from voicepush.model.call import (
    Call,
    Calls,
    CallState,
    Receipt,
    ReceiptCounts,
    Received,
    Report,
)
from voicepush.model.claim import Claimed, NotBefore, Recorded, Refused, Superseded
from voicepush.model.events import (
    AttemptMade,
    BatchRecorded,
    CampaignBegun,
    CampaignStopped,
    Event,
    Observer,
    Observers,
    PaceChanged,
    ReceiptsApplied,
)
from voicepush.model.in_full import BatchInFull, KeptReceipt
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
from voicepush.model.overview import (
    CallsAt,
    LocalHours,
    OutcomesAt,
    Overview,
    Snapshot,
    Timeline,
)
from voicepush.model.recipients import Destination, Kind, Recipient, Recipients
from voicepush.model.status import (
    CampaignDates,
    CampaignState,
    CampaignStatus,
    GroupCounts,
    HistoryEntry,
    Lookup,
    Minute,
    Progress,
    Resolved,
    UnknownBatch,
    Waiting,
)
from voicepush.model.suppression import SuppressedEntry, SuppressionEvent
from voicepush.model.token import Token
from voicepush.model.windows import Span, Windows
from voicepush.receipts.polling import Poll, Polled
from voicepush.screening.grouping import Zoning
from voicepush.screening.kept import MessageColumn
from voicepush.screening.refusals import Reason, Refusal, RefusalKind
from voicepush.screening.screening import Screened, Screening
from voicepush.screening.suppression import Suppressed, Unusable
from voicepush.settings import (
    PromptField,
    ReuseConnections,
    Settings,
    SettingsFields,
    WhenFull,
)
from voicepush.sources.blocks import Block, Malformed
from voicepush.sources.files import ListFile, read_file
from voicepush.sources.opening import digest_of

__version__ = "0.1.0"

# What becomes of records is the application's business.
logging.getLogger(__name__).addHandler(logging.NullHandler())


if TYPE_CHECKING:
    from voicepush.dashboard.app import dashboard_app
    from voicepush.receipts.app import receipts_app
else:

    def __getattr__(name: str) -> object:
        # A server takes a tenth of a second to load, and few need one.
        if name == "receipts_app":
            from voicepush.receipts.app import receipts_app  # noqa: PLC0415

            return receipts_app
        if name == "dashboard_app":
            from voicepush.dashboard.app import dashboard_app  # noqa: PLC0415

            return dashboard_app
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [  # noqa: RUF022 -- in the order of the journey
    # What is sent, to whom
    "VoiceMessage",
    "Priority",
    "Destination",
    "Recipient",
    "Recipients",
    "Kind",
    # Lists
    "read_file",
    "ListFile",
    "Block",
    "Malformed",
    "digest_of",
    # Who is not called
    "Screening",
    "Screened",
    "Suppressed",
    "Unusable",
    "SuppressionList",
    "Forgotten",
    "SuppressedEntry",
    "SuppressionEvent",
    "Refusal",
    "RefusalKind",
    "Reason",
    # When people are called, in which order, and what they are played
    "Terms",
    "Trial",
    "Windows",
    "Span",
    "Zoning",
    "MessageColumn",
    # Sending
    "Settings",
    "SettingsFields",
    "Token",
    "ReuseConnections",
    "PromptField",
    "WhenFull",
    "Client",
    "Stream",
    "CurrentPace",
    "Drained",
    # Campaigns
    "open_ledger",
    "Campaign",
    "FollowUp",
    "CampaignStatus",
    "CampaignState",
    "CampaignDates",
    "GroupCounts",
    "Waiting",
    "HistoryEntry",
    "Minute",
    "Progress",
    # What became of it
    "Batch",
    "BatchId",
    "Group",
    "BatchResult",
    "Outcome",
    "Result",
    "SourceRow",
    "Summary",
    "Verdict",
    "Lookup",
    "UnknownBatch",
    "Call",
    "CallState",
    "Calls",
    "Receipt",
    "Report",
    "Received",
    "ReceiptCounts",
    "Resolved",
    # How a campaign went
    "overview_of",
    "Overview",
    "Timeline",
    "Snapshot",
    "OutcomesAt",
    "CallsAt",
    "LocalHours",
    # What the platform reports
    "receipts_app",
    "Poll",
    "Polled",
    # What is shown in the browser
    "dashboard_app",
    # What happens meanwhile
    "telemetry",
    "Observers",
    "Observer",
    "Event",
    "AttemptMade",
    "BatchRecorded",
    "PaceChanged",
    "CampaignBegun",
    "CampaignStopped",
    "ReceiptsApplied",
    # What a ledger promises
    "Ledger",
    "LedgerReader",
    "CalledBatch",
    "BatchInFull",
    "KeptReceipt",
    "Plan",
    "PlannedGroup",
    "Stage",
    "Follows",
    "Cap",
    "Fingerprint",
    "Draft",
    "Worker",
    "Due",
    "Finished",
    "Silent",
    "Claimed",
    "NotBefore",
    "Refused",
    "Recorded",
    "Superseded",
    "Command",
    "Control",
    # What can go wrong
    "VoicepushError",
    "InputError",
    "NobodyToCallError",
    "NoLedgerError",
    "BackupError",
    "SourceError",
    "RecipientsError",
    "DeliveryError",
    "RejectedError",
    "ExpiredError",
    "NotSentError",
    "BusyError",
    "UnreachableError",
    "InDoubtError",
    "ClientClosedError",
    "OtherLoopError",
    "LedgerError",
    "CampaignHeldError",
    "CampaignLostError",
]
