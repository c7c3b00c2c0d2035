"""A browser without a window: Chromium, driven over the WebDriver protocol, for the tests of pages.

    with Browser() as browser:
        browser.open(path)
        browser.run("return document.title")

Needs the programs chromium (or google-chrome) and chromedriver, Debian's packages chromium and chromium-driver.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key under which the protocol hands out elements
KEYS = {
    "Enter": "\ue007", "Tab": "\ue004", "Escape": "\ue00c", "PageUp": "\ue00e", "PageDown": "\ue00f", "End": "\ue010",
    "Home": "\ue011", "Left": "\ue012", "Up": "\ue013", "Right": "\ue014", "Down": "\ue015", "Space": " ",
    "Shift": "\ue008",
}  # fmt: skip
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip


def program() -> str | None:
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


def missing() -> str:
    """What is not installed; nothing where a browser can be started."""
    wanted = {"chromium": program(), "chromedriver": shutil.which("chromedriver")}
    lacking = [name for name, found in wanted.items() if not found]
    return f"not installed: {', '.join(lacking)} (apt install chromium chromium-driver)" if lacking else ""


class Browser:
    """One window. `requests` and `complaints` tell what a page asked of the network and wrote to the console."""

    def __init__(self, width: int = 1280, height: int = 800) -> None:
        self.width, self.height = width, height

    def __enter__(self) -> Browser:
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        log = Path(self.folder.name) / "driver.log"
        self.output = log.open("wb")
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=self.output, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + 20
        while not (
            said := re.search(r"started successfully on port (\d+)\.", log.read_text(errors="replace"))
        ):
            if time.monotonic() > deadline or self.driver.poll() is not None:
                raise RuntimeError(f"chromedriver does not start: {log.read_text(errors='replace')}")
            time.sleep(0.05)
        self.address = f"http://127.0.0.1:{said[1]}"
        options = {
            "binary": program(),
            "args": [
                *FLAGS,
                f"--user-data-dir={self.folder.name}/profile",
                f"--window-size={self.width},{self.height}",
            ],
        }
        wanted = {"browserName": "chrome", "goog:chromeOptions": options,
                  "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}  # fmt: skip
        self.session = self.opened = ""
        try:
            answer = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        except BaseException:
            self.__exit__()
            raise
        self.session = "/session/" + answer["sessionId"]
        self.post("/url", url="about:blank")  # away from the browser's own first page
        self.command(
            "Emulation.setFocusEmulationEnabled", enabled=True
        )  # it has no window that could have it
        return self

    def __exit__(self, *problem: Any) -> None:
        with suppress(Exception):
            if self.session:
                self.ask("DELETE", self.session)
        self.driver.terminate()
        self.driver.wait(10)
        self.output.close()
        self.folder.cleanup()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.address + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                request, timeout=60
            ) as answer:
                return json.loads(answer.read())["value"]
        except urllib.error.HTTPError as error:
            told = json.loads(error.read())["value"]
            raise RuntimeError(f"{told['error']}: {told['message'].splitlines()[0]}") from None

    def post(self, path: str, **body: Any) -> Any:
        return self.ask("POST", self.session + path, body)

    def command(self, name: str, **parameters: Any) -> Any:
        """One of the browser's own commands (Chrome DevTools Protocol)."""
        return self.post("/goog/cdp/execute", cmd=name, params=parameters)

    def open(self, path: Path) -> None:
        self.log("browser"), self.log("performance")
        self.opened = path.resolve().as_uri()
        self.post("/url", url=self.opened)
        # Until a page has been painted, the browser throws away every key that is pressed.
        frames = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))"
        self.post("/execute/async", script=frames, args=[])

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a script returns in the page."""
        return self.post("/execute/sync", script=script, args=list(arguments))

    def element(self, selector: str) -> str:
        return str(self.post("/element", using="css selector", value=selector)[ELEMENT])

    def text(self, selector: str) -> str:
        """What an element shows."""
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def click(self, selector: str) -> None:
        self.post(f"/element/{self.element(selector)}/click")

    def press(self, *keys: str) -> None:
        """Press keys, each by its name or letter, one after the other, wherever the focus is."""
        actions = [
            {"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")
        ]
        self.post("/actions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def hover(self, selector: str) -> None:
        origin = {ELEMENT: self.element(selector)}
        move = {"type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": origin}
        self.post("/actions", actions=[{"type": "pointer", "id": "mouse", "actions": [move]}])

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.ask("GET", self.session + "/screenshot")))

    def size(self, width: int, height: int, scale: float = 1.0, phone: bool = False) -> None:
        """The window, of so many CSS pixels; 1.25 of the screen's for each is what a zoom of 125 % is."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=phone,
        )

    def prefer(self, **features: str) -> None:
        """What the reader prefers, `color_scheme="dark"` or `reduced_motion="reduce"`, and `media="print"`."""
        media = features.pop("media", "")
        wanted = [
            {"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()
        ]
        self.command("Emulation.setEmulatedMedia", media=media, features=wanted)

    def log(self, kind: str) -> list[dict[str, Any]]:
        return list(self.post("/se/log", type=kind))

    def complaints(self) -> list[str]:
        """The console's warnings and errors since the page was opened."""
        return [entry["message"] for entry in self.log("browser") if entry["level"] in ("WARNING", "SEVERE")]

    def requests(self) -> list[str]:
        """The addresses that the page has asked for since it was opened, its own among them."""
        messages = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        asked = [
            m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"
        ]
        first = asked.index(self.opened) if self.opened in asked else 0  # before came the browser's own page
        return asked[first:]
