"""Writes the golden pictures of this folder with Pillow, and what it makes of them.

    python3 -m venv venv && venv/bin/pip install pillow numpy && venv/bin/python make.py

The ramp is 23 pixels wide and 17 high: red 10 x, green 14 y, blue 5 (x + y); tests/unit repeats the formula.
"""
import numpy as np
from PIL import Image

y, x = np.mgrid[:17, :23]
ramp = Image.fromarray(np.stack([10 * x, 14 * y, 5 * (x + y)], axis=-1).astype(np.uint8))
ramp.save("ramp.png")
ramp.save("ramp.jpg", quality=95, subsampling=0)
ramp.save("progressive.jpg", quality=95, progressive=True)
ramp.convert("L").save("grey.jpg", quality=95)
ramp.convert("L").save("grey.png")
Image.fromarray((y * 1000 + x).astype(np.uint16)).save("grey16.png")
alpha = ramp.copy()
alpha.putalpha(Image.fromarray((10 * x).astype(np.uint8)))
alpha.save("alpha.png")
ramp.quantize(16).save("palette.png")
ramp.save("ramp.webp")
for name, size in [("up", (40, 31)), ("down", (7, 5)), ("squeezed", (5, 40))]:
    ramp.resize(size, Image.Resampling.BILINEAR).save(f"ramp_{name}.png")

# An animation whose second frame is undone before the third: red, red with a green square, red with a blue one.
frames = []
for colour, at in [(None, 0), (1, 2), (2, 9)]:
    f = Image.new("P", (16, 12), 0 if colour is None else 3)
    f.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    if colour:
        f.paste(colour, (at, 3, at + 5, 8))
    frames.append(f)
frames[0].save("moving.gif", save_all=True, append_images=frames[1:], duration=[100, 40, 200], disposal=[1, 3, 1],
               transparency=3, loop=0, optimize=False)
