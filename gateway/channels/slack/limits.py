"""Block Kit's limits, in characters or elements.

[D] https://docs.slack.dev/reference/block-kit/blocks and .../block-elements, each on its block's page.
"""

from __future__ import annotations

__all__ = [
    "ACTIONS_ELEMENTS_MAX",
    "ALT_CHARS_MAX",
    "BLOCKS_BYTES_MAX",
    "BLOCKS_MAX",
    "BUTTON_LABEL_CHARS_MAX",
    "FALLBACK_CHARS_MAX",
    "FIELD_CHARS_MAX",
    "HEADER_CHARS_MAX",
    "ROW_BYTES_MAX",
    "SECTION_CHARS_MAX",
]

#: Blocks of one message.
BLOCKS_MAX = 50
#: Encoded blocks of one message.  [3P] ``msg_blocks_too_long`` comes at about 13,200 and depends on more
#: than the texts (slackapi/bolt-js#2509, #2867); Slack names no figure.
BLOCKS_BYTES_MAX = 11_000
SECTION_CHARS_MAX = 3_000
FIELD_CHARS_MAX = 2_000
HEADER_CHARS_MAX = 150
#: A row as Slack lays it out; one block may hold 25.
ACTIONS_ELEMENTS_MAX = 5
#: Encoded controls of such a row: with what is around them it fits into one message.
ROW_BYTES_MAX = 10_500
BUTTON_LABEL_CHARS_MAX = 75
ALT_CHARS_MAX = 2_000
#: [D] "limit the number of characters in the text field to 4,000":
#: https://docs.slack.dev/reference/methods/chat.postMessage
FALLBACK_CHARS_MAX = 4_000
