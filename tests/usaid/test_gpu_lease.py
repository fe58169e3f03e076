"""Which cards a process may use, on machines that are folders, and locks that die with their process."""

import os
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from usaid import gpu_lease
from usaid.gpu_lease import CUDA, HIP, PLACE, Card, card_alone, cards, names_of_instances

UUIDS = ["GPU-0a1b", "GPU-2c3d", "GPU-4e5f"]

NOBODY: dict[str, str] = {}

HOLD = """
import sys
from pathlib import Path
from usaid.gpu_lease import card_alone
root = Path(sys.argv[1])
with card_alone("auto", {"USAID_CARD_LOCKS": f"{root}/locks"}, root) as card:
    print(card.name, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _no_card_is_set(monkeypatch):
    for name in (CUDA, HIP, *gpu_lease.SCHEDULERS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(gpu_lease, "PAUSE", 0.05)


def machine(root: Path, count: int) -> Path:
    """A machine with NVIDIA's driver and as many cards."""
    for number, uuid in enumerate(UUIDS[:count]):
        information = root / f"proc/driver/nvidia/gpus/0000:{number}b:00.0/information"
        information.parent.mkdir(parents=True)
        information.write_text(
            f"Model: \t\t NVIDIA\nGPU UUID: \t {uuid}\nDevice Minor: \t {number}\nBus Type: \t PCIe\n"
        )
        (root / "dev").mkdir(exist_ok=True)
        (root / f"dev/nvidia{number}").touch()
    return root


def names(environment: dict[str, str], root: Path) -> list[str]:
    return [card.name for card in cards(environment, root)]


class TestWhichThereAre:
    def test_none_without_a_driver(self, tmp_path):
        assert cards(NOBODY, tmp_path) == []

    def test_those_of_the_driver_by_a_name_that_no_order_changes(self, tmp_path):
        assert cards(NOBODY, machine(tmp_path, 2)) == [Card(UUIDS[0], "nvidia0"), Card(UUIDS[1], "nvidia1")]

    def test_not_those_that_a_container_has_no_device_of(self, tmp_path):
        (machine(tmp_path, 2) / "dev/nvidia0").unlink()
        assert names(NOBODY, tmp_path) == UUIDS[1:2]

    def test_a_driver_that_does_not_tell_a_uuid_has_numbers(self, tmp_path):
        for file in machine(tmp_path, 2).glob("proc/driver/nvidia/gpus/*/information"):
            file.write_text(file.read_text().replace("GPU-", "GPU-????"))
        assert names(NOBODY, tmp_path) == ["0", "1"]

    def test_those_of_amd_are_nodes_that_are_no_processors(self, tmp_path):
        for node, identity in enumerate(("0", "4711", "4712")):
            file = tmp_path / f"sys/class/kfd/kfd/topology/nodes/{node}/gpu_id"
            file.parent.mkdir(parents=True)
            file.write_text(f"{identity}\n")
        assert cards(NOBODY, tmp_path) == [Card("0", "amd4711", HIP), Card("1", "amd4712", HIP)]

    @pytest.mark.parametrize(
        ("said", "seen"),
        [
            ("", []),
            ("-1", []),
            ("NoDevFiles", []),
            ("1", ["1"]),
            ("2, 0", ["2", "0"]),
            ("0,-1,1", ["0"]),
            ("GPU-2c", ["GPU-2c"]),
            ("MIG-7,MIG-GPU-0a1b/1/0", ["MIG-7", "MIG-GPU-0a1b/1/0"]),
        ],
    )
    def test_what_is_set_already_counts_as_it_does_for_cuda(self, tmp_path, said, seen):
        assert names({CUDA: said}, machine(tmp_path, 3)) == seen

    def test_a_card_has_one_lock_whatever_it_is_called(self, tmp_path):
        root = machine(tmp_path, 3)
        called = [cards({CUDA: name}, root)[0].lock for name in ("1", "GPU-2c3d", "GPU-2c")]
        assert called == 3 * [cards(NOBODY, root)[1].lock]

    def test_in_a_clusters_job_numbers_are_those_of_the_job(self, tmp_path):
        root = machine(tmp_path, 2)
        first, second = (cards({CUDA: "0,1", "SLURM_JOB_ID": job}, root)[0].lock for job in ("7", "8"))
        assert len({first, second, "nvidia0"}) == 3

    def test_instances_take_the_place_of_their_card(self):
        listed = (
            "GPU 0: NVIDIA A100 (UUID: GPU-0a1b)\n  MIG 3g.20gb     Device  0: (UUID: MIG-aa)\n"
            "  MIG 3g.20gb     Device  1: (UUID: MIG-bb)\nGPU 1: NVIDIA A100 (UUID: GPU-2c3d)\n"
        )
        assert names_of_instances(listed) == ["MIG-aa", "MIG-bb", "GPU-2c3d"]


class TestACardAlone:
    def kept(self, root: Path, device: str = "auto", **environment: str) -> tuple[str | None, str | None]:
        """The card that a process has, and those that it sees."""
        with card_alone(device, {PLACE: f"{root}/locks", **environment}, root) as card:
            return card and card.name, os.environ.get(CUDA)

    def test_is_the_only_one_that_the_process_sees_as_long_as_it_has_it(self, tmp_path):
        assert self.kept(machine(tmp_path, 2)) == (UUIDS[0], UUIDS[0])
        assert CUDA not in os.environ

    @pytest.mark.parametrize("device", ["auto", "cuda", "cuda:1"])
    def test_a_machine_without_cards_is_as_before(self, tmp_path, device):
        assert self.kept(tmp_path, device) == (None, None)
        assert not (tmp_path / "locks").exists()

    def test_the_cpu_needs_none(self, tmp_path):
        assert self.kept(machine(tmp_path, 1), "cpu") == (None, None)

    def test_a_card_that_is_named_is_kept_under_its_number(self, tmp_path):
        assert self.kept(machine(tmp_path, 2), "cuda:1") == (UUIDS[1], None)

    def test_the_users_choice_is_one_of_theirs(self, tmp_path):
        assert self.kept(machine(tmp_path, 3), **{CUDA: "2,1"}) == ("2", "2")

    def test_the_card_that_a_cluster_gave_is_not_asked_for_again(self, tmp_path):
        root = machine(tmp_path, 2)
        given = {CUDA: "0", "SLURM_JOB_ID": "7", PLACE: f"{root}/locks"}
        with card_alone("auto", given, root) as first:
            assert first is None
            assert self.kept(root, **given) == (None, None)

    def test_of_several_that_a_cluster_gave_each_job_has_one(self, tmp_path):
        root = machine(tmp_path, 2)
        given = {CUDA: "0,1", "SLURM_JOB_ID": "7", PLACE: f"{root}/locks"}
        with card_alone("auto", given, root) as first:
            assert (first.name, self.kept(root, **given)[0]) == ("0", "1")

    def test_a_folder_that_cannot_be_made_shares(self, tmp_path, capsys):
        machine(tmp_path, 1)
        (tmp_path / "file").touch()
        with card_alone("auto", {PLACE: f"{tmp_path}/file/locks"}, tmp_path) as card:
            assert card.name == UUIDS[0]
        assert "GPUs are shared" in capsys.readouterr().err

    def test_a_link_in_place_of_a_lock_is_not_followed(self, tmp_path, capsys):
        (machine(tmp_path, 1) / "locks").mkdir()
        (tmp_path / "locks/nvidia0").symlink_to(tmp_path / "elsewhere")
        assert self.kept(tmp_path)[0] == UUIDS[0]
        assert not (tmp_path / "elsewhere").exists()

    def test_locks_are_for_all_users_whatever_the_umask(self, tmp_path):
        before = os.umask(0o077)
        try:
            assert self.kept(machine(tmp_path, 1))[0] == UUIDS[0]
        finally:
            os.umask(before)
        modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("locks", "locks/nvidia0")]
        assert modes == [0o777, 0o644]

    def test_a_pipe_in_place_of_a_lock_is_not_waited_for(self, tmp_path):
        (machine(tmp_path, 1) / "locks").mkdir()
        os.mkfifo(tmp_path / "locks/nvidia0")
        assert self.kept(tmp_path)[0] == UUIDS[0]


class TestProcesses:
    def hold(self, root: Path) -> subprocess.Popen[str]:
        """A process that keeps a card until its input ends, or waits for one."""
        command = [sys.executable, "-c", HOLD, str(root)]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": str(Path(gpu_lease.__file__).parents[1])},
        )  # fmt: skip

    def test_each_has_another_card_and_the_third_that_of_the_one_that_is_killed(self, tmp_path):
        processes = [self.hold(machine(tmp_path, 2)), self.hold(tmp_path)]
        try:
            have = [process.stdout.readline().strip() for process in processes]
            assert sorted(have) == UUIDS[:2]
            third = self.hold(tmp_path)
            processes.append(third)
            assert third.stderr.readline() == "waiting for a GPU: other jobs have all 2\n"
            processes[1].kill()
            assert third.stdout.readline().strip() == have[1]
        finally:
            for process in processes:
                with suppress(BrokenPipeError):
                    process.communicate("", timeout=30)
