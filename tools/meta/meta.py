"""What the checks of this folder share. Each is a script that takes the tree's root (default: here),
prints what is wrong, a line each, and exits with 1 when there is something."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
_problems = []
_waivers = {}


def files(*patterns):
    return sorted({path for pattern in patterns for path in ROOT.glob(pattern)})


def name(path):
    return str(path.relative_to(ROOT))


def code(path):
    """A C file without comments and with empty strings; each line stays at its number."""
    def blank(match):
        text = match.group(0)
        return '""' if text[0] == '"' else "' '" if text[0] == "'" else "\n" * text.count("\n")
    return re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', blank,
                  path.read_text(), flags=re.S)


def problem(where, text):
    _problems.append(f"{where}: {text}")


def waived(check, subject):
    """Whether tools/waivers.txt has a line `CHECK SUBJECT reason`; it is then in use."""
    if check not in _waivers:
        _waivers[check] = {}
        path = ROOT / "tools/waivers.txt"
        for line in path.read_text().splitlines() if path.exists() else []:
            word = line.split("#")[0].split(None, 2)
            if word and word[0] == check:
                if len(word) < 3:
                    problem("tools/waivers.txt", f"no reason given: {line}")
                else:
                    _waivers[check][word[1]] = False
    if subject in _waivers[check]:
        _waivers[check][subject] = True
        return True
    return False


def finish():
    for check, subjects in _waivers.items():
        for subject, used in subjects.items():
            if not used:
                problem("tools/waivers.txt", f"nobody needs the line: {check} {subject}")
    print("\n".join(_problems), end="\n" if _problems else "")
    sys.exit(bool(_problems))
