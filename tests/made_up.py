"""Made-up messages, numbers, moments and results."""

from datetime import UTC, datetime

from hypothesis import strategies as st
from making import batch_of

from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.recipients import Destination, Recipient

MESSAGE = VoiceMessage(media="welcome")

NOON = datetime(2030, 4, 12, 12, 0, tzinfo=UTC)

#: What can become of a recipient in the end.
FINAL = [outcome for outcome in Outcome if outcome is not Outcome.PENDING]

final_verdicts = st.builds(
    Verdict,
    st.sampled_from(FINAL),
    st.sampled_from([None, "1001", "7004", "7006"]),
    st.sampled_from(["", "Queued", "invalid parameters"]),
)


def number(place: int) -> str:
    """
    A number that belongs to nobody.
    """
    return f"+999555{place:04}"


def several(count: int, first: int = 0) -> Destination:
    """
    A destination of *count* values.
    """
    return Destination([number(place) for place in range(first, first + count)])


@st.composite
def results(draw: st.DrawFn, most: int = 12) -> BatchResult:
    """
    A batch of strings and of destinations with several values, and its verdicts.
    """
    weights = draw(st.lists(st.integers(0, 3), min_size=1, max_size=most))
    recipients: list[Recipient] = [
        Destination([number(10 * place + each) for each in range(weight)])
        if weight
        else number(10 * place)
        for place, weight in enumerate(weights)
    ]
    verdicts = draw(
        st.lists(final_verdicts, min_size=len(recipients), max_size=len(recipients))
    )
    return BatchResult.of_places(batch_of(MESSAGE, "k-0", recipients), verdicts)
