"""Several sources at once: hosts side by side, one that fails stops no other, and what is interrupted goes on."""

import hashlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from servers import BODY, HALF, SHA256, Answer, Handler, Server, good, running_server, stall, status

import usaid_cli
from usaid.datasets import fetch, items, side_by_side
from usaid.datasets.fetch import find_or_fetch
from usaid.datasets.pins import Pins
from usaid.datasets.records import is_unfinished, read_record
from usaid.datasets.side_by_side import Parcel, described, fetch_all, lack_of_room, parcels_of, summary

SIX = ("kodak", "released", "niqe_live", "niqe_matlab", "yolov3u", "resnet101")


def file_entry(url: str, place: str, **more: Any) -> dict[str, Any]:
    return {"urls": [url], "sha256": SHA256, "size": len(BODY), "place_at": place} | more


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Where the sources of a test come from."""
    entries: dict[str, Any] = {}
    for module in (fetch, items):
        monkeypatch.setattr(module, "source_of", lambda name: entries.get(name, {}))
    return entries


@pytest.fixture
def other_server(server: Server) -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture
def closed() -> str:
    """The address of a host that is down."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


def fetched(root: Path, *names: str) -> dict[str, Parcel]:
    """What became of some sources."""
    parcels = parcels_of(dict.fromkeys(names), root, Pins())
    fetch_all(parcels, root)
    return {parcel.source: parcel for parcel in parcels}


class Counted(NamedTuple):
    """Answers that say how many of them were under way at once."""

    answer: Answer
    most: list[int]


def counted(pause: float = 0.05) -> Counted:
    under_way, most, lock = [0], [0], threading.Lock()

    def answer(request: Handler) -> None:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        time.sleep(pause)
        with lock:
            under_way[0] -= 1
        good()(request)

    return Counted(answer, most)


class TestHosts:
    """Side by side, and one file of each at a time."""

    def test_of_a_host_one_file_comes_at_a_time(self, server: Server, sources: dict[str, Any], tmp_path: Path) -> None:
        answers = counted()
        for number, name in enumerate(SIX):
            url = server.url(f"/{name}", answers.answer)
            sources[name] = {"files": [file_entry(url, f"{name}/{number}.bin")]}
        others = threading.Thread(target=fetched, args=(tmp_path, *SIX[:3]))
        others.start()  # as another process would
        fetched(tmp_path, *SIX[3:])
        others.join()
        assert answers.most == [1]
        assert len(server.requests) == 6

    def test_hosts_are_asked_side_by_side(
        self, server: Server, other_server: Server, sources: dict[str, Any], tmp_path: Path
    ) -> None:
        both = threading.Barrier(2, timeout=20)

        def answer(request: Handler) -> None:
            both.wait()  # breaks if the other host is not asked meanwhile
            good()(request)

        sources["kodak"] = {"files": [file_entry(server.url("/a", answer), "kodak/a.bin")]}
        sources["released"] = {"files": [file_entry(other_server.url("/b", answer), "released/b.bin")]}
        assert all(parcel.is_whole for parcel in fetched(tmp_path, "kodak", "released").values())

    def test_a_host_that_is_down_stops_no_other(
        self, server: Server, closed: str, sources: dict[str, Any], tmp_path: Path
    ) -> None:
        down = [file_entry(f"{closed}/{number}", f"kodak/{number}.bin") for number in range(5)]
        sources["kodak"] = {"files": down}
        sources["released"] = {"files": [file_entry(server.url("/b", good()), "released/b.bin")]}
        parcels = fetched(tmp_path, "kodak", "released")
        assert (tmp_path / "released/b.bin").read_bytes() == BODY
        assert len(parcels["kodak"].failures) == 5
        reasons = list(parcels["kodak"].failures.values())
        assert all("no answer" in reason for reason in reasons[:2])
        assert all("not asked for" in reason for reason in reasons[2:])
        said = summary(parcels.values(), tmp_path)
        assert "fetched: released" in said
        assert f"failed: kodak: {tmp_path}/kodak/0.bin: no mirror gave this file" in said
        assert f"place the file here: {tmp_path}/kodak/0.bin (and 4 more of its files)" in said

    def test_a_mirror_on_another_host_is_asked(
        self, server: Server, closed: str, sources: dict[str, Any], tmp_path: Path
    ) -> None:
        url = server.url("/b", good())
        entry = file_entry(url, "released/b.bin") | {"urls": [f"{closed}/b", url]}
        sources["released"] = {"files": [entry]}
        assert fetched(tmp_path, "released")["released"].is_whole
        assert read_record("released", tmp_path)["files"]["released/b.bin"]["from"] == url


INTERRUPTED = """
import json, sys
from usaid.datasets import fetch, items
entries = json.loads(sys.argv[1])
for module in (fetch, items):
    module.source_of = lambda name: entries.get(name, {})
import usaid_cli
usaid_cli.main(sys.argv[2:])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_in_the_third_of_six_it_goes_on_where_it_was(server: Server, tmp_path: Path, number: int) -> None:
    answers: dict[str, list[Answer]] = {name: [good()] for name in SIX}
    answers[SIX[2]] = [stall(HALF), good()]
    places = {name: f"{name}/{name}.bin" for name in SIX}
    entries = {n: {"files": [file_entry(server.url(f"/{n}", *answers[n]), places[n])]} for n in SIX}
    command = [
        sys.executable,
        "-c",
        INTERRUPTED,
        json.dumps(entries),
        "data",
        "fetch",
        *SIX,
        "--data-root",
        str(tmp_path),
    ]
    third = tmp_path / places[SIX[2]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        part = third.with_name(f"{third.name}.part")
        wait_until(lambda: part.is_file() and part.stat().st_size == HALF)
        process.send_signal(number)
        _, error = process.communicate(timeout=30)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in error
    assert part.stat().st_size == HALF
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert all((tmp_path / place).read_bytes() == BODY for place in places.values())
    assert [server.ranges(f"/{name}") for name in SIX[:2]] == [[None], [None]]
    assert server.ranges(f"/{SIX[2]}") == [None, f"bytes={HALF}-"]
    assert [server.ranges(f"/{name}") for name in SIX[3:]] == [[None], [None], [None]]
    assert not [*tmp_path.rglob("*.lock"), *tmp_path.rglob("*.part")]


def wait_until(happened: Callable[[], bool]) -> None:
    for _ in range(600):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


class TestDisk:
    """A disk that is full."""

    def test_what_does_not_fit_fails_and_what_fits_comes(
        self, server: Server, sources: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        small = BODY[:500]
        known = {"sha256": hashlib.sha256(small).hexdigest(), "size": len(small)}
        sources["kodak"] = {"files": [file_entry(server.url("/a", good()), "kodak/a.bin")]}
        sources["released"] = {"files": [file_entry(server.url("/b", good(small)), "released/b.bin", **known)]}
        usage = shutil.disk_usage(tmp_path)._replace(free=1000)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        parcels = parcels_of(dict.fromkeys(("kodak", "released")), tmp_path, Pins())
        assert lack_of_room(parcels, tmp_path).startswith("300.5 kB are to come, 1.0 kB are free")
        fetch_all(parcels, tmp_path)
        assert [parcel.is_whole for parcel in parcels] == [False, True]
        assert "300000 bytes are still to come, 1000 are free" in parcels[0].failure
        assert "free the disk or name another folder" in parcels[0].failure

    def test_where_all_fits_nothing_is_said(self, sources: dict[str, Any], tmp_path: Path) -> None:
        sources["kodak"] = {"files": [file_entry("http://a.org/b", "kodak/a.bin")]}
        assert lack_of_room(parcels_of({"kodak": None}, tmp_path, Pins()), tmp_path / "not/there") == ""


class TestRecords:
    """What is kept of a download, beside it."""

    def test_it_says_what_came_from_where(self, server: Server, sources: dict[str, Any], tmp_path: Path) -> None:
        url = server.url("/a", good())
        unknown = file_entry(server.url("/c", good()), "kodak/c.bin", sha256=None)
        sources["kodak"] = {"licence": "L", "citation": "C", "files": [file_entry(url, "kodak/a.bin"), unknown]}
        said = described(parcels_of({"kodak": None}, tmp_path, Pins()), tmp_path)
        assert said.splitlines() == [
            f"kodak: 2 files, 600.0 kB to download, from 127.0.0.1:{server.server_port}",
            "    licence: L",
            "    cite: C",
            "    checked by: known SHA-256; trust on first use: its publisher gives no hash",
        ]
        fetched(tmp_path, "kodak")
        record = read_record("kodak", tmp_path)
        assert {key: record[key] for key in ("source", "licence", "citation", "finished")} == {
            **{"source": "kodak", "licence": "L", "citation": "C", "finished": True}
        }
        entry = dict(record["files"]["kodak/a.bin"])
        assert entry.pop("when").endswith("+00:00")
        assert entry == {"from": url, "sha256": SHA256, "bytes": len(BODY), "trusted": "known SHA-256"}
        assert record["files"]["kodak/c.bin"]["trusted"].startswith("trust on first use")
        fetched(tmp_path, "kodak")
        assert read_record("kodak", tmp_path) == record, "what was there is not recorded anew"

    def test_where_all_is_there_nothing_is_written(self, server: Server, sources: Any, tmp_path: Path) -> None:
        """The folder may be another's, and for reading alone."""
        sources["released"] = {"files": [file_entry(server.url("/b", good()), "released/b.bin")]}
        (tmp_path / "released").mkdir()
        (tmp_path / "released/b.bin").write_bytes(BODY)
        assert find_or_fetch("released", tmp_path) == {"b.bin": "there"}
        assert [path.name for path in tmp_path.iterdir()] == ["released"]

    def test_what_was_begun_is_not_taken_for_a_part_of_the_users(
        self, server: Server, sources: dict[str, Any], tmp_path: Path
    ) -> None:
        """A workflow that was killed in the middle of the 24 goes on; where it cannot, it takes what there is."""
        urls = [server.url("/1", good()), server.url("/2", status(404), status(404), good())]
        places = ["kodak/kodim01.png", "kodak/kodim02.png"]
        sources["kodak"] = {"files": [file_entry(*each) for each in zip(urls, places, strict=True)]}
        assert not fetched(tmp_path, "kodak")["kodak"].is_whole
        assert is_unfinished("kodak", tmp_path)
        assert find_or_fetch("kodak", tmp_path) == {"all": "1 of 24"}
        assert find_or_fetch("kodak", tmp_path) == {"all": "2 of 24"}
        assert not is_unfinished("kodak", tmp_path)

    def test_what_the_user_placed_is_taken_as_it_is(self, server: Server, sources: Any, tmp_path: Path) -> None:
        sources["kodak"] = {"files": [file_entry(server.url("/1", good()), "kodak/kodim01.png")]}
        (tmp_path / "kodak").mkdir()
        (tmp_path / "kodak/kodim02.png").touch()
        assert find_or_fetch("kodak", tmp_path) == {"all": "1 of 24"}
        assert server.requests == []


def test_a_split_alone_is_fetched(server: Server, sources: dict[str, Any], tmp_path: Path) -> None:
    train = file_entry(server.url("/train", good()), "isic2018/train.bin", splits=["train"])
    val = file_entry(server.url("/val", good()), "isic2018/val.bin", splits=["val"])
    sources["isic2018"] = {"files": [train, val]}
    parcels = parcels_of({"isic2018": {"val"}}, tmp_path, Pins())
    fetch_all(parcels, tmp_path)
    assert [path for path, _ in server.requests] == ["/val"]


def test_what_nobody_foresaw_is_one_line_and_the_others_go_on(
    server: Server, sources: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring = side_by_side.bring

    def break_once(item: items.Item, *others: Any) -> Any:
        if item.source == "kodak":
            raise RuntimeError("a bug")
        return bring(item, *others)

    monkeypatch.setattr(side_by_side, "bring", break_once)
    for name in ("kodak", "released"):
        sources[name] = {"files": [file_entry(server.url(f"/{name}", good()), f"{name}/b.bin")]}
    parcels = fetched(tmp_path, "kodak", "released")
    assert "a bug" in parcels["kodak"].failure
    assert parcels["released"].is_whole


class TestCommand:
    """``usaid data fetch`` and ``usaid data status``."""

    def test_what_failed_is_an_exit_status(
        self, server: Server, sources: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        sources["released"] = {"files": [file_entry(server.url("/b", status(404)), "released/b.bin")]}
        with pytest.raises(SystemExit) as end:
            usaid_cli.main(["data", "fetch", "released", "--data-root", str(tmp_path)])
        assert end.value.code == 1
        assert "failed: released: " in capsys.readouterr().out

    def test_an_account_is_said_and_is_a_failure_only_if_it_was_asked_for(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        root = str(tmp_path)
        with pytest.raises(SystemExit) as end:
            usaid_cli.main(["data", "fetch", "deepglobe", "--data-root", root])
        assert end.value.code == 1
        assert "by hand: deepglobe: needs an account" in capsys.readouterr().out
        (tmp_path / "e.yaml").write_text(
            "{experiment: e, data_root: d, denoisers: {noisy: {method: noisy}}, benchmarks: {deepglobe_segmentation: "
            "{sigmas: [25], segmenter: {network: fpn, encoder: efficientnet_lite0, train: {}}}}}"
        )
        usaid_cli.main(["data", "fetch", "--experiment", str(tmp_path / "e.yaml"), "--data-root", root])
        assert "by hand: deepglobe/val: needs an account" in capsys.readouterr().out
        with pytest.raises(SystemExit) as end:
            usaid_cli.main(["data", "status", "--experiment", str(tmp_path / "e.yaml"), "--data-root", root])
        assert end.value.code == 1
        said = capsys.readouterr().out
        assert "deepglobe/train: missing, 0 of 454 images" in said
        assert "by hand: deepglobe (see above)" in said

    def test_an_experiment_names_what_it_lacks_and_gets_it(
        self, server: Server, sources: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "ids.txt").write_text("kodim01\n")
        (tmp_path / "e.yaml").write_text(
            f"{{experiment: e, data_root: {tmp_path}/d, denoisers: {{noisy: {{method: noisy}}}}, "
            f"subsets: {{kodak/all: {tmp_path}/ids.txt}}, benchmarks: {{kodak_quality: {{sigmas: [25]}}}}}}"
        )
        sources["kodak"] = {"files": [file_entry(server.url("/1", good()), "kodak/kodim01.png")]}
        live = "niqe/niqe_live_pris_params.npz"
        sources["niqe_live"] = {"files": [file_entry(server.url("/n", good()), live)]}
        experiment = ["--experiment", str(tmp_path / "e.yaml")]
        with pytest.raises(SystemExit) as end:
            usaid_cli.main(["data", "status", *experiment])
        assert end.value.code == 1
        said = capsys.readouterr().out
        assert "kodak/all: missing, 0 of 1 images, 300.0 kB to download" in said
        assert f"600.0 kB to download (kodak, niqe_live): usaid data fetch {' '.join(experiment)}" in said
        assert "    -> usaid data fetch kodak --data-root" in said
        usaid_cli.main(["data", "fetch", *experiment])
        usaid_cli.main(["data", "status", *experiment])
        assert capsys.readouterr().out.splitlines()[-1] == "all 3 that it reads are there"

    @pytest.mark.parametrize("command", ["status", "fetch"])
    def test_an_experiment_that_names_an_unknown_data_set(self, tmp_path: Path, command: str) -> None:
        (tmp_path / "e.yaml").write_text(
            "{experiment: e, data_root: d, denoisers: {noisy: {method: noisy}}, benchmarks: {kodak_quality: "
            "{sigmas: [25]}}, subsets: {imagenet/val: a.txt}}"
        )
        with pytest.raises(SystemExit, match=r"e\.yaml: unknown key 'subsets\.imagenet/val'") as end:
            usaid_cli.main(["data", command, "--experiment", str(tmp_path / "e.yaml")])
        assert "\n" not in str(end.value.code)

    def test_all_names_are_known_before_anything_is_fetched(self, server: Server, sources: Any, tmp_path: Path) -> None:
        sources["released"] = {"files": [file_entry(server.url("/b", good()), "released/b.bin")]}
        with pytest.raises(SystemExit, match=r"^error: imagenet: nothing of this name can be fetched"):
            usaid_cli.main(["data", "fetch", "released", "imagenet", "--data-root", str(tmp_path)])
        assert server.requests == []

    def test_nothing_named_is_said(self) -> None:
        with pytest.raises(SystemExit, match=r"^error: name what to fetch .*or --experiment NAME_OR_FILE"):
            usaid_cli.main(["data", "fetch"])
