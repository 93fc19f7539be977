"""A chat turn: a signed message event of Slack's in, an assistant asked, ``chat.postMessage`` out."""
