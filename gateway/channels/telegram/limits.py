"""The Bot API's limits.  Lengths of texts count UTF-16 code units, as offsets of entities do.

[D] https://core.telegram.org/bots/api, each at its method or type; [3P] where others have measured it.
"""

from __future__ import annotations

__all__ = [
    "CALLBACK_BYTES_MAX",
    "CAPTION_UNITS_MAX",
    "ENTITIES_MAX",
    "KEYBOARD_BUTTONS_MAX",
    "LABEL_CHARS_MAX",
    "ROW_BUTTONS_MAX",
    "ROW_CHARS_MAX",
    "TEXT_UNITS_MAX",
]

#: [D] sendMessage: "1-4096 characters after entities parsing".
TEXT_UNITS_MAX = 4_096
#: [D] sendPhoto: "0-1024 characters after entities parsing".
CAPTION_UNITS_MAX = 1_024
#: [3P] further ones are ignored: https://docs.python-telegram-bot.org/en/stable/telegram.constants.html
ENTITIES_MAX = 100
#: [D] InlineKeyboardButton: callback_data has 1 to 64 bytes.
CALLBACK_BYTES_MAX = 64
#: [3P] buttons of one keyboard: the same page.
KEYBOARD_BUTTONS_MAX = 100
#: What telephones show beside one another without cutting labels; [3P] Telegram takes eight.
ROW_BUTTONS_MAX = 3
ROW_CHARS_MAX = 30
#: Not documented; a longer label would be cut by every client.
LABEL_CHARS_MAX = 75
