"""Settings: which source wins, what is allowed, and that a password is never shown."""

from dataclasses import fields
from pathlib import Path

import pytest

from wherry.errors import Misconfigured
from wherry.setting_values import without_password
from wherry.settings import LoadedSettings, Settings, load_settings

SECRET = "hunter2"
URL = f"redis://worker:{SECRET}@harbour:6379/0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with both files, which disagree."""
    (tmp_path / "wherry.toml").write_text("partitions = 3\nlinger = 'PT3S'\n")
    (tmp_path / "pyproject.toml").write_text(
        "[tool.wherry]\npartitions = 4\nlinger = '4s'\nworkers = 4\n[tool.other]\nname = 'x'\n"
    )
    return tmp_path


def from_env(tmp_path: Path, **env: str) -> LoadedSettings:
    return load_settings(
        {}, {f"WHERRY_{name.upper()}": value for name, value in env.items()}, tmp_path
    )


def test_without_any_source_everything_has_its_default(tmp_path: Path) -> None:
    loaded = load_settings({}, {}, tmp_path)

    assert loaded.settings == Settings()
    assert set(loaded.sources.values()) == {"default"}
    assert set(loaded.sources) == {setting.name for setting in fields(Settings)}


def test_a_flag_wins_over_the_environment_over_wherry_toml_over_pyproject(folder: Path) -> None:
    env = {"WHERRY_PARTITIONS": "2", "WHERRY_PORT": "2222"}

    loaded = load_settings({"partitions": 1}, env, folder)

    settings = loaded.settings
    assert (settings.partitions, settings.port, settings.linger) == (1, 2222, 3.0)
    assert (settings.workers, settings.wait) == (4, 5.0)
    sources = [loaded.sources[name] for name in ("partitions", "port", "linger", "workers", "wait")]
    assert sources == [
        *("--partitions", "WHERRY_PORT", "wherry.toml"),
        *("[tool.wherry] in pyproject.toml", "default"),
    ]


def test_a_flag_that_was_not_given_and_an_empty_variable_say_nothing(folder: Path) -> None:
    loaded = load_settings({"partitions": None, "yes": True}, {"WHERRY_PARTITIONS": ""}, folder)

    assert loaded.settings.partitions == 3


def test_values_in_the_environment_become_what_they_should_be(tmp_path: Path) -> None:
    settings = from_env(
        tmp_path, partitions="16", sweep_every="PT60S", data_dir="/data", namespace="harbour"
    ).settings

    assert (settings.partitions, settings.sweep_every) == (16, 60.0)
    assert (settings.data_dir, settings.namespace) == (Path("/data"), "harbour")


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("partitions", "zero", "a whole number from 1 to 1024"),
        ("partitions", "0", "from 1 to 1024"),
        ("partitions", "8.0", "from 1 to 1024"),
        ("port", "65536", "from 0 to 65535"),
        ("workers", "-1", "from 1 to 256"),
        ("backlog_limit", "0", "from 1 to"),
        ("linger", "soon", "a span like 60s"),
        ("sweep_every", "0.5", "at least 1 s"),
        ("result_ttl", "0", "at least 1 s"),
        ("namespace", "Harbour", "text that matches"),
        ("namespace", "a" * 33, "text that matches"),
        ("namespace", "wherry\n", "text that matches"),
        ("host", "  ", "a host name"),
        ("functions", " ", "a path, or the name of a module"),
        ("data_dir", " ", "a path"),
        ("redis_url", "http://harbour", "redis://, rediss:// or unix://"),
        ("redis_url", "redis://harbour:port", "redis://"),
        ("redis_url", "redis://", "redis://"),
    ],
)
def test_the_error_of_a_wrong_value_names_the_setting_its_source_and_what_is_allowed(
    tmp_path: Path, name: str, value: str, allowed: str
) -> None:
    with pytest.raises(Misconfigured) as caught:
        from_env(tmp_path, **{name: value})

    said = str(caught.value)
    assert f"The setting {name} cannot be" in said
    assert f"WHERRY_{name.upper()}" in said
    assert allowed in said


@pytest.mark.parametrize(
    "content", ["partitions = true", "partitions = 1.5", "namespace = 1", "linger = [1]"]
)
def test_a_value_of_the_wrong_type_in_a_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "wherry.toml").write_text(content)

    with pytest.raises(Misconfigured, match=r"as wherry\.toml says"):
        load_settings({}, {}, tmp_path)


def test_settings_made_in_a_program_obey_the_same_rules() -> None:
    with pytest.raises(Misconfigured, match="namespace cannot be 'Harbour', as the program says"):
        Settings(namespace="Harbour")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("partition = 8", "unknown setting partition. Is it partitions?"),
        ("redis-url = ''", "unknown setting redis-url. Is it redis_url?"),
        ("zzz = 8", "There are: redis_url, namespace"),
        ("partitions = ", "wherry.toml is not TOML"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "wherry.toml").write_text(content)

    with pytest.raises(Misconfigured) as caught:
        load_settings({}, {}, tmp_path)

    assert said in str(caught.value)


@pytest.mark.parametrize("content", ["[project]\nname = 'x'", "tool = 1", ""])
def test_a_pyproject_that_says_nothing_of_us_is_passed_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "pyproject.toml").write_text(content)

    assert load_settings({}, {}, tmp_path).settings == Settings()


def test_our_part_of_pyproject_must_be_a_table(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool]\nwherry = 1")

    with pytest.raises(Misconfigured, match="is not a table of settings"):
        load_settings({}, {}, tmp_path)


def test_the_url_can_be_in_a_file_that_the_environment_names(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(URL + "\n")

    loaded = load_settings({}, {"WHERRY_REDIS_URL_FILE": str(tmp_path / "secret")}, tmp_path)

    assert loaded.settings.redis_url == URL
    assert loaded.sources["redis_url"] == "WHERRY_REDIS_URL_FILE"


def test_a_secret_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"WHERRY_REDIS_URL_FILE: .*nowhere cannot be read"):
        load_settings({}, {"WHERRY_REDIS_URL_FILE": str(tmp_path / "nowhere")}, tmp_path)


def test_a_url_and_a_file_with_a_url_are_one_too_many(tmp_path: Path) -> None:
    env = {"WHERRY_REDIS_URL": URL, "WHERRY_REDIS_URL_FILE": "secret"}

    with pytest.raises(Misconfigured, match="Both WHERRY_REDIS_URL and WHERRY_REDIS_URL_FILE"):
        load_settings({}, env, tmp_path)


def test_only_a_secret_can_be_in_a_file(tmp_path: Path) -> None:
    assert from_env(tmp_path, port_file="x").sources["port"] == "default"


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    loaded = from_env(tmp_path, redis_url=URL)

    assert SECRET not in repr(loaded)
    assert SECRET not in str(list(loaded.rows()))
    assert ("redis_url", "redis://worker:***@harbour:6379/0", "WHERRY_REDIS_URL") in loaded.rows()


def test_a_wrong_url_is_not_shown_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        from_env(tmp_path, redis_url=f"redis:/worker:{SECRET}@harbour")

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("redis://harbour:6379/0", "redis://harbour:6379/0"),
        ("redis://:pw@harbour/0", "redis://:***@harbour/0"),
        ("rediss://me:p%40w@[::1]:6380", "rediss://me:***@[::1]:6380"),
        ("redis://harbour?password=pw&db=1", "redis://harbour?password=***&db=1"),
        ("unix://me:pw@/run/redis.sock?db=1", "unix://me:***@/run/redis.sock?db=1"),
        ("me:pw@harbour", "***"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authentication", "off"), ("rate_limit", "-1"), ("rate_limit", "nan"),
        ("audit_limit", "1"), ("oidc_issuer", "http://issuer.example"), ("oidc_issuer", "issuer"),
        ("oidc_issuer", "https://"), ("oidc_issuer", "https://x:y"), ("oidc_roles_claim", " "),
    ],
)  # fmt: skip
def test_what_makes_a_door_unsafe_cannot_be_set(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=name):
        load_settings({}, {f"WHERRY_{name.upper()}": value}, tmp_path)


def test_an_issuer_on_this_machine_needs_no_encryption(tmp_path: Path) -> None:
    env = {"WHERRY_OIDC_ISSUER": "http://127.0.0.1:9", "WHERRY_RATE_LIMIT": "0.5"}
    settings = load_settings({}, env, tmp_path).settings

    assert (settings.oidc_issuer, settings.rate_limit) == ("http://127.0.0.1:9", 0.5)
