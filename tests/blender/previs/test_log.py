# SPDX-License-Identifier: GPL-3.0-or-later
"""The log for support stays small, names no home folder and costs nothing where it cannot be written."""

from pathlib import Path

from made_takes import made
from wan_previs import previs
from wan_previs.previs import log as logging
from wan_previs.previs.log import LARGEST, log


def test_a_line_tells_when_and_what_without_the_home_folder(tmp_path):
    file = tmp_path / "user" / "log.txt"
    log(f"Generation: {Path.home()}/film/previs/Wide-take-001\nfailed", file)
    when, words = file.read_text().rstrip("\n").split(" ", 1)
    assert when.endswith("+00:00") and words == "Generation: ~/film/previs/Wide-take-001 failed"


def test_it_never_grows_beyond_its_size_and_keeps_the_newest(tmp_path):
    file = tmp_path / "log.txt"
    for number in range(1200):
        log(f"{number} " + "x" * 400, file)
        assert file.stat().st_size <= LARGEST
    lines = file.read_text().splitlines()
    assert lines[-1].split(" ")[1] == "1199" and all("+00:00 " in line for line in lines)
    assert list(tmp_path.iterdir()) == [file]


def test_where_it_cannot_be_written_nothing_happens(tmp_path):
    (tmp_path / "log.txt").mkdir()
    log("words", tmp_path / "log.txt")
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "elsewhere.txt")
    log("words", link)
    assert not (tmp_path / "elsewhere.txt").exists()


def test_work_is_logged_from_its_beginning_to_its_end(blank_scene, tmp_path, monkeypatch):
    for module in (logging, previs.engine):
        monkeypatch.setattr(module, "log_file", lambda: tmp_path / "log.txt")

    class Failing(previs.work.Work):
        def _run_all(self):
            yield False
            self._fail(previs.UsageError("Nothing can be made of this."))

    Failing(blank_scene, previs.Settings()).run(pause=0)
    told = (tmp_path / "log.txt").read_text()
    assert "Failing began" in told and "Nothing can be made of this." in told and "Failing ended (2)" in told
    assert any(str(tmp_path / "log.txt") in finding.what for finding in previs.check(previs.Settings()))


def test_a_take_that_is_deleted_is_logged_with_where_its_files_are(blank_scene, tmp_path, monkeypatch):
    monkeypatch.setattr(logging, "log_file", lambda: tmp_path / "log.txt")
    take, job = made(blank_scene, previs.Settings(output=tmp_path / "jobs"))
    words = previs.delete_take(blank_scene, take.name)
    told = (tmp_path / "log.txt").read_text()
    assert f"deleted {take.name} of {job.path}" in told and words and words in told
