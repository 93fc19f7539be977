"""Whether a page can be read."""

from __future__ import annotations

__all__ = ["LOW_CONTRAST"]

#: Contrast of every visible text with what is behind it (WCAG 2.2, 1.4.3), below the level AA.
LOW_CONTRAST = """() => {
    const parse = colour => colour.match(/[\\d.]+/g).map(Number);
    const luminance = colour => {
        const [r, g, b] = colour.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = element => {
        for (let e = element; e; e = e.parentElement) {
            const colour = parse(getComputedStyle(e).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const low = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node; node = walker.nextNode();) {
        const element = node.parentElement, style = getComputedStyle(element);
        if (!node.textContent.trim() || !element.getClientRects().length || style.visibility === "hidden") continue;
        if (element.closest(".unseen, noscript, script")) continue;
        const ink = element instanceof SVGElement ? style.fill : style.color;
        const [a, b] = [luminance(parse(ink)), luminance(behind(element))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        const large = parseFloat(style.fontSize) >= 24;
        if (ratio < (large ? 3 : 4.5)) low.push(`${ratio.toFixed(2)}: ${node.textContent.trim().slice(0, 40)}`);
    }
    return low;
}"""
