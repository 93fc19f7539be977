"""The RPC client: HTTP/1.1 over gevent, pooled, bounded and driven by deadlines.

README.md walks through a call in the order in which it passes the layers.
"""

from gateway.rpc.call import Call, CallResult, Policy, Service
from gateway.rpc.client import RpcClient
from gateway.rpc.errors import (
    BadAnswer,
    CallRefused,
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    InvalidCall,
)
from gateway.rpc.stream import StreamedResponse
from gateway.rpc.timeouts import Timeouts

__all__ = [
    "BadAnswer",
    "Call",
    "CallRefused",
    "CallResult",
    "CallTimeout",
    "ConnectFailed",
    "ConnectionLost",
    "InvalidCall",
    "Policy",
    "RpcClient",
    "Service",
    "StreamedResponse",
    "Timeouts",
]
