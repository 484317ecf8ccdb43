"""
What a check finds of a tenant, without ringing anyone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
from conftest import KEY, Simulate
from hypothesis import given
from hypothesis import strategies as st
from servers import ClosesEarly, Heard, Server, Tls, response

from voicepush.checking import harmless
from voicepush.checking.checking import Look, checked, look
from voicepush.checking.findings import Finding, Holds, clean, no
from voicepush.checking.shapes import shape_of
from voicepush.settings import Settings
from voicepush.simulator import SHAPES
from voicepush.simulator.requests import RefusedError, read_request
from voicepush.simulator.tenant import TenantOptions

YES, NO, UNKNOWN = Holds.YES, Holds.NO, Holds.UNKNOWN

NUMBER = "+999000000001"


def of(url: str, **fields: Any) -> Settings:
    """
    Settings for the tenant at *url*.
    """
    given = {"service_key": KEY, "answer_timeout": 10.0, **fields}
    return Settings(base_url=url, **given)


def by_name(found: Look) -> Mapping[str, Finding]:
    """
    The findings by what they are about.
    """
    names = {each.about: each for each in found.findings}
    assert len(names) == len(found.findings)
    return names


async def look_at(url: str, *, rate_up_to: int | None = None, **fields: Any) -> Look:
    """
    Look, but not for ever.
    """
    async with asyncio.timeout(30):
        return await look(of(url, **fields), rate_up_to=rate_up_to)


@attrs.define(kw_only=True, eq=False)
class Tenant(Server):
    """
    Answers each request with what *say* makes of it, and rings nobody.
    """

    #: The HTTP status and the body.
    say: Callable[[Heard], tuple[int, Any]]

    async def hear(self, head: bytes, reader: asyncio.StreamReader) -> Heard:
        """
        Read anything, also what is no JSON.
        """
        lines = head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.split(":", 1) for line in lines if line)
        headers = {name.lower(): value.strip() for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        try:
            message = json.loads(body)
        except ValueError:
            message = {}
        request = Heard(headers, message)
        self.heard.append(request)
        return request

    def decide(self, request: Heard) -> bytes:
        """
        What is said.
        """
        status, said = self.say(request)
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        return response(body, status)


@attrs.define(kw_only=True, eq=False)
class NeverAnswers(Tenant):
    """
    Reads, and is silent.
    """

    async def answer(self, _: Heard, __: asyncio.StreamWriter) -> None:
        """
        Wait for the end of the test.
        """
        await asyncio.Event().wait()


def element(code: str, correlation_id: str = "", **more: str) -> dict[str, str]:
    """
    An element of an answer.
    """
    return {
        "code": code,
        "transid": "t",
        "description": "words",
        "correlationid": correlation_id,
        **more,
    }


def refusing_each(request: Heard, code: str = "7102") -> tuple[int, Any]:
    """
    A refusal for each destination, with its id; others are refused as a whole.
    """
    entries = request.message.get("destination")
    if not entries:
        return 200, {"response": [element("7003")]}
    return 200, {"response": [element(code, each["correlationid"]) for each in entries]}


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_shapes_of_answers(simulate: Simulate, shape: str) -> None:
    """
    The usual ones hold; what is built otherwise is told; nobody is rung.
    """
    simulator = await simulate(answer=shape)

    found = by_name(await look_at(simulator.url))

    usual = YES if shape in ("one", "each") else NO
    assert usual is found["answer"].holds
    assert YES is found["key"].holds is found["path"].holds is found["address"].holds
    assert YES is found["tls"].holds is found["time"].holds is found["status"].holds
    assert YES is found["a request that is no JSON"].holds
    assert YES is found["a request to unusable destinations"].holds
    assert UNKNOWN is found["expiry passed"].holds is found["expiry near"].holds
    assert 0 == simulator.rung
    assert 8 == len(simulator.requests)


async def test_numbers_in_place_of_codes(simulate: Simulate) -> None:
    """
    They are told of.
    """
    simulator = await simulate(answer="numeric")

    assert "codes are numbers" in by_name(await look_at(simulator.url))["answer"].words


async def test_refusals_with_another_status(simulate: Simulate) -> None:
    """
    A refusal that is no HTTP 200 is not as believed.
    """
    simulator = await simulate(refusal_status=400)

    found = by_name(await look_at(simulator.url))

    assert (NO, "400") == (found["status"].holds, found["status"].words[-3:])


async def test_a_wrong_key(simulate: Simulate) -> None:
    """
    The service refuses everything, and nothing else is asked.
    """
    simulator = await simulate()

    looked = await look_at(simulator.url, service_key="another")
    found = by_name(looked)

    assert (NO, YES) == (found["key"].holds, found["path"].holds)
    assert looked.refuses
    assert 1 == len(simulator.requests)
    assert UNKNOWN is found["elements"].holds


@pytest.mark.parametrize(
    ("status", "path", "key"),
    [
        (401, UNKNOWN, NO),
        (403, UNKNOWN, NO),
        (404, NO, UNKNOWN),
        (405, NO, UNKNOWN),
        (302, NO, UNKNOWN),
    ],
)
async def test_what_refuses_everything(status: int, path: Holds, key: Holds) -> None:
    """
    It is told whether that is the path's doing or the key's.
    """
    page = b"<html>no</html>"
    async with Tenant(say=lambda _: (status, page)) as server:
        looked = await look_at(server.url, rate_up_to=2)
    found = by_name(looked)

    assert (YES, path, key) == (
        found["address"].holds,
        found["path"].holds,
        found["key"].holds,
    )
    assert looked.refuses
    assert 1 == server.requests
    assert f"HTTP {status}" in found["path"].words


@pytest.mark.parametrize(
    ("status", "path"), [(200, NO), (502, UNKNOWN), (503, UNKNOWN), (429, UNKNOWN)]
)
async def test_a_page_of_a_proxy(status: int, path: Holds) -> None:
    """
    It is not the API, for now or for ever.
    """
    page = b" <html>welcome</html>"
    async with Tenant(say=lambda _: (status, page)) as server:
        looked = await look_at(server.url)
    found = by_name(looked)

    assert path is found["path"].holds
    assert "a page (HTML)" in found["path"].words
    assert UNKNOWN is found["key"].holds
    assert not looked.refuses
    assert 1 == server.requests


async def test_a_service_that_stops() -> None:
    """
    An inactive service refuses everything; that is told of the key.
    """
    async with Tenant(say=lambda _: (200, {"response": [element("7007")]})) as server:
        looked = await look_at(server.url)

    assert looked.refuses
    assert "inactive" in by_name(looked)["key"].words


async def test_connections_that_break() -> None:
    """
    The address does not hold, and it isn't said that everything is refused.
    """
    async with ClosesEarly() as server:
        looked = await look_at(server.url)
    found = by_name(looked)

    assert NO is found["address"].holds
    assert UNKNOWN is found["path"].holds is found["key"].holds is found["time"].holds
    assert not looked.refuses
    assert 1 == server.heads


async def test_nobody_listens() -> None:
    """
    No connection can be made at all, which every request would meet.
    """
    async with Server() as server:
        url = server.url

    looked = await look_at(url)

    assert NO is by_name(looked)["address"].holds
    assert looked.refuses


async def test_no_answer_comes() -> None:
    """
    It is waited for as long as was said, once.
    """
    async with NeverAnswers(say=lambda _: (200, b"")) as server:
        looked = await look_at(server.url, answer_timeout=0.2)

    assert (NO, "no answer in time") == (
        by_name(looked)["address"].holds,
        by_name(looked)["address"].words,
    )


@pytest.mark.slow
async def test_slow_answers(simulate: Simulate) -> None:
    """
    What they take is told, and more than some seconds is too long.
    """
    simulator = await simulate(latency=0.2)

    found = by_name(await look_at(simulator.url))["time"]

    assert YES is found.holds
    assert "an answer takes 2" in found.words


async def test_elements_and_ids_of_each() -> None:
    """
    Where a refusal has an element with its id for each destination, that is known.
    """
    async with Tenant(say=refusing_each) as server:
        found = by_name(await look_at(server.url))

    assert (YES, YES) == (found["elements"].holds, found["ids of a refusal"].holds)
    assert "of destinations" in found["ids of a refusal"].words


async def test_the_id_of_the_request() -> None:
    """
    One element with the request's own id is known, too.
    """

    def say(request: Heard) -> tuple[int, Any]:
        return 200, {"response": [element("7004", request.correlation_id)]}

    async with Tenant(say=say) as server:
        found = by_name(await look_at(server.url))

    assert YES is found["ids of a refusal"].holds
    assert "of the request" in found["ids of a refusal"].words


async def test_foreign_ids_and_elements_too_many() -> None:
    """
    Neither is as believed.
    """
    said = {"response": [element("7004", "another's")] * 3}
    async with Tenant(say=lambda _: (200, said)) as server:
        found = by_name(await look_at(server.url))

    assert (NO, NO) == (found["elements"].holds, found["ids of a refusal"].holds)


async def test_other_fields() -> None:
    """
    What is missing and what is new is named.
    """
    said = {"response": [{"code": "7003", "transid": "t", "message": "words"}]}
    async with Tenant(say=lambda _: (200, said)) as server:
        found = by_name(await look_at(server.url))["fields"]

    assert NO is found.holds
    assert "not in every element: correlationid, description" in found.words
    assert "not expected: message" in found.words


async def test_a_key_that_is_not_looked_at() -> None:
    """
    Where a wrong key is answered as ours is, nobody knows whether ours is taken.
    """
    said = {"response": [element("7003")]}
    async with Tenant(say=lambda _: (200, said)) as server:
        found = by_name(await look_at(server.url))

    assert UNKNOWN is found["key"].holds
    assert NO is found["an empty request with a wrong key"].holds


async def test_unusable_requests_that_are_taken() -> None:
    """
    A service that queues what nobody can be rung by is not as believed.
    """
    said = {"response": [element("1001")]}
    async with Tenant(say=lambda _: (200, said)) as server:
        found = by_name(await look_at(server.url))

    assert NO is found["a request to unusable destinations"].holds
    assert "taken" in found["a request to unusable destinations"].words


async def test_an_expiry_that_is_looked_at_first() -> None:
    """
    Code 7005 to a request that has expired shows that the expiry is honoured.
    """

    def say(request: Heard) -> tuple[int, Any]:
        return refusing_each(request, "7005" if "expiry" in request.message else "7102")

    async with Tenant(say=say) as server:
        found = by_name(await look_at(server.url))

    assert YES is found["expiry passed"].holds
    assert "7005" in found["expiry passed"].words


@pytest.mark.slow
async def test_a_rate_that_is_refused() -> None:
    """
    The pace at which code 7020 comes is told, and nothing faster is tried.
    """
    loop = asyncio.get_running_loop()
    times: list[float] = []

    def say(request: Heard) -> tuple[int, Any]:
        entries = request.message.get("destination", [])
        if len(entries) == 1 and "expiry" not in request.message:
            times.append(loop.time())
            if len([each for each in times if each > loop.time() - 0.9]) > 2:
                return 200, {"response": [element("7020")]}
        return refusing_each(request)

    async with Tenant(say=say) as server:
        found = by_name(await look_at(server.url, rate_up_to=100))["rate"]

    assert NO is found.holds
    assert "7020" in found.words
    assert len(times) <= 1 + 2 + 4


@pytest.mark.slow
async def test_a_rate_that_is_not_refused(simulate: Simulate) -> None:
    """
    Nobody knows if such requests count, so it stays unknown.
    """
    simulator = await simulate()

    found = by_name(await look_at(simulator.url, rate_up_to=3))["rate"]

    assert UNKNOWN is found.holds
    assert "3 requests in a second" in found.words
    assert 8 + 1 + 2 + 3 == len(simulator.requests)


async def test_a_certificate(tmp_path: Path) -> None:
    """
    Version, name, issuer and end are told where it is trusted.
    """
    async with Tls(folder=tmp_path) as server:
        looked = await look_at(server.url, tls=server.trusting)
    found = by_name(looked)["tls"]

    assert YES is found.holds
    assert "TLSv1.3" in found.words
    assert "for localhost, by localhost, and ends on 20" in found.words
    assert "renew it soon" in found.words


async def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    """
    Everything is refused by ourselves, and no key leaves this machine.
    """
    async with Tls(folder=tmp_path) as server:
        looked = await look_at(server.url)
    found = by_name(looked)

    assert (NO, NO) == (found["tls"].holds, found["address"].holds)
    assert "certificate" in found["tls"].words
    assert looked.refuses
    assert 0 == server.requests


async def test_a_certificate_of_another_name(tmp_path: Path) -> None:
    """
    It is trusted, but not for this name.
    """
    async with Tls(folder=tmp_path, name="elsewhere.invalid") as server:
        looked = await look_at(server.url, tls=server.trusting)

    assert NO is by_name(looked)["tls"].holds
    assert "mismatch" in by_name(looked)["tls"].words.lower()


async def test_no_tls_at_all() -> None:
    """
    A server that speaks plain HTTP where TLS is wanted.
    """

    def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"", 400))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        looked = await look_at(f"https://127.0.0.1:{port}")

    assert NO is by_name(looked)["tls"].holds


def test_no_harmless_request_can_ring_anyone() -> None:
    """
    None holds a digit where a number belongs, nor a prompt that could be played; the
    stand-in refuses each.
    """
    now = datetime(2030, 1, 1, tzinfo=UTC)
    requests = [
        *(harmless.empty(), harmless.broken(), harmless.keyless()),
        *(harmless.wrong_key(), harmless.nobody(), harmless.unusable("t")),
        *(harmless.unusable("t", 1), harmless.late("t", now, "ahead")),
    ]

    for request in requests:
        with pytest.raises(RefusedError) as refused:
            read_request(
                {"key": KEY, "content-type": "application/json"},
                request.body,
                tenant=TenantOptions(service_key=KEY),
                most_bytes=1 << 20,
                now=now.replace(year=2029),
            )
        assert refused.value.code in ("7000", "7003", "7004")
        if b"destination" in request.body:
            for entry in json.loads(request.body)["destination"]:
                assert {"-"} == set("".join(entry["msisdn"]))


@pytest.mark.slow
@given(
    st.binary()
    | st.builds(
        msgspec.json.encode,
        st.recursive(
            st.none() | st.integers(-9, 9999) | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(
                        ["response", "code", "transid", "correlationid", "x"]
                    ),
                    inner,
                )
            ),
        ),
    )
)
def test_any_body_has_a_shape(body: bytes) -> None:
    """
    Whatever answers, it is told how that is built.
    """
    shape = shape_of(body)

    assert shape.form
    assert isinstance(shape.has_codes, bool)
    assert all(isinstance(each, str) for each in [*shape.ids, *shape.missing])


@given(st.text(), st.text())
def test_findings_are_on_one_line_and_hide_what_is_secret(
    before: str, after: str
) -> None:
    """
    Neither the key nor a whole number is in them, whatever the service says.
    """
    said = f"{before} {KEY} {NUMBER} {after}"

    (found,) = clean([no("x", said, said)], KEY)

    assert len(found.words.splitlines()) <= 1
    assert KEY not in found.words + found.read_from
    assert NUMBER not in found.words + found.read_from


async def test_what_the_service_repeats_is_hidden() -> None:
    """
    A service that repeats the key, and a number, does not bring them into a report.
    """
    said = {"response": [element("7003", description=f"{KEY} and {NUMBER}\n")]}
    async with Tenant(say=lambda _: (HTTPStatus.OK, said)) as server:
        looked = await look_at(server.url)
    result = checked(of(server.url), looked.findings)

    words = " ".join(each.words for each in result.findings)
    assert "<service key> and +99" in words
    assert KEY not in words
    assert NUMBER not in words
