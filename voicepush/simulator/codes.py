"""The codes of the API, as it describes them."""

ACCEPTED = "1001"

_DESCRIPTIONS = {
    ACCEPTED: "Queued",
    "7000": "Invalid JSON",
    "7001": "Authentication failed",
    "7002": "Service key missing",
    "7003": "Mandatory parameters missing",
    "7004": "Invalid parameters",
    "7005": "Request expired",
    "7006": "Internal error",
    "7007": "Service inactive",
    "7009": "More than 1000 destinations",
    "7010": "Provider exception",
    "7011": "Provider exception",
    "7016": "Unknown exception",
    "7020": "TPS limit exceeded (rate)",
    "7022": "JSON too large",
    "7101": "Sender id not allowed",
    "7102": "Destination address not allowed",
    "7104": "App id not allowed",
    "7126": "Content type not allowed",
    "7127": "Source address not allowed",
}


def describe(code: str) -> str:
    """
    What the API says beside *code*; made up where nobody knows.
    """
    return _DESCRIPTIONS.get(code, "Unknown error")
