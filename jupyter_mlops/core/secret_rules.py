"""What looks like a secret: paths that never travel, and patterns that a user must look at.

Pure: bytes in, hits out. Every pattern is gated by literals, since a plain substring search is
many times faster than a regular expression and nearly all files hold none of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

VERSION = 2
"""Raised with every change of the rules; results of a scan are kept per version."""

# --------------------------------------------------------------------------- denied paths

_DENIED: tuple[tuple[str, str], ...] = (
    (r"\.aws/(credentials|config|sso/.*|cli/cache/.*)", "AWS credentials"),
    (r"\.(config/gcloud|boto|gsutil)(/.*)?", "Google Cloud credentials"),
    (r"\.azure/.*", "Azure credentials"),
    (r"\.kube/.*", "Kubernetes credentials"),
    (r"\.docker/config\.json|\.config/containers/auth\.json", "registry credentials"),
    (r"\.ssh/.*|id_(rsa|dsa|ecdsa|ed25519)(_sk)?", "an SSH key"),
    (r"\.gnupg/.*", "a GnuPG key"),
    (r"\.netrc|_netrc", "passwords of servers"),
    (r"\.git-credentials|\.config/git/credentials", "Git credentials"),
    (r"\.pypirc", "package index credentials"),
    (r"\.npmrc", "package index credentials"),
    (r"\.pgpass|\.my\.cnf", "database passwords"),
    (r"(\.huggingface|\.cache/huggingface)/(token|stored_tokens)", "a Hugging Face token"),
    (r"\.kaggle/.*|kaggle\.json", "a Kaggle key"),
    (r"\.databrickscfg", "Databricks credentials"),
    (r"\.snowsql/config|\.snowflake/.*", "Snowflake credentials"),
    (r"\.config/gh/hosts\.yml", "a GitHub token"),
    (r"\.env(\.(local|dev|development|prod|production|staging|test))?", "private settings"),
    (r"\.(ba|z|fi)?sh_history|\.python_history|\.psql_history|\.Rhistory", "a command history"),
    (r"\.ipython/profile_[^/]*/history\.sqlite.*", "a command history"),
    (r"jupyter/runtime/.*|(jupyter|notebook)_cookie_secret", "keys of a Jupyter server"),
)
_DENIED_PATTERN = re.compile(
    "|".join(f"(?P<r{i}>(?:^|.*/)(?:{pattern}))" for i, (pattern, _) in enumerate(_DENIED))
)


def denied(path: str) -> str:
    """Why a file of this path never travels (``AWS credentials``); empty when it may.

    ``path`` has forward slashes, absolute or relative; a trailing slash is not expected.
    """
    match = _DENIED_PATTERN.fullmatch(path)
    if match is None or match.lastgroup is None:
        return ""
    return next(reason for i, (_, reason) in enumerate(_DENIED) if match.group(f"r{i}") is not None)


# ------------------------------------------------------------------------------- patterns


@dataclass(frozen=True)
class Rule:
    name: str
    literals: tuple[bytes, ...]
    """One of them is in every match."""
    pattern: re.Pattern[bytes]
    """The group ``secret``, or else the whole match, is the secret."""
    text: bool = False
    """Only in text, where it would hit by chance in binary files."""
    fold: bool = False
    """Searched in lower case; a case-insensitive pattern would be many times slower."""


def _rule(
    name: str, literals: str, pattern: str, *, text: bool = False, fold: bool = False
) -> Rule:
    return Rule(
        name,
        tuple(literal.encode() for literal in literals.split()),
        re.compile(pattern.encode()),
        text,
        fold,
    )


_B = r"(?<![A-Za-z0-9_])"
_E = r"(?![A-Za-z0-9_])"
_ASSIGN = r"['\"]?\s{0,3}(?:=|:|=>)\s{0,3}\\?['\"]"

RULES: tuple[Rule, ...] = (
    _rule(
        "private key",
        "PRIVATE",
        r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:\s|\\[nr]|[\"',])*(?P<secret>[A-Za-z0-9+/=]{20}|Proc-Type|Version|Comment)",
    ),
    _rule("PuTTY private key", "PuTTY-User-Key-File", r"PuTTY-User-Key-File-[23]: \S+"),
    _rule("age private key", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    _rule(
        "AWS access key id",
        "AKIA ASIA",
        _B + r"(?:AKIA|ASIA)(?![0-9A-Z]*EXAMPLE)[0-9A-Z]{16}" + _E,
    ),
    _rule(
        "AWS secret access key",
        "secret",
        r"aws[a-z_\-.]{0,20}secret[a-z_\-. ]{0,20}['\"]?\s{0,3}(?:=|:|=>|,)\s{0,3}\\?['\"]?"
        r"(?P<secret>(?![a-z0-9/+]*example)[a-z0-9/+]{40})(?![a-z0-9/+=])",
        fold=True,
    ),
    _rule("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", _B + r"gh[pousr]_[A-Za-z0-9]{36,255}"),
    _rule("GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{60,255}"),
    _rule("GitLab token", "glpat- gldt- glrt-", r"gl(?:pat|dt|rt)-[A-Za-z0-9_\-]{20,}"),
    _rule("Slack token", "xoxb- xoxp- xoxa- xoxr- xoxs- xapp-", r"(?:xox[abprs]|xapp)-[\w\-]{20,}"),
    _rule("Slack webhook", "hooks.slack.com", r"hooks\.slack\.com/services/T\w+/B\w+/\w{20,}"),
    _rule("Google API key", "AIza", _B + r"AIza[0-9A-Za-z_\-]{35}" + _E),
    _rule("Google OAuth token", "ya29.", _B + r"ya29\.[0-9A-Za-z_\-]{30,}"),
    _rule("Google OAuth secret", "GOCSPX-", r"GOCSPX-[A-Za-z0-9_\-]{28}"),
    _rule("Anthropic API key", "sk-ant-", r"sk-ant-[A-Za-z0-9_\-]{20,}"),
    _rule(
        "OpenAI API key", "sk-", _B + r"sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_]{40,}", text=True
    ),
    _rule("OpenAI API key", "T3BlbkFJ", r"sk-[A-Za-z0-9_\-]{10,}T3BlbkFJ[A-Za-z0-9_\-]{10,}"),
    _rule("Hugging Face token", "hf_", _B + r"hf_[A-Za-z]{34,}" + _E),
    _rule("Replicate token", "r8_", _B + r"r8_[A-Za-z0-9]{37}" + _E),
    _rule("Groq API key", "gsk_", _B + r"gsk_[A-Za-z0-9]{48,}" + _E),
    _rule("NVIDIA API key", "nvapi-", _B + r"nvapi-[A-Za-z0-9_\-]{40,}"),
    _rule("Databricks token", "dapi", _B + r"dapi[0-9a-f]{32}(?:-\d)?" + _E),
    _rule("Stripe key", "k_live_", _B + r"[sr]k_live_[A-Za-z0-9]{20,}"),
    _rule("SendGrid key", "SG.", _B + r"SG\.[A-Za-z0-9_\-]{22}\.[A-Za-z0-9_\-]{43}"),
    _rule("Mailgun key", "key-", _B + r"key-[0-9a-f]{32}" + _E, text=True),
    _rule("Twilio key", "SK", _B + r"SK[0-9a-f]{32}" + _E, text=True),
    _rule("Telegram bot token", ":AA", _B + r"\d{8,10}:AA[A-Za-z0-9_\-]{33}" + _E, text=True),
    _rule("npm token", "npm_", _B + r"npm_[A-Za-z0-9]{36}" + _E),
    _rule("PyPI token", "pypi-AgE", r"pypi-AgE[A-Za-z0-9_\-]{50,}"),
    _rule("Docker token", "dckr_pat_ dckr_oat_", r"dckr_[po]at_[A-Za-z0-9_\-]{20,}"),
    _rule("DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", r"do[por]_v1_[0-9a-f]{64}"),
    _rule("HashiCorp Vault token", "hvs. hvb.", _B + r"hv[sb]\.[A-Za-z0-9_\-]{24,}"),
    _rule("Terraform Cloud token", ".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_\-]{60,}"),
    _rule("Grafana token", "glsa_ glc_", _B + r"gl(?:sa|c)_[A-Za-z0-9_+/]{32,}={0,2}"),
    _rule("New Relic key", "NRAK-", r"NRAK-[A-Z0-9]{27}"),
    _rule("Shopify token", "shpat_ shpss_ shpca_", r"shp(?:at|ss|ca)_[0-9a-fA-F]{32}"),
    _rule("Linear API key", "lin_api_", r"lin_api_[A-Za-z0-9]{40}"),
    _rule("Artifactory token", "AKCp", _B + r"AKCp[A-Za-z0-9]{60,}"),
    _rule("Azure storage key", "AccountKey=", r"AccountKey=(?P<secret>[A-Za-z0-9+/]{86}==)"),
    _rule(
        "Azure shared access key", "SharedAccessKey=", r"SharedAccessKey=(?P<secret>[\w+/]{43}=)"
    ),
    _rule("Azure signed URL", "sig=", r"[?&]sig=(?P<secret>[A-Za-z0-9%+/]{40,}(?:%3D|=))"),
    _rule("signed AWS URL", "X-Amz-Signature=", r"X-Amz-Signature=(?P<secret>[0-9a-f]{64})"),
    _rule(
        "Jupyter server token", "token=", r"[?&]token=(?P<secret>[0-9a-f]{32,64})" + _E, text=True
    ),
    _rule(
        "JSON Web Token",
        "eyJ",
        _B + r"eyJ[A-Za-z0-9_\-]{15,}\.eyJ[A-Za-z0-9_\-]{15,}\.[A-Za-z0-9_\-]{20,}",
        text=True,
    ),
    _rule(
        "password in an address",
        "://",
        r"://[^\s/@:'\"<>{}$%]{1,64}:"
        r"(?P<secret>[^\s/@'\"<>{}$\[\]*]{3,128})@[A-Za-z0-9\[]",
        text=True,
    ),
    _rule(
        "password or key in the code",
        "passw secret api_key apikey api-key token",
        r"(?:passw(?:or)?d|secret(?:_?key)?|api[_-]?key|(?:access|auth|api|bearer)[_-]?token|"
        r"client[_-]?secret)" + _ASSIGN + r"(?P<secret>[^\s'\"\\]{8,200})\\?['\"]",
        text=True,
        fold=True,
    ),
)

_PLACEHOLDER = re.compile(
    rb"example|change.?me|your|placeholder|dummy|redacted|insert|replace|todo|password|passwd|"
    rb"secret|pytest|<|\{|\$|%\(|\*\*\*|xxx|\.\.\.|0000000|1234567",
    re.IGNORECASE,
)
"""Values that documentation and templates use."""
_PASSWORD, _GUESS = "password in an address", "password or key in the code"


@dataclass(frozen=True)
class Hit:
    line: int
    """From 1."""
    rule: str
    excerpt: str
    """The line around it, with the secret itself masked."""


def is_text(content: bytes) -> bool:
    """By the usual sign: no NUL in the first 8 KiB."""
    return b"\0" not in content[:8192]


def search(content: bytes, guess: bool = True) -> Iterator[Hit]:
    """Everything in a file, or a part of one, that looks like a secret; each place once.

    ``guess`` also looks for anything assigned to a name like ``password``: right for what a
    user wrote, far too noisy and slow for what is installed.
    """
    text = is_text(content)
    folded = content.lower() if text else content
    seen: list[tuple[int, int]] = []
    for rule in RULES:
        if (rule.text and not text) or (rule.name == _GUESS and not guess):
            continue
        where = folded if rule.fold else content
        if not any(literal in where for literal in rule.literals):
            continue
        for match in rule.pattern.finditer(where):
            group = "secret" if "secret" in rule.pattern.groupindex else 0
            start, end = match.span(group)
            if any(start < other_end and other < end for other, other_end in seen):
                continue
            if rule.name in (_PASSWORD, _GUESS) and _PLACEHOLDER.search(content, start, end):
                continue
            seen.append((start, end))
            line = content.count(b"\n", 0, match.start()) + 1
            yield Hit(line, rule.name, _excerpt(content, match.start(), start, end))


def _excerpt(content: bytes, first: int, start: int, end: int) -> str:
    """A short part of the line; of the secret (``start`` to ``end``), the first four at most."""
    begin = max(content.rfind(b"\n", 0, first) + 1, first - 40)
    stop = content.find(b"\n", end)
    stop = min(len(content) if stop < 0 else stop, end + 12)
    shown = min(4, (end - start) // 4)
    parts = (content[begin : start + shown], b"****", content[end:stop])
    text = b"".join(parts).decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text).strip()
