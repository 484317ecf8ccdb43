"""
The service on FastAPI as a whole, by a test that is not async.
"""

import pytest
from fastapi.testclient import TestClient
from voice_services.on_fastapi import app

from voicepush.testing import VoiceApi


@pytest.fixture
def environment(voice_api: VoiceApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What the service finds when it starts.
    """
    monkeypatch.setenv("VOICEPUSH_SERVICE_KEY", voice_api.service_key)
    monkeypatch.setenv("VOICEPUSH_BASE_URL", voice_api.url)


@pytest.mark.usefixtures("environment")
def test_the_service_starts_and_rings(voice_api: VoiceApi) -> None:
    """
    Its own client finds the stand-in, which runs in a thread here.
    """
    with TestClient(app) as service:
        answer = service.post("/reminders", json={"number": "+999000000001"})

    assert answer.status_code == 202
    assert voice_api.times_rung["+999000000001"] == 1
