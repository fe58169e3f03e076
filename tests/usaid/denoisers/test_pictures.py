"""Image files are read with their depth, alpha, profile and orientation, and written so that others read the same."""

import contextlib
import struct
import zlib

import numpy as np
import pytest
from opencv import require_opencv
from PIL import Image, ImageCms

from usaid.denoisers.pictures import Picture, is_ours, read_picture, write_picture
from usaid.errors import UsaidError

RAMP = (np.arange(64, dtype=np.uint16) * 1000)[None].repeat(48, 0)


@pytest.fixture
def colours(smooth_image):
    return smooth_image


def saved(path, pixels, mode=None, **options):
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def png(*chunks):
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(pixels, photometric=1):
    """An uncompressed TIFF of unsigned integers, (H, W) or (H, W, 3)."""
    height, width, channels = (*pixels.shape, 1)[:3]
    data = pixels.tobytes()
    bits = 8 * pixels.dtype.itemsize
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8), (277, channels)]
    tags += [(278, height), (279, len(data))]
    directory = struct.pack("<H", len(tags))
    after = 8 + len(data) + 2 + 12 * len(tags) + 4
    for tag, value in tags:
        several = tag == 258 and channels > 1
        directory += struct.pack(
            "<HHII", tag, 3 if several else 4, channels if several else 1, after if several else value
        )
    return (
        struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + directory + bytes(4) + struct.pack("<3H", *[bits] * 3)
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_is_written_is_read_alike_here_and_elsewhere(tmp_path, dtype, channels):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (5, 7, channels), dtype, endpoint=True)
    number = 1 if channels < 3 else 3
    alpha = pixels[..., number:] if channels in (2, 4) else None
    write_picture(tmp_path / "x.png", Picture(pixels[..., :number], alpha, ()))
    again = read_picture(tmp_path / "x.png")
    assert again.colours.dtype == dtype
    assert np.array_equal(again.colours, pixels[..., :number])
    assert (again.alpha is None) if alpha is None else np.array_equal(again.alpha, alpha)
    if channels > 2:
        require_opencv()
        cv2 = pytest.importorskip("cv2")
        elsewhere = cv2.imread(str(tmp_path / "x.png"), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(elsewhere, pixels[..., [2, 1, 0, 3][:channels]])
    if dtype == np.uint8 or channels == 1:
        assert np.array_equal(
            np.asarray(Image.open(tmp_path / "x.png")), pixels.squeeze(2) if channels == 1 else pixels
        )


@pytest.mark.parametrize("name", ["x.png", "x.tif"])
def test_16_bit_grey_keeps_its_levels(tmp_path, name):
    assert np.array_equal(read_picture(saved(tmp_path / name, RAMP)).colours[..., 0], RAMP)


@pytest.mark.parametrize(("largest", "factor"), [(65535, 1), (4095, 65535 / 4095)])
def test_deep_pgm(tmp_path, largest, factor):
    levels = np.linspace(0, largest, 64).astype(">u2").reshape(8, 8)
    (tmp_path / "x.pgm").write_bytes(b"P5 8 8 %d\n" % largest + levels.tobytes())
    read = read_picture(tmp_path / "x.pgm").colours[..., 0]
    np.testing.assert_allclose(read, levels * factor, atol=1)
    assert read.dtype == np.uint16


def test_tiff_whose_zero_is_white(tmp_path):
    (tmp_path / "x.tif").write_bytes(tiff(65535 - RAMP, photometric=0))
    assert np.array_equal(read_picture(tmp_path / "x.tif").colours[..., 0], RAMP)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_rgb_tiff(tmp_path, channels, order):
    tifffile = pytest.importorskip("tifffile")
    pixels = np.random.default_rng(0).integers(0, 65536, (32, 48, channels), np.uint16)
    options = {"photometric": "rgb", "byteorder": order, "extrasamples": [2] * (channels - 3)}
    for layout in ({}, {"tile": (16, 16)}, {"rowsperstrip": 5}, {"compression": "zlib"}):
        tifffile.imwrite(tmp_path / "x.tif", pixels, **options, **layout)
        picture = read_picture(tmp_path / "x.tif")
        assert np.array_equal(picture.colours, pixels[..., :3])
        assert channels == 3 or np.array_equal(picture.alpha, pixels[..., 3:])
    tifffile.imwrite(tmp_path / "x.tif", pixels.transpose(2, 0, 1), **options, planarconfig="separate")
    with pytest.raises(UsaidError, match=r"x\.tif: mode RGBA? of 16 bits a channel: save it as a 16-bit PNG"):
        read_picture(tmp_path / "x.tif")


def test_interlaced_deep_png(tmp_path):
    """Adam7 of a 1x2 image: its rows are passes 1 and 7, of one pixel each."""
    pixels = np.array([[[1, 2, 3]], [[258, 40000, 65535]]], np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">2I5B", 1, 2, 16, 2, 0, 0, 1)
    (tmp_path / "x.png").write_bytes(png((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")))
    assert np.array_equal(read_picture(tmp_path / "x.png").colours, pixels)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.tif", RAMP.astype(np.int32), "mode I: signed, 32-bit or float values"),
        ("x.tif", RAMP.astype(np.float32), "mode F: signed, 32-bit or float values"),
        ("x.tif", tiff(RAMP.astype(np.uint32)), "mode I: signed, 32-bit or float values"),
        ("x.ppm", b"P6 1 1 65535\n123456", "mode RGB of 16 bits a channel: save it as a 16-bit PNG"),
        ("x.pfm", b"Pf\n1 1\n-1.0\n1234", "mode F: signed, 32-bit or float values"),
    ],
)
def test_depths_that_would_be_lost_are_refused(tmp_path, name, content, message):
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    else:
        saved(tmp_path / name, content)
    with pytest.raises(UsaidError, match=f"{name}: {message}"):
        read_picture(tmp_path / name)


@pytest.mark.parametrize(("mode", "name"), [("CMYK", "x.jpg"), ("CMYK", "x.tif"), ("LAB", "x.tif")])
def test_other_colour_spaces_are_refused(tmp_path, colours, mode, name):
    with pytest.raises(UsaidError, match=f"{name}: mode {mode}: convert it to RGB by its colour profile"):
        read_picture(saved(tmp_path / name, colours, mode))


@pytest.mark.parametrize("name", ["x.gif", "x.tif", "x.png", "x.webp"])
def test_several_pictures_are_refused(tmp_path, colours, name):
    saved(tmp_path / name, colours, save_all=True, append_images=[Image.fromarray(255 - colours)])
    with pytest.raises(UsaidError, match=f"{name}: 2 pictures in one [A-Z]+ file; save each in its own"):
        read_picture(tmp_path / name)


def test_of_a_cameras_mpo_the_first_picture_is_read(tmp_path, colours):
    saved(tmp_path / "x.jpg", colours, format="MPO", save_all=True, append_images=[Image.fromarray(255 - colours)])
    assert abs(read_picture(tmp_path / "x.jpg").colours.astype(float) - colours).mean() < 5


@pytest.mark.parametrize("orientation", range(1, 10))
@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in ("x.png", "x.tif") for kind in ("RGB", "L", "I;16")] + [("x.webp", "RGB")],
)
def test_orientation_is_honoured_once(tmp_path, colours, orientation, name, kind):
    exif = Image.Exif()
    exif[274] = orientation
    pixels = {"RGB": colours, "L": colours[..., 0], "I;16": colours[..., 0].astype(np.uint16) * 257}[kind]
    options = {"lossless": True} if name == "x.webp" else {}
    saved(tmp_path / name, pixels, exif=exif, **options)
    turned = {2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 6: lambda a: np.rot90(a, -1), 8: np.rot90}
    turned |= {5: lambda a: np.rot90(np.fliplr(a)), 7: lambda a: np.rot90(np.fliplr(a), -1)}
    picture = read_picture(tmp_path / name)
    assert np.array_equal(picture.colours.squeeze(), turned.get(orientation, np.asarray)(pixels))
    write_picture(tmp_path / "y.png", picture)
    assert not Image.open(tmp_path / "y.png").getexif()


def test_a_profile_is_kept(tmp_path, colours):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name in ("x.png", "x.jpg", "x.tif", "x.webp"):
        write_picture(tmp_path / "y.png", read_picture(saved(tmp_path / name, colours, icc_profile=profile)))
        assert Image.open(tmp_path / "y.png").info["icc_profile"] == profile


def test_alpha_and_transparent_colours_are_kept(tmp_path, colours):
    alpha = np.arange(colours[..., 0].size, dtype=np.uint32).astype(np.uint8).reshape(*colours.shape[:2], 1)
    for number in (1, 3):
        pixels = np.concatenate([colours[..., :number], alpha], axis=2)
        picture = read_picture(saved(tmp_path / "x.png", pixels))
        assert np.array_equal(picture.alpha, alpha)
        assert picture.colours.shape[2] == number
    grey = colours[..., 0]
    picture = read_picture(saved(tmp_path / "x.png", grey, transparency=int(grey[3, 4])))
    assert np.array_equal(picture.alpha[..., 0], np.where(grey == grey[3, 4], 0, 255))
    picture = read_picture(saved(tmp_path / "x.png", RAMP, transparency=5000))
    assert np.array_equal(picture.alpha[..., 0], np.where(RAMP == 5000, 0, 65535))


def test_transparent_colour_of_deep_rgb(tmp_path):
    pixels = np.stack([RAMP, RAMP[:, ::-1], RAMP], axis=-1)
    write_picture(tmp_path / "x.png", Picture(pixels, None, ((b"tRNS", struct.pack(">3H", *pixels[0, 5])),)))
    picture = read_picture(tmp_path / "x.png")
    assert np.array_equal(picture.colours, pixels)
    assert np.array_equal(np.flatnonzero(picture.alpha[0] == 0), [5])


@pytest.mark.parametrize("name", ["x.png", "x.gif"])
def test_palettes_become_colours_with_their_transparency(tmp_path, colours, name):
    palette = Image.fromarray(colours).quantize(16)
    palette.save(tmp_path / name, transparency=3)
    picture = read_picture(tmp_path / name)
    assert np.array_equal(picture.alpha[..., 0] == 0, np.asarray(palette) == 3)
    opaque = picture.alpha[..., 0] > 0
    assert np.array_equal(picture.colours[opaque], np.asarray(palette.convert("RGB"))[opaque])


def test_bits_become_grey(tmp_path, colours):
    for name in ("x.png", "x.pbm", "x.tif", "x.bmp"):
        picture = read_picture(saved(tmp_path / name, colours, "1"))
        assert picture.colours.shape[2] == 1
        assert set(np.unique(picture.colours)) == {0, 255}


def test_damage_is_one_line(tmp_path, colours, recwarn):
    whole = {name: saved(tmp_path / name, colours).read_bytes() for name in ("x.png", "x.jpg", "x.tif", "x.gif")}
    write_picture(tmp_path / "deep.png", Picture(np.stack([RAMP] * 3, -1), None, ()))
    whole["deep.png"] = (tmp_path / "deep.png").read_bytes()
    random = np.random.default_rng(0)
    read = 0
    for name, content in whole.items():
        for _ in range(40):
            damaged = bytearray(content[: random.integers(len(content))])
            for place in random.integers(0, max(len(damaged), 1), 3) if random.random() < 0.5 else []:
                damaged[place : place + 1] = bytes([random.integers(256)])
            (tmp_path / name).write_bytes(damaged)
            with contextlib.suppress(UsaidError):
                read_picture(tmp_path / name)
                read += 1
    assert read < 50
    assert not recwarn.list


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    header = struct.pack(">2I5B", 50000, 50000, 8, 2, 0, 0, 0)
    (tmp_path / "x.png").write_bytes(png((b"IHDR", header), (b"IDAT", zlib.compress(b""))))
    with pytest.raises(UsaidError, match=r"x\.png: image is too large"):
        read_picture(tmp_path / "x.png")


def test_our_own_files_are_known(tmp_path, colours):
    assert not is_ours(saved(tmp_path / "x.png", colours))
    assert not is_ours(saved(tmp_path / "x.jpg", colours))
    assert not is_ours(tmp_path / "absent.png")
    write_picture(tmp_path / "x.png", Picture(colours, None, ()))
    assert is_ours(tmp_path / "x.png")


def test_an_unwritable_place_is_one_line(tmp_path, colours):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsaidError, match=r"y\.png"):
        write_picture(tmp_path / "file" / "y.png", Picture(colours, None, ()))
