"""
What telemetry costs a campaign: the same one with and without, in pairs.

    python benchmarks/telemetry.py
    python benchmarks/telemetry.py --many 300000 --pairs 11 --older ../old

Each run is a process of its own that plans and dispatches a list, against a local sink
that stays the same; what counts is its CPU time from the first number to the last
record, the start of Python not included. The lanes take turns in random order.
``on`` is an OpenTelemetry SDK that keeps spans in batches, as an exporter gets, and
collects metrics every second; what an exporter makes of them is not measured.
``sampled`` is the same with one trace of ten. With ``--older FOLDER`` the voicepush in
that folder runs, too, so that what telemetry costs when it is off can be seen.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from campaign_of_millions import write_list
from sink import serving

_LANES = ("off", "on", "sampled")

#: Which share of the traces is kept in each lane.
_KEPT = {"on": 1.0, "sampled": 0.1}


@contextlib.contextmanager
def _observed(lane: str, client: object) -> Iterator[None]:
    if lane not in _KEPT:
        yield
        return
    # An older voicepush has no such module, and a lane without it loads no SDK.
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import (  # noqa: PLC0415
        InMemoryMetricReader,
    )
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import (  # noqa: PLC0415
        InMemorySpanExporter,
    )
    from opentelemetry.sdk.trace.sampling import (  # noqa: PLC0415
        ParentBasedTraceIdRatio,
    )

    from voicepush.telemetry import instrument  # noqa: PLC0415

    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider(ParentBasedTraceIdRatio(_KEPT[lane]))
    tracers.add_span_processor(BatchSpanProcessor(spans))
    meters = MeterProvider([reader])
    undo = instrument(client, tracer_provider=tracers, meter_provider=meters)  # type: ignore[arg-type]

    async def collect() -> None:
        while True:
            await asyncio.sleep(1)
            reader.get_metrics_data()

    collecting = asyncio.create_task(collect())
    yield
    collecting.cancel()
    undo()
    tracers.shutdown()
    assert spans.get_finished_spans()


async def _run(lane: str, folder: Path, many: int, url: str) -> float:
    import voicepush  # noqa: PLC0415 -- whichever it is

    message = voicepush.VoiceMessage(media="welcome")
    # What the first use of anything loads is no part of a campaign.
    async with voicepush.Client(service_key="made-up", base_url=url) as client:
        await client.send(message, ["+990000000000"])
        with _observed(lane, client):
            # As the command line does, with everything that is loaded.
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000)
            began = time.process_time()
            async with voicepush.open_ledger(folder / "ledger.db") as ledger:
                campaign = await voicepush.Campaign.plan(
                    ledger, "many", message, voicepush.read_file(folder / "list.csv")
                )
                summary = await campaign.dispatch(client)
            took = time.process_time() - began
    assert many == summary.accepted
    return took


def _measured(lane: str, folder: Path, many: int, url: str, older: str | None) -> float:
    for file in folder.glob("ledger.db*"):
        file.unlink()
    own = str(Path(__file__).parent)
    paths = os.pathsep.join([own] if older is None else [older, own])
    command = [sys.executable, __file__, "--lane", lane, str(folder), str(many), url]
    done = subprocess.run(  # noqa: S603 -- this very file
        command,
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        check=True,
    )
    return float(json.loads(done.stdout))


def _told(lane: str, found: list[float], of: list[float]) -> str:
    ratio = statistics.median(a / b for a, b in zip(found, of, strict=True))
    low, high = min(found), max(found)
    middle = statistics.median(found)
    return f"{lane:8} {middle:.3f} s ({low:.3f} to {high:.3f}), {ratio:.3f} of off"


def main() -> None:
    """
    Run all lanes in turns, and print medians and the medians of the pairs' ratios.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--lane", nargs=4)
    parser.add_argument("--many", type=int, default=300_000)
    parser.add_argument("--pairs", type=int, default=11)
    parser.add_argument("--older")
    asked = parser.parse_args()
    if asked.lane:
        lane, folder, many, url = asked.lane
        print(json.dumps(asyncio.run(_run(lane, Path(folder), int(many), url))))
        return
    lanes: dict[str, str | None] = dict.fromkeys(_LANES)
    if asked.older:
        lanes["older"] = asked.older
    found: dict[str, list[float]] = {lane: [] for lane in lanes}
    with tempfile.TemporaryDirectory() as name, serving() as service:
        folder = Path(name)
        write_list(folder / "list.csv", asked.many)
        for _ in range(asked.pairs):
            order = list(lanes)
            random.shuffle(order)
            for lane in order:
                took = _measured(lane, folder, asked.many, service.url, lanes[lane])
                found[lane].append(took)
    for lane in lanes:
        print(_told(lane, found[lane], found["off"]))


if __name__ == "__main__":
    main()
