"""What tests of the viewer do with its page."""

import numpy as np

NOTICED = """new Promise((done) => {
    new IntersectionObserver(() => done()).observe(document.querySelector("#viewer-compare"));
})"""
"""Observers are told in the order of their making: after this one, the viewer's knows what is on the screen."""
TALL = '<div style="height: 4000px">Above</div>'
LEFT, RIGHT = "#viewer-layer-left .viewer-pixels", "#viewer-layer-right .viewer-pixels"


def drawn(page):
    """The page once the panes are drawn; it is scrolled to them."""
    page.locator("#viewer-compare").scroll_into_view_if_needed()
    page.locator("#viewer-difference").scroll_into_view_if_needed()
    page.wait_for_selector("#viewer-compare[data-drawn]")
    page.wait_for_selector("#viewer-difference[data-drawn]")
    return page


def pixels(page, selector: str) -> np.ndarray:
    """RGB of a canvas."""
    width, height, data = page.evaluate(
        """selector => {
            const canvas = document.querySelector(selector);
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return [canvas.width, canvas.height, Array.from(data)];
        }""",
        selector,
    )
    return np.array(data, np.uint8).reshape(height, width, 4)[..., :3]


def choose(page, name: str, value: str) -> None:
    page.select_option(f"#viewer-{name}", value)
    drawn(page)
