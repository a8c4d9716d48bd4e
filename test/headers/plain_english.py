#!/usr/bin/env python3
"""Counts idioms in comments and documents that cost a reader a second pass.

usage: plain_english.py [--list] [--limit N] [FILE...]

Without FILE it reads all tracked sources and documents. It fails if a folder has more than N idioms
(default 5) in 1,000 lines of prose. --list prints each place. A found place is a hint, not a verdict: some
are good English. See "Style" in .github/CONTRIBUTING.md.
"""
import argparse
import collections
import pathlib
import re
import subprocess
import sys

PRONOUN_VERBS = "would|comes|waits|tells|reads|needs|uses|meets|is|has|finds|listens|does|computes|changes|joins"
PRONOUN_VERBS += "|brings|writes|calls|asks|can|may|must"
IDIOMS = {
    "a clause with 'who' and no noun": rf"(^|[.:;,] |\b(and|but|of|for) )[Ww]ho(ever)? ({PRONOUN_VERBS})\b",
    "a clause with 'what' in the place of a noun": (
        r"(^|[.:;,] |\b(of|for|by|from|with|that|than|to) )[Ww]hat "
        r"(is|was|were|has|had|it|they|he|we|this|can|may|must|others|all|nobody|stands|comes|leaves|changes)\b"
    ),
    "a sentence that begins with 'Of'": r"(^|[.;] )Of (a|an|the|what|them|these|all|its|reads|one|those)\b",
    "'else' for 'otherwise'": r"(^|[.:;,] )[Ee]lse [a-z]+ (would|is|are|was|were|it|the|a|each|there|some|every|no)\b",
    "'for' for 'because'": r"(; |, )for (it|they|there|that|this|what|we|nobody|SQLite|its)\b",
    "nobody, somebody, everybody": r"\b([Nn]obody|[Ss]omebody|[Aa]nybody|[Ee]verybody)\b",
    "tell for notify or report": r"\b(tells?|told|untold)\b",
    "leave, stand, lie for a state": r"\b(leaves|stands|lies)\b",
    "so many, as good as": r"\b([Ss]o (many|much|long)|as good as)\b",
    "most, fewest, least as the name of a limit": r"\bk(Most|Fewest|Least|Longest|Shortest)[A-Z]\w*",
    "a riddle": r"\b(is none|is one that|one of nothing|none of ours|no more than that)\b",
}
PATTERNS = {name: re.compile(pattern) for name, pattern in IDIOMS.items()}
FOLDERS = ["README.md", ".github", "examples", "include", "src", "test"]
SKIPPED = "test/headers/plain_english.py"


def prose_of(kind, line):
    """The comment or text of a line; None if it has none."""
    if kind == ".md":
        return line
    if kind == ".sh":
        match = re.match(r"\s*#(?!!)(.*)", line)
    else:
        match = re.search(r"(?<!:)//[/!]?<?(.*)", line)
        if not match and PATTERNS["most, fewest, least as the name of a limit"].search(line):
            return line
    return match.group(1) if match else None


def folder_of(path):
    """The unit that is counted: src/engine, include/ashmemo, test, examples, or the file itself."""
    parts = path.parts
    if len(parts) == 1 or parts[0] in ("examples", "test", ".github"):
        return parts[0]
    return "/".join(parts[:2])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--limit", type=float, default=5)
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    listed = subprocess.run(["git", "ls-files", *(arguments.files or FOLDERS)], capture_output=True, text=True, check=True)
    found, lines, places = collections.Counter(), collections.Counter(), []
    for path in map(pathlib.Path, listed.stdout.split("\n")):
        if path.suffix not in (".cpp", ".hpp", ".md", ".sh") or str(path) == SKIPPED or not path.exists():
            continue
        folder = folder_of(path)
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            text = prose_of(path.suffix, line)
            if text is None or not text.strip():
                continue
            lines[folder] += 1
            for name, pattern in PATTERNS.items():
                for _ in pattern.finditer(text):
                    found[folder] += 1
                    places.append(f"{path}:{number}: {name}: {text.strip()}")
    # Five are allowed in every folder, however few lines of prose it has.
    over = {folder for folder in lines if found[folder] > max(5, arguments.limit * lines[folder] / 1000)}
    for place in places:
        if arguments.list:
            print(place)
    for folder in sorted(lines):
        mark = "  too many" if folder in over else ""
        print(f"{folder:24} {found[folder]:5} in {lines[folder]:6} lines of prose{mark}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
