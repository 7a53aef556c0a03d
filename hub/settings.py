"""How a hub is set up: environment variables `MYKEY_…`, read and checked once at start.

A value may also stand in a file of the same name in small letters, such as `mykey_secret_key`, in the folder
`$CREDENTIALS_DIRECTORY` (systemd's `LoadCredential=`) or `/run/secrets` (containers): what is secret belongs there,
because an environment is inherited and shown. A variable goes before a file.

Values that need thought have no default: a server named by URL needs its own secret key and role passwords.
With the embedded server there is nothing to set: the key is made once and kept in the data folder, readable
by us alone.
"""

import os
import secrets
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from hub.errors import PermanentError
from hub.loopback import is_loopback, is_plain_loopback
from hub.postgres_programs import SYSTEM_HOME
from schemas.values import LANES

PREFIX: Final = "MYKEY_"
SECRET_KEY_LEAST_BYTES = 32

_ROLE_PASSWORD_LEAST_CHARACTERS = 16
_SECRET_LEAST_DIFFERENT_CHARACTERS = 8
_POSTGRESQL = frozenset({"postgresql", "postgres"})
_SECRET_KEY_FILE = "secret_key"  # noqa: S105 - the name of a file

Port = Annotated[int, Field(ge=1, le=65_535)]
PartitionRange = Annotated[str, Field(pattern=r"^[0-9]{1,2}(-[0-9]{1,2})?$")]
PoolSize = Annotated[int, Field(ge=1, le=100)]
MailAddress = Annotated[str, Field(pattern=r"^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,253}$")]
MailRate = Annotated[float, Field(gt=0, le=100_000)]


SECRETS_FOLDER = Path("/run/secrets")


class WrongSettingsError(PermanentError):
    """Settings are missing or wrong: mend them and start again. What they were is not shown: it may be secret."""


class WeakSecretError(PermanentError):
    """A secret is missing, too short, or easily guessed."""


def default_data_dir() -> Path:
    """`/var/lib/mykey-hub` for root, else `$XDG_DATA_HOME/mykey-hub` or `~/.local/share/mykey-hub`."""
    if os.geteuid() == 0:
        return SYSTEM_HOME
    data_home = os.environ.get("XDG_DATA_HOME", "")
    # The XDG base directory specification: a relative path is to be ignored.
    base = Path(data_home) if Path(data_home).is_absolute() else Path.home() / ".local" / "share"
    return base / "mykey-hub"


class Settings(BaseSettings):
    """All settings of a hub process.

    Attributes:
        database_url: the owner role's URL of a PostgreSQL ≥ 15; None runs the embedded one in `data_dir`.
        partition_databases: partitions of the ledger, as `8-15` or `3`, → the owner role's URL of the database where
            they live; as JSON: `{"8-15": "postgresql://…"}` (docs/scaling.md). The others live in the hub's own.
        data_dir: where the embedded server and the generated key live.
        role_passwords: component → password of its database role; as JSON in `MYKEY_ROLE_PASSWORDS`.
        secret_key: at least 32 bytes, from which every key of the hub is derived.
        http_host: the address to listen on.
        http_port: the port to listen on.
        inside_port: where `/metrics` and `/readyz` are; None for nowhere.
        inside_host: the address that they are at: this machine's own, or one that only a collector of yours reaches.
        proxy_networks: from where only proxies of ours connect, as JSON: `["127.0.0.1/32"]`; they tell the client's
            address in `X-Forwarded-For`.
        public_url: how the world reaches us, by https unless it is this machine; None is
            `http://<http_host>:<http_port>`.
        rehearsal_clock: a file that says how far ahead of the machine's time this hub lives (hub.clock.SharedClock);
            None is real time, and nothing else is right where points are real.
        transport: how processes reach one another: `postgres`, or `rabbitmq` for many processes and machines.
        amqp_url: the broker, as `amqps://user:password@host:5671/vhost`.
        amqp_ca_file: the certificate authority in PEM that its certificate is checked against; None is the system's.
        checkpoint_mail_to: where the ledger's signed checkpoints are mailed to, out of reach of whoever runs the hub;
            None keeps them in the database only.
        operator_mail_to: where the operators are told by mail that another side is down, and that it is back; None
            tells it to the log only.
        outage_no_answer_limit: after how many unanswered tries in a row another side counts as down.
        outage_probe_limit_s: how long, at the most, it is left alone between two probes, unless it asks for longer.
        smtp_host: the mail server.
        smtp_port: its port.
        smtp_security: `starttls`, `tls` from the first byte, or `none`; `auto` is `none` for this machine's
            own mail server and `starttls` for any other. Certificates are always checked.
        smtp_user: the login at the mail server; None is none.
        smtp_password: its password.
        smtp_connections: connections kept open to it, each with one mail at a time.
        smtp_timeout_s: for connecting, and for each of its answers.
        mail_from: the sender of notices.
        mail_from_name: the name beside it.
        mail_per_domain_s: mails a second to the addresses of one domain, at most, from each process.
        mail_domain_rates: domain → mails a second, where it differs; as JSON in `MYKEY_MAIL_DOMAIN_RATES`.
        dkim_key_file: RSA or Ed25519 key in PEM that mails are signed with; None signs none.
        dkim_selector: the name its public half is published under.
        otlp_url: where an OpenTelemetry collector takes traces by OTLP over HTTP, such as
            http://127.0.0.1:4318/v1/traces; None tells nobody.
        log_level: the least important level that is logged.
        pool_size: database connections of each component.
        pool_sizes: component → connections, where it differs; as JSON in `MYKEY_POOL_SIZES`.
        partner_requests_per_s: how many requests a second each partner may make, in each process.
        partner_requests_at_once: how many requests of each partner may be under way at once, in each process.
        partner_rows_at_once: how many transfers of each partner's batches may be under way at once, in each process.
        partner_files_at_once: how many files of each partner may wait or be in work.
        checkout_points_a_day: how many points a citizen may use at each shop or fund in a day, in Japan.
        door_wait_limit_s: who would have to wait for longer than this at a door that posts is told when to come again.
        message_days: how long messages are kept to be searched, at least 30 days; 0 is for ever.
        partner_file_days: how long the bytes of a partner's file are kept once it is finished.
        refund_least_days: how long refunded points can be used at the least.
        voucher_limit_days: how long a voucher may be valid at the most.
        holding_period_days: how long reserve points wait for the citizen before they move by themselves.
        holding_notice_days: how many days before their last day held a mail says so.
        expiry_notice_days: how many days before the last day of points a mail says so.
        merge_overdue_h: hours after which a street that has not answered a merge is told of.
        card_anchors: the certificate authorities in PEM, a file or a folder of `*.pem`, whose cards are taken; None
            takes no card.
        card_register: for the demo, the sandbox and tests, a file that says which certificates were revoked or
            reissued (workers/registry/succession.py); None is "unknown" for all.
        demo_file: what the portal's front page offers to log in as (hub/demo_file.py), of the demo alone, on loopback
            alone; None is no demo mode.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    database_url: str | None = None
    partition_databases: dict[PartitionRange, str] = Field(default_factory=dict)
    data_dir: Path = Field(default_factory=default_data_dir)
    role_passwords: dict[str, SecretStr] = Field(default_factory=dict)
    secret_key: SecretStr | None = None
    http_host: str = "127.0.0.1"
    http_port: Port = 8080
    inside_port: Port | None = None
    inside_host: str = "127.0.0.1"
    public_url: str | None = None
    proxy_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    checkpoint_mail_to: MailAddress | None = None
    rehearsal_clock: Path | None = None
    transport: Literal["postgres", "rabbitmq"] = "postgres"
    amqp_url: SecretStr | None = None
    amqp_ca_file: Path | None = None
    operator_mail_to: MailAddress | None = None
    outage_no_answer_limit: Annotated[int, Field(ge=1, le=1_000)] = 5
    outage_probe_limit_s: Annotated[float, Field(gt=0, le=3_600)] = 60.0
    smtp_host: str = "127.0.0.1"
    smtp_port: Port = 25
    smtp_security: Literal["auto", "none", "starttls", "tls"] = "auto"
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_connections: Annotated[int, Field(ge=1, le=100)] = 8
    smtp_timeout_s: Annotated[float, Field(gt=0, le=600)] = 60.0
    mail_from: MailAddress = "no-reply@localhost"
    mail_from_name: Annotated[str, Field(min_length=1, max_length=60)] = "マイキープラットフォーム"
    mail_per_domain_s: MailRate = 2_000.0
    mail_domain_rates: dict[str, MailRate] = Field(default_factory=dict)
    dkim_key_file: Path | None = None
    dkim_selector: Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,63}$")] = "mykey"
    otlp_url: str | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    pool_size: PoolSize = 4
    pool_sizes: dict[str, PoolSize] = Field(default_factory=dict)
    partner_requests_per_s: Annotated[float, Field(gt=0, le=100_000)] = 200.0
    partner_requests_at_once: Annotated[int, Field(ge=1, le=10_000)] = 32
    partner_rows_at_once: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    partner_files_at_once: Annotated[int, Field(ge=1, le=100_000)] = 100
    checkout_points_a_day: Annotated[int, Field(ge=1, le=999_999_999)] = 100_000
    door_wait_limit_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    message_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    partner_file_days: Annotated[int, Field(ge=0, le=3_650)] = 30
    holding_period_days: Annotated[int, Field(ge=1, le=366)] = 21
    refund_least_days: Annotated[int, Field(ge=1, le=366)] = 30
    voucher_limit_days: Annotated[int, Field(ge=1, le=30)] = 30
    holding_notice_days: Annotated[int, Field(ge=0, le=366)] = 7
    expiry_notice_days: Annotated[int, Field(ge=0, le=366)] = 14
    merge_overdue_h: Annotated[int, Field(ge=1, le=8_784)] = 24
    card_anchors: Path | None = None
    card_register: Path | None = None
    demo_file: Path | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no file that lies beside the code is read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - ours knows the folder of this very process
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where values come from, the first first."""
        return init_settings, env_settings, SecretsSettingsSource(settings_cls, secrets_dir=_secrets_folder())

    @property
    def is_embedded(self) -> bool:
        """Whether the hub runs its own PostgreSQL."""
        return self.database_url is None

    @property
    def own_url(self) -> str:
        """How the world reaches us, without a slash at the end."""
        host = f"[{self.http_host}]" if ":" in self.http_host else self.http_host
        return self.public_url or f"http://{host}:{self.http_port}"

    def pool_size_of(self, component: str) -> int:
        """The number of database connections a component may hold."""
        return self.pool_sizes.get(component, self.pool_size)

    def key(self) -> bytes:
        """The secret key; with the embedded server it is made at the first call and kept in `data_dir`.

        Raises:
            WeakSecretError: the kept key's file is shorter than a key.
            OSError: the file cannot be written or read.
        """
        if self.secret_key is not None:
            return self.secret_key.get_secret_value().encode()
        return _kept_key(self.data_dir)

    def databases_of_partitions(self) -> dict[int, str]:
        """Partition → the URL of its database, of those that do not live in the hub's own."""
        return {
            partition: url for name, url in self.partition_databases.items() for partition in partitions_named(name)
        }

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in _POSTGRESQL:
            raise ValueError("must begin with postgresql://")
        return value

    @field_validator("partition_databases")
    @classmethod
    def _are_partitions(cls, value: dict[str, str]) -> dict[str, str]:
        named = [partition for name in value for partition in partitions_named(name)]
        if not set(named) < set(range(LANES)) or not all(map(partitions_named, value)):
            raise ValueError(f"partitions are 0 to {LANES - 1}, as 8-15 or 3; one at least stays in the hub's database")
        if len(named) != len(set(named)):
            raise ValueError("a partition lives in one database")
        if any(urlsplit(url).scheme not in _POSTGRESQL for url in value.values()):
            raise ValueError("each database's URL must begin with postgresql://")
        return value

    @field_validator("amqp_url")
    @classmethod
    def _is_amqp(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and urlsplit(value.get_secret_value()).scheme not in {"amqp", "amqps"}:
            raise ValueError("must begin with amqps:// or amqp://")
        return value

    @field_validator("public_url", "otlp_url")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an http:// or https:// address without query")
        return value.rstrip("/")

    @field_validator("public_url")
    @classmethod
    def _is_safe_on_its_way(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme == "http" and not is_plain_loopback(value):
            raise ValueError("must be https://, unless it is this very machine")
        return value

    @field_validator("data_dir")
    @classmethod
    def _is_absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("role_passwords")
    @classmethod
    def _are_strong(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for component, password in value.items():
            text = password.get_secret_value()
            if not (text.isascii() and text.isprintable()):
                raise ValueError(f"{component}: a role's password is printable ASCII")
            _check_strength(text, _ROLE_PASSWORD_LEAST_CHARACTERS, f"role password of {component}")
        return value

    @field_validator("secret_key")
    @classmethod
    def _is_strong(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _check_strength(value.get_secret_value(), SECRET_KEY_LEAST_BYTES, "secret key")
        return value

    @model_validator(mode="after")
    def _has_a_broker(self) -> "Settings":
        if self.transport == "rabbitmq" and self.amqp_url is None:
            raise ValueError("MYKEY_TRANSPORT=rabbitmq needs MYKEY_AMQP_URL, as amqps://user:password@host:5671/vhost")
        return self

    @model_validator(mode="after")
    def _shows_the_demo_to_this_machine_alone(self) -> "Settings":
        if self.demo_file is not None and not is_loopback(self.http_host):
            raise ValueError("MYKEY_DEMO_FILE offers log-ins to whoever comes: only with MYKEY_HTTP_HOST=127.0.0.1")
        return self

    @model_validator(mode="after")
    def _has_what_a_server_of_its_own_needs(self) -> "Settings":
        if self.database_url is not None and self.secret_key is None:
            raise ValueError(
                "MYKEY_DATABASE_URL needs MYKEY_SECRET_KEY, the same for every process: at least"
                f" {SECRET_KEY_LEAST_BYTES} random characters"
            )
        return self


def partitions_named(name: str) -> range:
    """The partitions of a name such as `8-15`, or `3`."""
    first, _, last = name.partition("-")
    return range(int(first), int(last or first) + 1)


def _secrets_folder() -> Path | None:
    folder = Path(os.environ.get("CREDENTIALS_DIRECTORY") or SECRETS_FOLDER)
    return folder if folder.is_dir() else None


def _check_strength(text: str, least_bytes: int, what: str) -> None:
    if len(text.encode()) < least_bytes:
        raise ValueError(f"the {what} must have at least {least_bytes} bytes")
    if len(set(text)) < _SECRET_LEAST_DIFFERENT_CHARACTERS:
        raise ValueError(f"the {what} is easily guessed: let a machine make it, as with `openssl rand -hex 32`")


def _kept_key(data_dir: Path) -> bytes:
    path = data_dir / _SECRET_KEY_FILE
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        work = data_dir / f".{_SECRET_KEY_FILE}.{secrets.token_hex(8)}"
        with os.fdopen(os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(SECRET_KEY_LEAST_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # Of two processes at once the first one's key stays, whole.
        with suppress(FileExistsError):
            os.link(work, path)
        work.unlink()
    key = path.read_bytes().strip()
    if len(key) < SECRET_KEY_LEAST_BYTES:
        raise WeakSecretError(f"{path} holds no key: restore it from a backup, what it protected needs the old one")
    return key


def read_settings() -> Settings:
    """What is set in this process's environment. Raises WrongSettingsError."""
    try:
        return Settings()
    except ValidationError as error:
        raise WrongSettingsError("\n".join(map(_fault, error.errors(include_url=False, include_input=False)))) from None
    except SettingsError as error:  # what should be JSON is none
        raise WrongSettingsError(str(error)) from None


def _fault(error: ErrorDetails) -> str:
    words = error["msg"].removeprefix("Value error, ")
    name, *within = map(str, error["loc"] or ("",))
    where = f" ({' '.join(within)})" if within else ""
    return f"{PREFIX}{name.upper()}{where}: {words}" if name else words
