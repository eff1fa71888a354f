"""What the agent reads on its terminal about a refused push. Never a secret, nor a name that holds one."""

from ..faults import one_line
from ..scan.gitleaks import Finding

MOST = 20
WITHHELD = "(a name with a secret in it)"
_PLACES = {
    "commit": "message, author or header of the commit",
    "tag": "message or header of the tag",
    "name": "a file's name",
    "ref": "the name of a branch or tag",
}


def findings_told(findings: list[Finding]) -> list[str]:
    """Lines."""
    lines = [f"secrets were found in {len(findings)} place{'s' * (len(findings) != 1)} of what is pushed:"]
    withheld = names_with_secrets(findings)
    for finding in findings[:MOST]:
        lines.append(f"  {finding.rule}: {_place(finding, withheld)}")
    if len(findings) > MOST:
        lines.append(f"  and {len(findings) - MOST} more")
    lines += [
        "nothing was pushed. Rewrite these commits (git rebase -i, git commit --amend): a later commit that removes",
        "a secret does not help, history keeps it. If it is a real secret, tell a human, who must revoke it.",
        "A false alarm: a human can add an allowlist to the gitleaks configuration (bottle:git.gitleaks).",
    ]
    return lines


def names_with_secrets(findings: list[Finding]) -> set[str]:
    """Files and refs whose very name is a finding."""
    return {finding.file for finding in findings if finding.kind in ("name", "ref")}


def recorded(findings: list[Finding]) -> list[dict]:
    """As they stand in an event."""
    withheld = names_with_secrets(findings)
    return [
        {
            "rule": finding.rule,
            "file": _file(finding, withheld) if finding.kind == "" else f"({_PLACES[finding.kind]})",
            "line": finding.line,
            "commit": finding.commit,
        }
        for finding in findings
    ]


def _place(finding: Finding, withheld: set[str]) -> str:
    commit = f", {'tag' if finding.kind == 'tag' else 'commit'} {finding.commit[:12]}" if finding.commit else ""
    if finding.kind:
        return f"{_PLACES[finding.kind]}{commit}"
    return f"{_file(finding, withheld)}:{finding.line}{commit}"


def _file(finding: Finding, withheld: set[str]) -> str:
    return WITHHELD if finding.file in withheld else one_line(finding.file)[:300]
