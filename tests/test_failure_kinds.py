"""The record of reported failures by kind, and the page that is made of it."""

import sys

from small_folder import ROOT

sys.path.append(str(ROOT / "benchmarks"))
from failure_kinds import MEASURED, PAGE, page, read_kinds
from gallery_cases import cases

from gallery import read_results


def test_each_report_stands_once_and_each_case_of_a_kind_is_in_the_gallery():
    found = read_kinds()
    threads = [report.thread for report in found.reports]
    assert len(threads) == len(set(threads)) >= 80
    assert {name for kind in found.kinds for name in kind.cases} <= {case.name for case in cases()}
    assert all(report.cause for report in found.reports)


def test_the_most_frequent_kinds_come_first():
    counts = [len(kind.reports) for kind in read_kinds().kinds]
    assert counts == sorted(counts, reverse=True)


def test_the_page_is_made_of_the_record_and_of_what_was_measured():
    assert PAGE.read_text(encoding="utf-8") == page(read_kinds(), cases(), read_results(MEASURED))
