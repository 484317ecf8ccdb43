"""How a client behaves: what is refused, what stays secret, what goes before what."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from voicepush.environment import BASE_URL_VARIABLE, from_environment
from voicepush.errors import InputError
from voicepush.settings import (
    KEY_FILE_VARIABLE,
    KEY_VARIABLE,
    Settings,
)

KEY = "a-made-up-key"
BASE = "https://api.imiconnect.io"


def settings(**fields: Any) -> Settings:
    """
    Settings that are usable but for *fields*.
    """
    return Settings(**{"service_key": KEY, "base_url": BASE, **fields})


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """
    A file with a key and the line break that every editor adds.
    """
    path = tmp_path / "key"
    path.write_text("key-of-the-file\n", encoding="utf-8")
    return path


class TestBaseUrl:
    """
    Where the key may go.
    """

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            (BASE, BASE),
            (f" {BASE}/ ", BASE),
            ("https://api.example.test/under/", "https://api.example.test/under"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://LOCALHOST:8080", "http://LOCALHOST:8080"),
            ("http://127.0.0.1:1", "http://127.0.0.1:1"),
            ("http://127.8.9.1", "http://127.8.9.1"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ],
    )
    def test_taken(self, given: str, kept: str) -> None:
        """
        An https address is taken, and a plain one to this machine itself.
        """
        assert kept == settings(base_url=given).base_url

    @pytest.mark.parametrize(
        "url",
        [
            "http://api.imiconnect.io",
            "HTTP://api.imiconnect.io",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://localhost.example.test",
            "http://127.0.0.1.example.test",
            "http://[::2]",
        ],
    )
    def test_plain_http(self, url: str) -> None:
        """
        Plain http to another machine is refused, with the reason.
        """
        with pytest.raises(InputError, match=r"must begin with https://.*service key"):
            settings(base_url=url)

    @pytest.mark.parametrize(
        "url", ["", "api.imiconnect.io", "ftp://h.test", "https://", "https:///path"]
    )
    def test_not_whole(self, url: str) -> None:
        """
        Half an address is refused with an example of a whole one.
        """
        with pytest.raises(InputError, match=r"such as https://api\.imiconnect\.io"):
            settings(base_url=url)

    def test_cannot_be_parsed(self) -> None:
        """
        An address with half a pair of brackets is refused as any other mistake is.
        """
        with pytest.raises(InputError):
            settings(base_url="https://[api.imiconnect.io")

    @pytest.mark.parametrize(
        "url",
        [f"{BASE}?a=1", f"{BASE}/#part", "https://me:secret@h.test", "https://@h.test"],
    )
    def test_more_than_an_address(self, url: str) -> None:
        """
        A query, a fragment or a user name is refused.
        """
        with pytest.raises(InputError, match="no query, fragment or user name"):
            settings(base_url=url)

    @pytest.mark.parametrize("url", [f"{BASE}?", f"{BASE}/#"])
    def test_empty_query_or_fragment(self, url: str) -> None:
        """
        So is an empty one, which would swallow the path that is put behind it.
        """
        with pytest.raises(InputError, match="no query, fragment or user name"):
            settings(base_url=url)


class TestServiceKey:
    """
    What a key is, and that it is never shown.
    """

    def test_missing(self) -> None:
        """
        Without a key, the error names both ways to give one.
        """
        with pytest.raises(InputError) as caught:
            settings(service_key="")

        assert KEY_VARIABLE in str(caught.value)
        assert KEY_FILE_VARIABLE in str(caught.value)

    @pytest.mark.parametrize(
        "key", [f"{KEY}\n", f" {KEY}", "clé-made-up", f"{KEY}\r\nx: y", "a\tb", "\x7f"]
    )
    def test_no_header_value(self, key: str) -> None:
        """
        A key that no header can carry is refused, and not repeated in the error.
        """
        with pytest.raises(InputError, match="no header can carry") as caught:
            settings(service_key=key)

        assert key.strip() not in str(caught.value)

    def test_not_in_repr(self) -> None:
        """
        Neither the key nor a proxy's password is shown.
        """
        shown = repr(settings(proxy="http://me:secret-of-the-proxy@h.test"))

        assert KEY not in shown
        assert "secret-of-the-proxy" not in shown
        assert BASE in shown

    @pytest.mark.parametrize(
        "fields", [{"base_url": "http://h.test"}, {"rate": -1}, {"batch_size": 0}]
    )
    def test_not_in_errors(self, fields: dict[str, Any]) -> None:
        """
        An error about another setting does not show the key.
        """
        with pytest.raises(InputError) as caught:
            settings(**fields)

        assert KEY not in str(caught.value)


class TestNumbers:
    """
    How fast and how patiently.
    """

    @pytest.mark.parametrize(
        "name",
        [
            "concurrency",
            "rate",
            "body_limit",
            "linger",
            "connect_timeout",
            "answer_timeout",
            "patience",
            "first_wait",
        ],
    )
    @pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
    def test_must_be_positive(self, name: str, value: float) -> None:
        """
        A number that is not above 0 is refused by its name.
        """
        with pytest.raises(InputError, match=f"{name} must be above 0, not {value}"):
            settings(**{name: value})

    @pytest.mark.parametrize("value", [0, -1, 1001])
    def test_batch_size(self, value: int) -> None:
        """
        A batch holds from 1 to 1,000 recipients.
        """
        with pytest.raises(InputError, match=f"from 1 to 1000, not {value}"):
            settings(batch_size=value)

    @pytest.mark.parametrize("value", [1, 1000])
    def test_batch_size_at_its_ends(self, value: int) -> None:
        """
        Both ends are allowed.
        """
        assert value == settings(batch_size=value).batch_size

    @pytest.mark.parametrize(
        "name",
        ["linger", "connect_timeout", "answer_timeout", "patience", "first_wait"],
    )
    def test_durations(self, name: str) -> None:
        """
        A duration is given in seconds or as a timedelta.
        """
        seconds = settings(**{name: timedelta(milliseconds=1500)})

        assert 1.5 == getattr(seconds, name)
        assert seconds == settings(**{name: 1.5})

    def test_defaults(self) -> None:
        """
        Nothing but key and address is needed, and giving up is slow on purpose.
        """
        usual = settings()

        assert None is usual.rate
        assert (1000, 1 << 20, 0.02) == (
            usual.batch_size,
            usual.body_limit,
            usual.linger,
        )
        assert usual.answer_timeout >= 60
        assert usual.retry_internal_error
        assert not usual.trust_env


class TestFromEnvironment:
    """
    What goes before what.
    """

    def test_environment(self) -> None:
        """
        Key and address come from the environment where no argument says otherwise.
        """
        found = from_environment({KEY_VARIABLE: KEY, BASE_URL_VARIABLE: BASE}, rate=5)

        assert (KEY, BASE, 5) == (found.service_key, found.base_url, found.rate)

    def test_of_the_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        The environment is the process's own, unless another is given.
        """
        monkeypatch.setenv(KEY_VARIABLE, KEY)
        monkeypatch.setenv(BASE_URL_VARIABLE, BASE)

        assert KEY == from_environment().service_key

    def test_arguments_first(self, key_file: Path) -> None:
        """
        An argument goes before everything else.
        """
        found = from_environment(
            {
                KEY_VARIABLE: "other",
                KEY_FILE_VARIABLE: str(key_file),
                BASE_URL_VARIABLE: "https://other.test",
            },
            key_file=key_file,
            service_key=KEY,
            base_url=BASE,
        )

        assert (KEY, BASE) == (found.service_key, found.base_url)

    def test_key_file_before_environment(self, key_file: Path) -> None:
        """
        A key file that is named by hand goes before the environment's key and file.
        """
        found = from_environment(
            {KEY_VARIABLE: KEY, KEY_FILE_VARIABLE: "/nowhere", BASE_URL_VARIABLE: BASE},
            key_file=key_file,
        )

        assert "key-of-the-file" == found.service_key

    def test_key_before_the_environments_file(self, key_file: Path) -> None:
        """
        Of the environment's two, the key goes before the file.
        """
        variables = {KEY_FILE_VARIABLE: str(key_file), BASE_URL_VARIABLE: BASE}

        assert "key-of-the-file" == from_environment(variables).service_key
        variables[KEY_VARIABLE] = KEY
        assert KEY == from_environment(variables).service_key

    @pytest.mark.parametrize("environment", [{}, {KEY_VARIABLE: ""}])
    def test_no_key(self, environment: dict[str, str]) -> None:
        """
        A key that is given nowhere, or empty, is asked for by the variables' names.
        """
        with pytest.raises(InputError, match=rf"{KEY_VARIABLE}.*{KEY_FILE_VARIABLE}"):
            from_environment(environment, base_url=BASE)

    def test_no_base_url(self) -> None:
        """
        An address that is given nowhere is asked for by the variable's name, too.
        """
        with pytest.raises(InputError, match=BASE_URL_VARIABLE):
            from_environment({}, service_key=KEY)

    @pytest.mark.parametrize("content", [None, b"\xff\xfe"])
    def test_unreadable_key_file(self, tmp_path: Path, content: bytes | None) -> None:
        """
        A key file that can't be read is named, and what it holds is not shown.
        """
        path = tmp_path / "key"
        if content is not None:
            path.write_bytes(content)

        with pytest.raises(InputError, match="can't be read from") as caught:
            from_environment({}, key_file=path, base_url=BASE)

        assert str(path) in str(caught.value)
        assert None is not caught.value.__cause__

    def test_empty_key_file(self, tmp_path: Path) -> None:
        """
        An empty key file is no key; the environment's does not slip in.
        """
        path = tmp_path / "key"
        path.write_text("\n", encoding="utf-8")

        with pytest.raises(InputError, match="a service key is needed"):
            from_environment({KEY_VARIABLE: KEY}, key_file=path, base_url=BASE)
