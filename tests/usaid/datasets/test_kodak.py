"""Kodak: as many of the 24 photographs as are on disk, without targets."""

from pathlib import Path

from kinds.readers import ReaderTests, picture, save

from usaid.datasets.base import Sample
from usaid.datasets.kodak import CARD
from usaid.datasets.sources import files_of
from usaid.datasets.status import format_status, status_of


class TestKodak(ReaderTests):
    card = CARD
    split = "all"
    ids = ("kodim01", "kodim03", "kodim24")

    def write(self, root: Path) -> None:
        for number in (3, 1, 24, 25):
            save(root / f"kodak/kodim{number:02d}.png", picture(number))

    def check_target(self, sample: Sample) -> None:
        assert sample.target is None

    def test_its_card_is_of_the_official_release(self) -> None:
        assert CARD.splits == {"all": 24}

    def test_its_sources_place_files_where_the_reader_looks(self) -> None:
        assert files_of("kodak") == tuple(f"kodak/kodim{number:02d}.png" for number in range(1, 25))

    def test_a_complete_split_needs_no_cure(self, tmp_path: Path) -> None:
        for number in range(1, 25):
            save(tmp_path / f"kodak/kodim{number:02d}.png", picture())
        (row,) = status_of(CARD, tmp_path)
        assert (row.complete, row.cure) == (True, "")
        assert "fetch kodak" not in format_status([row])
