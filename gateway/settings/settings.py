"""All settings as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from gateway.settings.accounts import Account
from gateway.settings.api import ApiSettings
from gateway.settings.assistants import AssistantSettings
from gateway.settings.bench import BenchSettings
from gateway.settings.jobs import JobSettings
from gateway.settings.lanes import LaneSettings
from gateway.settings.logs import LoggingSettings
from gateway.settings.outbox import OutboxSettings
from gateway.settings.retention import RetentionSettings
from gateway.settings.rpc import RpcSettings
from gateway.settings.schedules import ScheduleSettings
from gateway.settings.server import ServerSettings
from gateway.settings.store import StoreSettings
from gateway.settings.telemetry import TelemetrySettings
from gateway.settings.webchat import WebchatSettings
from gateway.settings.webhooks import WebhookSettings
from gateway.settings.worker import WorkerSettings

__all__ = ["SECTIONS", "Settings"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a process was told when it was started.  It does not change while the process lives."""

    #: SWITCHBOARD_HOME: the folder of this copy's state and secrets.
    home: Path
    #: By channel and name.
    accounts: Mapping[tuple[str, str], Account]
    #: By name.
    assistants: Mapping[str, AssistantSettings]
    #: By name.
    schedules: Mapping[str, ScheduleSettings] = MappingProxyType({})
    #: By name.
    webhooks: Mapping[str, WebhookSettings] = MappingProxyType({})
    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    lanes: LaneSettings = LaneSettings()
    outbox: OutboxSettings = OutboxSettings()
    jobs: JobSettings = JobSettings()
    retention: RetentionSettings = RetentionSettings()
    worker: WorkerSettings = WorkerSettings()
    webchat: WebchatSettings = WebchatSettings()
    rpc: RpcSettings = RpcSettings()
    api: ApiSettings = ApiSettings()
    logging: LoggingSettings = LoggingSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    bench: BenchSettings = BenchSettings()


#: Tables of the TOML file that are one struct each, by name.
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "server": ServerSettings,
    "store": StoreSettings,
    "lanes": LaneSettings,
    "outbox": OutboxSettings,
    "jobs": JobSettings,
    "retention": RetentionSettings,
    "worker": WorkerSettings,
    "webchat": WebchatSettings,
    "rpc": RpcSettings,
    "api": ApiSettings,
    "logging": LoggingSettings,
    "telemetry": TelemetrySettings,
    "bench": BenchSettings,
}
