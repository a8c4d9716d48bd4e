#!/usr/bin/env python3
"""Checks the layout of the sources in src and include.

usage: layout.py members | circles

members   the members of a class are defined in one .cpp file
circles   no two files of a folder include each other, directly or through others (a .cpp counts with its .hpp)
"""
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def sources(pattern):
    return sorted(path for path in (ROOT / "src").glob(pattern))


def classes_with_members(text):
    """The classes whose members a .cpp file defines outside the class body, with their namespaces."""
    namespace = re.search(r"^namespace ([\w:]+) \{", text, re.M)
    prefix = namespace.group(1) if namespace else ""
    found = set()
    # A definition begins in the first column: `Type Class::member(`, `Class::Class(`,
    # `Class::~Class(`.
    for match in re.finditer(r"^(?! )(?:[\w:<>,&*\[\] ]+[ &*])?((?:\w+::)+)(?:~?\w+|operator\S+)\(", text, re.M):
        outer = match.group(1).split("::")[0]
        if outer[:1].isupper():
            found.add(f"{prefix}::{outer}")
    return found


def members():
    places = collections.defaultdict(set)
    for path in sources("*/*.cpp"):
        for name in classes_with_members(path.read_text()):
            places[name].add(str(path.relative_to(ROOT)))
    return [f"{name}: {', '.join(sorted(files))}" for name, files in sorted(places.items()) if len(files) > 1]


def circles():
    includes = collections.defaultdict(set)
    for path in sources("*/*.?pp"):
        module = str(path.relative_to(ROOT / "src").with_suffix(""))
        for included in re.findall(r'^#include "([\w/]+)\.hpp"', path.read_text(), re.M):
            if included != module and included.split("/")[0] == module.split("/")[0]:
                includes[module].add(included)
    found = []

    def visit(module, path):
        if module in path:
            found.append(" -> ".join(path[path.index(module):] + [module]))
            return
        if module in done:
            return
        for other in sorted(includes[module]):
            visit(other, path + [module])
        done.add(module)

    done = set()
    for module in sorted(includes):
        visit(module, [])
    return found


def main():
    checks = {"members": members, "circles": circles}
    if len(sys.argv) != 2 or sys.argv[1] not in checks:
        print(__doc__, file=sys.stderr)
        return 2
    lines = checks[sys.argv[1]]()
    print("\n".join(lines))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
