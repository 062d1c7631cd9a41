"""Schema of the host side: telemetry, stability, snapshots. Types and ranges of the dialect."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from townlet_jax.config.errors import Path
from townlet_jax.config.schema_base import MAX_TICK, Amount, Flag, Name, Section, Ticks, Unit

_Window = Annotated[int, Field(ge=1, le=100_000)]
_Cooldown = Annotated[int, Field(ge=-MAX_TICK, le=MAX_TICK)]
_Seconds = Annotated[float, Field(ge=0, le=60)]


class Starvation(Section):
    """Starvation incidents per window [tick]."""

    window_ticks: _Window = 1000
    max_incidents: int = Field(default=0, ge=0, le=10_000)
    hunger_threshold: Unit = 0.05
    min_duration_ticks: int = Field(default=30, ge=1, le=10_000)


class RewardVariance(Section):
    """Variance of the reward over a window [tick]."""

    window_ticks: _Window = 1000
    max_variance: Amount = 0.25
    min_samples: _Window = 20


class OptionThrash(Section):
    """Option switches per decision over a window [tick]."""

    window_ticks: _Window = 600
    max_switch_rate: float = Field(default=0.25, ge=0, le=10)
    min_samples: _Window = 10


class Stability(Section):
    """Limits of the stability monitor."""

    affordance_fail_threshold: int = Field(default=5, ge=0, le=100)
    lateness_threshold: int = Field(default=3, ge=0, le=100)
    starvation: Starvation = Starvation()
    reward_variance: RewardVariance = RewardVariance()
    option_thrash: OptionThrash = OptionThrash()


class Narration(Section):
    """Throttles of narration [tick]; a category without a cooldown has the global one."""

    global_cooldown_ticks: int = Field(default=30, ge=0, le=10_000)
    category_cooldown_ticks: dict[Name, _Cooldown] = {}
    dedupe_window_ticks: int = Field(default=20, ge=0, le=10_000)
    global_window_ticks: int = Field(default=600, ge=1, le=10_000)
    global_window_limit: int = Field(default=10, ge=1, le=1000)
    priority_categories: Annotated[tuple[Name, ...], Field(strict=False)] = ()


class Retry(Section):
    """Attempts, and the pause between them [second]."""

    max_attempts: int = Field(default=3, ge=0, le=10)
    backoff_seconds: float = Field(default=0.5, ge=0, le=30)


class Buffer(Section):
    """Bounds of the send queue [message, byte, tick]."""

    max_batch_size: int = Field(default=32, ge=1, le=500)
    max_buffer_bytes: int = Field(default=256_000, ge=1024, le=16_777_216)
    flush_interval_ticks: int = Field(default=1, ge=1, le=10_000)


class Transport(Section):
    """Where telemetry goes; a timeout of 0 [second] is none."""

    type: Literal["stdout", "file", "tcp"] = "stdout"
    endpoint: Name | None = None
    file_path: Name | None = None
    connect_timeout_seconds: _Seconds = 5.0
    send_timeout_seconds: _Seconds = 1.0
    retry: Retry = Retry()
    buffer: Buffer = Buffer()

    def rules(self) -> Iterator[tuple[Path, str]]:
        needed = {"file": "file_path", "tcp": "endpoint"}.get(self.type)
        forbidden = {"stdout": ("endpoint", "file_path"), "tcp": ("file_path",)}
        if needed and getattr(self, needed) is None:
            yield (), f"a transport of type {self.type!r} needs {needed}"
        for key in forbidden.get(self.type, ()):
            if getattr(self, key) is not None:
                yield (key,), f"must not be given for a transport of type {self.type!r}"


class PersonalityNarration(Section):
    """Whether stories mention personalities."""

    enabled: Flag = False


class Telemetry(Section):
    """The stream of records, and the stories told of it."""

    narration: Narration = Narration()
    transport: Transport = Transport()
    personality_narration: PersonalityNarration = PersonalityNarration()
    dual_publish: Flag = False


class Storage(Section):
    """Folder of snapshots; `~` is expanded where it is used."""

    root: Name = "snapshots"


class Autosave(Section):
    """A snapshot every `cadence_ticks` [tick] (null = never), `retain` of them kept."""

    cadence_ticks: Annotated[Ticks, Field(ge=100)] | None = None
    retain: int = Field(default=3, ge=1, le=1000)


_HASH = r"^([0-9a-fA-F]{40}|[0-9a-fA-F]{64}|[A-Za-z0-9+/_-]{32,88}={0,2})$"


class Identity(Section):
    """What a snapshot says of its policy, where the file knows better."""

    policy_hash: (
        Annotated[
            Name,
            Field(
                pattern=_HASH,
                max_length=88,
                json_schema_extra={"says": "40 or 64 hex digits, or 32 to 88 base64 characters"},
            ),
        ]
        | None
    ) = None
    policy_artifact: Name | None = None
    observation_variant: Literal["infer", "hybrid", "full", "compact"] = "infer"
    anneal_ratio: Unit | None = None


class Migrations(Section):
    """Handlers `module:function` by old config id."""

    handlers: dict[Name, Name] = {}
    auto_apply: Flag = False
    allow_minor: Flag = False


class Guardrails(Section):
    """What a load refuses."""

    require_exact_config: Flag = True
    allow_downgrade: Flag = False


class Snapshot(Section):
    """Saving and loading of whole towns."""

    storage: Storage = Storage()
    autosave: Autosave = Autosave()
    identity: Identity = Identity()
    migrations: Migrations = Migrations()
    guardrails: Guardrails = Guardrails()
