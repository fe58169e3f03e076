"""The page in a real browser; that it says nothing on the console and asks for nothing, the fixture sees to."""

import json
from pathlib import Path

import pytest
from results_folders import DENOISERS, NOTE, write_json, write_results

from usaid.report.page.write import write_report

ROOT = Path(__file__).parents[2]
NUMBER = "table_6-25-u_said-psnr"


@pytest.fixture
def report(tmp_path):
    """A page about two experiments."""
    folders = [write_results(tmp_path / name, name) for name in ("mine", "other")]
    write_report(folders, tmp_path / "mine/report/index.html")
    return tmp_path / "mine/report/index.html"


def at(page, address):
    return page.locator(f"[id='{address}']")


def heads(page, table):
    return [text.strip() for text in page.locator(f"#{table} thead th").all_text_contents()]


def labels(page, table):
    return [text.strip() for text in page.locator(f"#{table} tbody:first-of-type th[scope=row]").all_text_contents()]


# ------------------------------------------------------------------------------------------------ tables


def test_columns_are_put_in_order_by_a_row(open_page, report):
    page = open_page(report)
    niqe = page.locator("#table_6 th[scope=row]", has_text="NIQE").first
    seen = []
    for _ in range(3):
        niqe.locator("button").press("Enter")
        seen.append((niqe.get_attribute("aria-sort"), [head[:5] for head in heads(page, "table_6")]))
    assert seen == [
        ("ascending", ["Noisy", "CDnCN", "U-SAI", "n"]),
        ("descending", ["U-SAI", "CDnCN", "Noisy", "n"]),
        ("none", ["Noisy", "CDnCN", "U-SAI", "n"]),
    ]
    assert page.evaluate("document.activeElement.textContent") == "NIQE"


def test_numbers_move_with_their_columns(open_page, report):
    page = open_page(report)
    page.locator("#table_6 th[scope=row]", has_text="NIQE").first.locator("button").click(click_count=1)
    page.locator("#table_6 th[scope=row]", has_text="NIQE").first.locator("button").click()
    rows = page.locator("#table_6 tbody tr:not(.group)").all()
    ours = [row.locator(".ours").all_text_contents() for row in rows]
    assert ours == [["34.25", "34.38", "34.50"], ["3.1250", "3.0625", "3.0000"]] * 2


def test_rows_are_put_in_order_within_their_group_by_a_column(open_page, report):
    page = open_page(report)
    head = page.locator("#table_4 thead th").nth(1)
    head.locator("button").press("Space")
    head.locator("button").press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    assert [label[:5] for label in labels(page, "table_4")] == ["U-SAI", "CDnCN", "Noisy"]
    groups = page.locator("#table_4 tbody tr:first-child").all_text_contents()
    assert [group.strip() for group in groups] == ["σ = 15", "σ = 25"]


@pytest.mark.parametrize(
    ("choice", "shown"),
    [("Print", "34.00"), ("Difference", "−0.25"), ("95 % interval", "33.25 to 35.25")],
)
def test_what_stands_below_ours_is_chosen(open_page, report, choice, shown):
    page = open_page(report)
    page.get_by_label(choice, exact=True).check(force=True)
    at(page, NUMBER).scroll_into_view_if_needed()
    # What is out of view is not laid out before it is near.
    looks = "([address, text]) => document.getElementById(address).innerText === text"
    page.wait_for_function(looks, arg=[NUMBER, f"34.25\n{shown}"])


# ------------------------------------------------------------------------------------------------ numbers


@pytest.mark.parametrize("how", ["click", "Enter"])
def test_a_number_says_where_it_comes_from(open_page, report, how):
    page = open_page(report)
    number = at(page, NUMBER)
    number.click() if how == "click" else number.press("Enter")
    text = page.locator("dialog#number").inner_text()
    for known in ("Table VI, made again, σ = 25, PSNR (dB), U-SAID", "c0ffee", "abab", "kodak_quality/u_said"):
        assert known in text
    assert page.url.endswith(f"#{NUMBER}")
    page.keyboard.press("Escape")
    assert not page.locator("dialog#number").is_visible()
    assert page.evaluate("document.activeElement.id") == NUMBER
    assert "#" not in page.url


def test_an_address_opens_its_number_in_whatever_experiment(open_page, report):
    page = open_page(report)
    page.goto(f"{report.as_uri()}#other.{NUMBER}")
    page.locator("dialog#number").wait_for()
    assert page.locator("#experiment").input_value() == "other"
    assert f"#other.{NUMBER}" in page.locator("dialog#number").inner_text()


def test_links_of_the_verdict_lead_to_the_number(open_page, tmp_path):
    folder = write_results(tmp_path / "mine")
    write_report([folder], tmp_path / "index.html")
    page = open_page(tmp_path / "index.html")
    page.get_by_role("link", name="See the number.").click()
    assert "Table VI, made again, σ = 15, PSNR (dB), CDnCNN-B" in page.locator("dialog#number").inner_text()


@pytest.mark.parametrize("how", ["hover", "focus"])
def test_a_footnote_shows_its_text(open_page, report, how):
    page = open_page(report)
    mark = page.locator("#table_6 a.mark", has_text="a").first
    getattr(mark, how)()
    assert page.locator("#note").inner_text() == NOTE
    page.keyboard.press("Escape")
    assert not page.locator("#note").is_visible()
    assert page.locator(f"[id='{mark.get_attribute('aria-describedby')}']").inner_text().endswith(NOTE)


# ------------------------------------------------------------------------------------------------ lists


def test_one_experiment_is_shown_at_a_time(open_page, report):
    page = open_page(report)
    assert page.locator("#tables [data-experiment]:visible").count() == 1
    page.locator("#experiment").select_option("other")
    assert page.locator("[data-experiment=mine]:visible").count() == 0
    assert page.locator("[id='other.table_6']").is_visible()


def test_sentences_by_verdict_and_in_another_order(open_page, report):
    page = open_page(report)
    section = page.locator("#claims [data-experiment=mine]")
    section.locator("[data-order]").select_option("verdict")
    assert [text[:6] for text in section.locator("blockquote p").all_text_contents()] == ["first ", "third ", "second"]
    section.locator("[data-filter]").select_option("not tested")
    assert section.locator("blockquote:visible").count() == 1
    assert section.get_by_role("status").inner_text() == "1 of 3 sentences"


def test_sentences_of_which_nothing_is_told_are_folded(open_page, report):
    page = open_page(report)
    section = page.locator("#claims [data-experiment=mine]")
    fold = section.locator("details")
    assert fold.locator("summary").all_inner_texts() == ["1 sentence not tested"]
    assert section.locator("blockquote:visible").count() == 2
    filtered = section.locator("[data-filter]")
    for verdict, shown, folds in (("not tested", 1, 1), ("holds", 2, 0), ("", 2, 1)):
        filtered.select_option(verdict)
        assert section.locator("blockquote:visible").count() == shown
        assert section.locator("details:visible").count() == folds


def test_an_address_opens_the_fold_of_its_sentence(open_page, report):
    page = open_page(report)
    sentence = page.locator("#claims [data-experiment=other] details li").first
    page.evaluate("id => { location.hash = `#${id}`; }", sentence.get_attribute("id"))
    page.wait_for_selector("#claims [data-experiment=other] details[open]")
    assert sentence.is_visible()


def test_printed_numbers_by_table_and_disagreement(open_page, tmp_path):
    folders = [ROOT / "results/reference" / name for name in ("released", "subset")]
    write_report(folders, tmp_path / "index.html")
    page = open_page(tmp_path / "index.html")
    rows = page.locator("#comparison tbody tr:not(.group):visible")
    assert rows.count() == 226
    page.locator("#of-table").select_option("6")
    assert rows.count() == 27
    page.locator("#disagree").check()
    assert 0 < rows.count() < 27
    shown = page.locator("#comparison").get_by_role("status").inner_text()
    assert shown == f"{rows.count()} of 226 numbers"


# ------------------------------------------------------------------------------------------------ looks


def ground(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_dark_as_the_system_has_it_or_as_chosen(open_page, report):
    light = ground(open_page(report))
    page = open_page(report, color_scheme="dark")
    dark = ground(page)
    assert dark != light
    page.locator("#theme").click()
    assert ground(page) == light
    assert page.locator("#theme").get_attribute("aria-pressed") == "false"
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"


def test_on_a_narrow_page_navigation_commands_and_citation_wrap(open_page, report):
    page = open_page(report, viewport={"width": 360, "height": 740})
    widest = "parts => Math.max(...parts.map(part => part.getBoundingClientRect().right))"
    assert page.locator(".top nav a, #cite :is(pre, code):visible").evaluate_all(widest) <= 360
    scrolls = "parts => parts.filter(part => part.scrollWidth > part.clientWidth).length"
    assert page.locator(".top nav, #cite pre, #cite .commands").evaluate_all(scrolls) == 0


@pytest.mark.parametrize("further", [0, 197])
def test_a_narrow_page_does_not_scroll_sideways(open_page, tmp_path, further):
    denoisers = {**DENOISERS, **{f"mine_{n}": f"My denoiser {n}" for n in range(further)}}
    folder = write_results(tmp_path / "mine", denoisers=denoisers, says="long" * 40)
    write_report([folder], tmp_path / "index.html")
    page = open_page(tmp_path / "index.html", viewport={"width": 360, "height": 740})
    for address in ("verdict", "claims", "tables", "comparison", "cite"):
        at(page, address).scroll_into_view_if_needed()
        assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.goto(f"{(tmp_path / 'index.html').as_uri()}#{NUMBER}")
    dialog = page.locator("dialog#number")
    dialog.wait_for()
    assert dialog.evaluate("own => own.scrollWidth <= own.clientWidth")


def test_in_print_everything_is_open_and_no_control_is_there(open_page, report):
    page = open_page(report)
    page.locator("#claims [data-experiment=mine] [data-filter]").select_option("not tested")
    page.emulate_media(media="print")
    assert page.locator("blockquote:visible").count() == 6
    assert page.locator("[data-experiment=other]:visible").count() > 0
    assert page.locator("select:visible, .top:visible, #show:visible").count() == 0


@pytest.mark.parametrize(
    "options",
    [{}, {"color_scheme": "dark"}, {"viewport": {"width": 360, "height": 740}}],
    ids=["light", "dark", "narrow"],
)
def test_axe_finds_nothing_that_is_serious(open_page, report, options):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(report, **options)
    found = serious(axe.run(page))
    at(page, NUMBER).press("Enter")
    assert [*found, *serious(axe.run(page, context="dialog"))] == []


def serious(results):
    return [
        (one["id"], node["html"][:200])
        for one in results.response["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def test_hostile_texts_stay_texts(open_page, tmp_path):
    hostile = "</script><img src=x onerror=alert(1)><b>\u202e{{1}}"
    folder = write_results(tmp_path / "mine", denoisers={**DENOISERS, "u_said": hostile}, says=hostile)
    provenance = json.loads((folder / "tables/provenance.json").read_text(encoding="utf-8"))
    write_json(folder / "tables/provenance.json", {name: {**own, "title": hostile} for name, own in provenance.items()})
    write_report([folder], tmp_path / "index.html")
    page = open_page(tmp_path / "index.html")
    at(page, NUMBER).click()
    assert hostile in page.locator("#number-content").text_content()
    assert page.locator("img").count() == 1


def test_what_is_no_address_is_passed_over(open_page, tmp_path):
    write_report([write_results(tmp_path / "mine")], tmp_path / "index.html")
    page = open_page(tmp_path / "index.html")
    page.evaluate("location.hash = '#%'")
    page.evaluate(f"location.hash = '#{NUMBER}'")
    page.wait_for_selector("dialog[open]")
