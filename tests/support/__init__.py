"""What tests share: real stores, ports, local stand-ins for platforms."""
