"""A real browser without a screen, with what the tests of pages ask of one."""

from typing import Any, Final

from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from tests.system.parts import wait_for

_SECONDS: Final = 20
_OPTIONS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--window-size=1400,1000",
)


class Chromium:
    """One window of Debian's Chromium."""

    def __init__(self) -> None:
        options = ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for one in _OPTIONS:
            options.add_argument(one)
        self._driver = Chrome(options, Service("/usr/bin/chromedriver"))

    def open(self, url: str) -> None:
        """Opens a page; it is there then."""
        self._driver.get(url)

    def value(self, script: str) -> Any:
        """The value of an expression in the page."""
        return self._driver.execute_script(f"return ({script})")

    @property
    def text(self) -> str:
        """What a person reads."""
        return str(self.value("document.body?.innerText ?? ''"))

    def says(self, text: str) -> None:
        """Waits until the page says so."""
        wait_for(lambda: text in self.text, _SECONDS, f"the page says {text}")

    def type(self, selector: str, text: str) -> None:
        """Types into a field."""
        self._driver.find_element(By.CSS_SELECTOR, selector).send_keys(text)

    def click(self, selector: str, *, twice: bool = False) -> None:
        """Presses the mouse in the middle of an element."""
        element = self._driver.find_element(By.CSS_SELECTOR, selector)
        mouse = ActionChains(self._driver)
        (mouse.double_click(element) if twice else mouse.click(element)).perform()

    def end(self) -> None:
        """Closes the window and the browser."""
        self._driver.quit()
