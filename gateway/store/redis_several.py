"""A client for a Redis that is several servers, as far as hints, reports and counters need one.

It has redis-py's commands, connections and pools; what is ours is the way from a command to a server.  redis-py's own
cluster client is not used: it looks for the cluster in its constructor; whoever meets a dead server waits while it
looks again, server after server; and a pipeline of which one server is lost is sent again command by command, each with
a timeout of its own.  Its sentinels are asked one after the other, with each new connection.

Rules:

- A command is sent once.  Only where a server said that it did nothing (MOVED, ASK) it is sent to the one it named, at
  most ``_REDIRECTS_MAX`` times.
- The servers of a pipeline are spoken to side by side: none waits for one that is gone.
- A command without a key (PUBLISH) goes to the same master while that works: a cluster passes it on to all.
- Commands are of one slot, by their keys' hash tag.  Those that we use are named here; others are refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import gevent
import redis
from redis.client import PubSub
from redis.commands import CoreCommands
from redis.crc import key_slot
from redis.event import EventDispatcher
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    TryAgainError,
)

from gateway.store.redis_servers import Servers
from gateway.store.redis_topology import Address

__all__ = ["PartlyReached", "SeveralRedis"]

_REDIRECTS_MAX = 3
#: Where a command's first key stands.
_FIRST_KEY = {"GET": 1, "SET": 1, "DEL": 1, "XADD": 1, "XLEN": 1, "XTRIM": 1, "EVAL": 3, "EVALSHA": 3}
_KEYLESS = frozenset({"PING", "PUBLISH"})
#: Answers after which somebody else may be the master.
_DOUBTS = (ClusterDownError, ReadOnlyError, TryAgainError)


class PartlyReached(redis.ConnectionError):
    """Some servers took their part of a pipeline, and some did not."""


class _Command(NamedTuple):
    args: tuple[Any, ...]
    options: dict[str, Any]


class _Commands(CoreCommands):
    """redis-py's commands, with what it wants of a class that has them."""

    _is_async_client: Literal[False] = False
    _event_dispatcher = EventDispatcher()


class SeveralRedis(_Commands):
    """What ``redis.Redis`` is for one server."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._favourite: Address | None = None

    def __repr__(self) -> str:
        return f"<SeveralRedis {self._servers!r}>"

    @property
    def by_slot(self) -> bool:
        """Whether commands about several slots are refused: a cluster, not sentinels."""
        return self._servers.by_slot

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command to the server that it is for."""
        [answer] = self.run([_Command(args, options)])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def pipeline(self, transaction: Literal[False] = False) -> _Pipeline:
        """Return a list of commands to be filled, and sent at once."""
        return _Pipeline(self)

    def pubsub(self, **options: Any) -> PubSub:
        """Return a subscription at one master: in a cluster each hears what is published at any."""
        address = self._servers.topology.any()
        return _Subscription(self._servers, address, **options)

    def register_script(self, script: str) -> Script:  # type: ignore[override]  # as much of it as is used
        """Return *script* as something to call, which every server learns when it needs it."""
        return Script(self, script)

    def ping(self, **_: Any) -> bool:
        """Ask every master for a sign of life."""
        ping = [(0, False, _Command(("PING",), {}))]
        for answers in self._at_once(dict.fromkeys(self._servers.topology.all(), ping)).values():
            if isinstance(answers[0], Exception):
                raise answers[0]
        return True

    def close(self) -> None:
        """Close the connections.  Safe twice."""
        self._servers.close()

    def run(self, commands: Sequence[_Command]) -> list[Any]:
        """Return what became of each command: an answer, or an exception."""
        answers: list[Any] = [None] * len(commands)
        todo: list[tuple[int, Address, bool]] = []
        for number, command in enumerate(commands):
            try:
                todo.append((number, self._owner(command), False))
            except redis.RedisError as error:
                answers[number] = error
        for _ in range(1 + _REDIRECTS_MAX):
            if not todo:
                break
            parts: dict[Address, list[tuple[int, bool, _Command]]] = {}
            for number, address, asking in todo:
                parts.setdefault(address, []).append((number, asking, commands[number]))
            todo = []
            for address, found in self._at_once(parts).items():
                for (number, _, _), answer in zip(parts[address], found, strict=True):
                    answers[number] = answer
                    todo += self._redirected(number, address, answer)
        return answers

    def _owner(self, command: _Command) -> Address:
        key = _key(command.args)
        if key is not None:
            return self._servers.topology.owner(key_slot(key))
        self._favourite = self._servers.topology.any(self._favourite)
        return self._favourite

    def _redirected(self, number: int, asked: Address, answer: Any) -> list[tuple[int, Address, bool]]:
        if isinstance(answer, AskError):
            # Without a host the one is meant that was asked.
            address = Address(answer.host or asked.host, answer.port)
            if isinstance(answer, MovedError):
                self._servers.topology.moved(answer.slot_id, address)
            return [(number, address, not isinstance(answer, MovedError))]
        if isinstance(answer, _DOUBTS):
            self._servers.topology.doubt()
        return []

    def _at_once(self, parts: dict[Address, list[tuple[int, bool, _Command]]]) -> dict[Address, list[Any]]:
        if len(parts) == 1:
            [(address, part)] = parts.items()
            return {address: self._send(address, part)}
        sent = {address: gevent.spawn(self._send, address, part) for address, part in parts.items()}
        try:
            return {address: greenlet.get() for address, greenlet in sent.items()}
        finally:
            gevent.killall(list(sent.values()))

    def _send(self, address: Address, part: list[tuple[int, bool, _Command]]) -> list[Any]:
        """Return the answers of one server, or the same error for each command."""
        try:
            # By a name of its own: a client that nobody has closes its connections, under whoever reads from them.
            client = self._servers.client(address)
            pipeline = client.pipeline(transaction=False)
            for _, asking, command in part:
                if asking:
                    pipeline.execute_command("ASKING")  # type: ignore[no-untyped-call]  # redis-py has no types here
                pipeline.execute_command(*command.args, **command.options)  # type: ignore[no-untyped-call]  # nor here
            found = pipeline.execute(raise_on_error=False)
        except redis.RedisError as error:
            self._servers.failed(address, error)
            return [error] * len(part)
        answers = iter(found)
        # The answer to ASKING is passed over.
        return [(next(answers), next(answers))[1] if asking else next(answers) for _, asking, _ in part]


class _Pipeline(_Commands):
    """Commands that are sent together, each server's in one round trip."""

    def __init__(self, client: SeveralRedis) -> None:
        self._client = client
        self._commands: list[_Command] = []

    def execute_command(self, *args: Any, **options: Any) -> _Pipeline:
        self._commands.append(_Command(args, options))
        return self

    def execute(self) -> list[Any]:
        """Send them all.

        :raises PartlyReached: some were done and some were not.
        :raises redis.RedisError: none was done.
        """
        commands, self._commands = self._commands, []
        answers = self._client.run(commands)
        errors = [answer for answer in answers if isinstance(answer, Exception)]
        if len(errors) == len(answers) > 0:
            raise errors[0]
        if errors:
            raise PartlyReached(f"Redis: {len(errors)} of {len(answers)} commands failed") from errors[0]
        return answers


class Script:
    """A Lua script, whose keys are of one slot."""

    def __init__(self, client: SeveralRedis, script: str) -> None:
        self._client = client
        self._script = script
        self._sha = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run it where its keys are."""
        try:
            return self._client.evalsha(self._sha, len(keys), *keys, *args)
        except NoScriptError:
            # SCRIPT LOAD names no key, and would teach some other server; EVAL teaches the right one.
            return self._client.eval(self._script, len(keys), *keys, *args)


class _Subscription(PubSub):
    """One that ends when its server is no master any more, instead of listening where nobody speaks."""

    def __init__(self, servers: Servers, address: Address, **options: Any) -> None:
        self._servers = servers
        self._address = address
        # As above.
        self._client = servers.client(address)
        super().__init__(self._client.connection_pool, **options)

    def execute_command(self, *args: Any) -> Any:
        try:
            return super().execute_command(*args)  # type: ignore[no-untyped-call]  # redis-py has no types here
        except redis.RedisError as error:
            self._servers.failed(self._address, error)
            raise

    def get_message(self, ignore_subscribe_messages: bool = False, timeout: float = 0.0) -> Any:
        topology = self._servers.topology
        topology.renew()
        if self._address not in topology.masters:
            raise redis.ConnectionError("Redis: this server is no master any more")
        try:
            return super().get_message(ignore_subscribe_messages, timeout)
        except redis.RedisError as error:
            self._servers.failed(self._address, error)
            raise


def _key(args: tuple[Any, ...]) -> bytes | None:
    command = args[0]
    if command in _KEYLESS:
        return None
    if command == "XREAD":
        key = args[args.index(b"STREAMS") + 1]
    elif command in _FIRST_KEY:
        key = args[_FIRST_KEY[command]]
    else:
        raise ValueError(f"{command} has not been taught which server it is for")
    return key.encode() if isinstance(key, str) else bytes(key)
