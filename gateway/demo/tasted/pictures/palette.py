"""Colours by the words that recipes use."""

from __future__ import annotations

__all__ = ["PALETTE", "darker", "lighter"]

PALETTE: dict[str, str] = {
    "apple": "#d9b45b", "aubergine": "#5b3a63", "avocado": "#9db85a", "banana": "#f0dc8c", "bean": "#e8dcc0",
    "bean_green": "#5f8f3a", "berry": "#8c2f4f", "biscuit": "#e3bd7c", "broccoli": "#4c8a3c", "broth": "#d9a860",
    "brown": "#8a5a34", "butter": "#f5dd7d", "carrot": "#e08a33", "cheese": "#f0bf4c", "chicken": "#f0dcc0",
    "chickpea": "#e0bd7a", "chilli": "#cf3a2c", "chocolate": "#4f3023", "cinnamon": "#8f5a30", "corn": "#f2cc3f",
    "cream": "#f8f2e2", "crust": "#c98d4a", "cucumber": "#b8d08a", "cumin": "#7a5a32", "curry": "#c9822c",
    "dimple": "#a86f34", "egg": "#f3c846", "herb": "#4f8a3a", "jam": "#a8283c", "kidney": "#7a2a2a",
    "leaf": "#8fb858", "leek": "#c3cf8f", "lemon": "#f0d84a", "meat": "#8a4636", "miso": "#b8874f",
    "mushroom": "#b59a7c", "nut": "#d9b98a", "oat": "#e0cba3", "oil": "#d8b93a", "olive": "#3f3a34",
    "onion": "#c98fb0", "paprika": "#b8442a", "pasta": "#efd48a", "peas": "#6fa83f", "pepper": "#3a342e",
    "pepper_red": "#c8392e", "pumpkin": "#e3872a", "ragu": "#8f3f2a", "raisin": "#4a2f3a", "rice": "#f3ead2",
    "salmon": "#ee9274", "sand": "#e6cf9f", "seaweed": "#2f4a34", "seed": "#7a8a4a", "sugar": "#fffaf0",
    "syrup": "#b8742a", "tofu": "#efe0bd", "tomato": "#cc4a32", "turmeric": "#e0ab34",
}  # fmt: skip


def darker(colour: str, by: float = 0.18) -> str:
    """Return *colour* with less light."""
    return _mixed(colour, 0, by)


def lighter(colour: str, by: float = 0.35) -> str:
    """Return *colour* with more light."""
    return _mixed(colour, 255, by)


def _mixed(colour: str, towards: int, by: float) -> str:
    return "#" + "".join(f"{round(channel + (towards - channel) * by):02x}" for channel in bytes.fromhex(colour[1:]))
