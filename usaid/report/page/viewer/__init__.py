"""The viewer: two denoisers of one image, pixel by pixel; ``viewer.css`` and ``viewer.js`` go into the page with it."""
