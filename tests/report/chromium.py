"""A real browser, if this machine has one: Debian's chromium with its driver."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


def started() -> Iterator[Chromium]:
    """A browser without a window; skips, and says so, if there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium, a part of evalharness[test]")
    driver, browser = shutil.which("chromedriver"), shutil.which("chromium") or shutil.which("google-chrome")
    if driver is None or browser is None:
        pytest.skip("needs a browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chromium = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    chromium.set_script_timeout(120)
    try:
        yield Chromium(chromium)
    finally:
        chromium.quit()


class Chromium:
    """What the tests ask of a browser."""

    def __init__(self, driver) -> None:
        self._driver = driver

    def open(self, path: Path, address: str = "", *, scripts: bool = True) -> None:
        """Open a file, with what follows its name in ``address``; without ``scripts`` none of the page runs."""
        self._driver.get("about:blank")
        self.console(), self.requests()
        self._command("Emulation.setScriptExecutionDisabled", value=not scripts)
        self._driver.get(path.as_uri() + address)
        self._command("Emulation.setScriptExecutionDisabled", value=False)

    def screen(self, *, width: int = 1400, scheme: str = "light") -> None:
        self._command(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500
        )
        self._command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def run(self, script: str, *arguments):
        """What a function with this body returns in the page."""
        return self._driver.execute_script(script, *arguments)

    def shown(self, selector: str) -> list[str]:
        """The ``id`` of each element that is on the page for people to see."""
        return self.run(
            "return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility()).map(e => e.id)",
            selector,
        )

    def choose(self, name: str, value: str) -> None:
        """Choose a value of a filter as a person does."""
        select = self._driver.find_element("css selector", f'select[name="{name}"]')
        select.find_element("css selector", f'option[value="{value}"]').click()

    def click(self, selector: str) -> None:
        self._driver.find_element("css selector", selector).click()

    def wait(self, condition: str) -> None:
        """Wait until an expression is true in the page."""
        self._driver.execute_async_script(
            f"const done = arguments[0]; (function look() {{ ({condition}) ? done() : setTimeout(look, 20) }})()"
        )

    @property
    def address(self) -> str:
        return self._driver.current_url

    def console(self) -> list[str]:
        """What stands in the console since it was asked last."""
        return [entry["message"] for entry in self._driver.get_log("browser")]

    def requests(self) -> list[str]:
        """The addresses that were asked for since this was asked last."""
        events = [json.loads(entry["message"])["message"] for entry in self._driver.get_log("performance")]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def _command(self, name: str, **values) -> None:
        self._driver.execute_cdp_cmd(name, values)
