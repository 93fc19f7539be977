"""The open loop: requests that leave at intended instants, whatever became of those before them."""
