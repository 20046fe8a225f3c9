"""Who asks, and what the analyst may run.

Two walls. The engine's own roles, grants and setting constraints (clickhouse_config.py) decide on tables, table
functions and sources. What they leave open - metadata tables with other people's queries, functions that read files or
the network, statements that change the session - is judged here on the syntax tree that the engine's own parser
returns, never on the text of a query.
"""

from __future__ import annotations

import binascii
import hmac
import json
import re
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from pipeline.embedded.clickhouse_config import analyst_may_set, words
from pipeline.embedded.clickhouse_errors import (
    AUTHENTICATION_FAILED,
    NOT_IMPLEMENTED,
    REQUIRED_PASSWORD,
    SYNTAX_ERROR,
    ClickHouseError,
    access_denied,
)
from pipeline.embedded.clickhouse_session import DATABASE, Session, quote

WRITER, ANALYST = "writer", "analyst"

# Metadata that tools read. The engine shows an analyst only the rows about what he may select from.
SYSTEM_TABLES = words(
    """
    one numbers numbers_mt zeros zeros_mt tables columns databases settings functions formats data_type_families
    table_functions table_engines database_engines aggregate_function_combinators keywords completions collations
    time_zones dictionaries data_skipping_indices projections constraints
    """
)
_METADATA_DATABASES = ("system", "information_schema")

# Table functions that compute and read nothing.
TABLE_FUNCTIONS = words(
    """
    numbers numbers_mt zeros zeros_mt generate_series generateseries values
    """
)
# Ordinary functions that share their name with a table function which the engine refuses anyway.
_ORDINARY = frozenset(("format",))
# Functions that read files, ask the network, run models, look into the server or into tables by a name in a string.
_DENIED = words(
    """
    file reversednsquery catboostevaluate joinget joingetornull hascolumnintable showcertificate getclienthttpheader
    currentrequesturl getmacro getserversetting getserverport tcpport filesystemavailable filesystemcapacity
    filesystemunreserved generateserialid evalmlmethod modelevaluate sleep sleepeachrow buildid serveruuid
    zookeepersessionuptime __getscalar __actionname eval globalvariable
    """
)
_DENIED_CATEGORIES = ("AI", "Dictionary", "Embedded Dictionary", "Introspection", "Machine Learning")

# Statements of an analyst by the root of their syntax tree: of parseQueryToJSON, and of EXPLAIN AST for those that the
# former does not know.
_SELECTS = frozenset(("SelectWithUnionQuery", "SelectQuery", "SelectIntersectExceptQuery"))
_QUERIES = _SELECTS | {"ExplainQuery", "ShowTablesQuery", "ShowColumnsQuery", "ShowFunctionsQuery", "ShowIndexesQuery"}
_STATEMENTS = words(
    """
    Explain DescribeQuery ShowTables ShowColumns ShowFunctions ShowIndexes ShowCreateTableQuery ShowCreateViewQuery
    ShowCreateDatabaseQuery ExistsTableQuery ExistsViewQuery ExistsDatabaseQuery ShowEngineQuery
    """
)
# Session statements would be forgotten with the request's handle, and the rest is none of a database user's business.
_REFUSED_TO_ALL = {
    "Set": "SET has no effect beyond one request; give settings as URL parameters or in SETTINGS",
    "SetQuery": "SET has no effect beyond one request; give settings as URL parameters or in SETTINGS",
    "UseQuery": "USE has no effect beyond one request; give the database as a parameter",
    "SetRoleQuery": "roles follow from the user name",
    "ExecuteAsQuery": "roles follow from the user name",
    "TransactionControl": "there are no transactions",
    "CreateQuery": "temporary tables would be forgotten with the request",
}
_NODE = re.compile(r"^\s*(\S+)(?: (.*?))?(?: \(alias .*\))?(?: \(children \d+\))?$")


@dataclass(frozen=True, slots=True)
class Passwords:
    """The two users' passwords; "" for the analyst means that none is asked for."""

    writer: str
    analyst: str


def authenticate(headers: Mapping[str, str], params: Mapping[str, str], passwords: Passwords) -> str:
    """The user of a request: X-ClickHouse-User/-Key, else basic authentication, else parameters; no name: analyst.

    `headers` by name in lower case. Raises `ClickHouseError` (516 or 194) for a name or a password that is wrong,
    without saying which.
    """
    authorization = headers.get("authorization") or ""
    if (name := headers.get("x-clickhouse-user")) is not None:
        password = headers.get("x-clickhouse-key") or ""
    elif authorization:
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() != "basic":
            raise _not_authenticated("only a user name and a password are accepted")
        try:
            name, _, password = b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise _not_authenticated("the Authorization header is not valid") from None
    else:
        name, password = params.get("user", ""), params.get("password", "")
    user = ANALYST if name in ("", "default", ANALYST) else name
    expected = passwords.analyst if user == ANALYST else passwords.writer if user == WRITER else None
    if user == ANALYST and not expected:
        return user
    if not password:
        raise ClickHouseError(REQUIRED_PASSWORD, "REQUIRED_PASSWORD", f"user {name[:60] or ANALYST!r} needs a password")
    if expected is None or not hmac.compare_digest(password.encode(), expected.encode()):
        raise _not_authenticated(f"{name[:60]}: password is incorrect, or there is no user with such name")
    return user


def _not_authenticated(message: str) -> ClickHouseError:
    return ClickHouseError(AUTHENTICATION_FAILED, "AUTHENTICATION_FAILED", f"Authentication failed: {message}")


class Judge:
    """Decides whether a statement may run, by the engine's own parser; allowed texts are remembered."""

    def __init__(self, session: Session, limits: Mapping[str, str]) -> None:
        """Ask this engine for the functions it has, so that those a later version adds are closed by default."""
        categories = ", ".join(quote(category) for category in _DENIED_CATEGORIES)
        tables = session.execute("SELECT lower(name) FROM system.table_functions").decode().split()
        closed = session.execute(
            f"SELECT lower(name) FROM system.functions WHERE trim(categories) IN ({categories}) OR alias_to IN "
            f"(SELECT name FROM system.functions WHERE trim(categories) IN ({categories}))"
        )
        self._denied = (frozenset(tables) - TABLE_FUNCTIONS - _ORDINARY) | _DENIED | set(closed.decode().split())
        self._scalar_denied = _DENIED | set(closed.decode().split())
        self._limits = dict(limits)
        self._allowed: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = Lock()

    def check_settings(self, settings: Mapping[str, str]) -> None:
        """Refuse an analyst's settings that are constant for him or beyond his limits."""
        for name, value in settings.items():
            self._check_setting(name, value)

    def check(self, session: Session, user: str, sql: str, database: str, params: Mapping[str, str]) -> str:
        """Raise `ClickHouseError` when `user` may not run `sql`; return its class (READ_ONLY, MUTATING, ...)."""
        statement, count = session.classify(sql)
        if count > 1:
            raise ClickHouseError(
                SYNTAX_ERROR, "SYNTAX_ERROR", "Multi-statements are not allowed; send one statement a request"
            )
        if user == WRITER:
            if statement == "CONTROL":
                _refuse_session_statement(session, sql)
            return statement
        if statement not in ("READ_ONLY", "UNKNOWN"):
            raise access_denied(f"{ANALYST}: only SELECT, SHOW, DESCRIBE, EXISTS and EXPLAIN are allowed")
        key = (sql, database)
        with self._lock:
            if not params and key in self._allowed:
                self._allowed.move_to_end(key)
                return statement
        self._check_tree(session, sql, database, params)
        if len(sql) < 65536 and not params:
            with self._lock:
                self._allowed[key] = None
                while len(self._allowed) > 512:
                    self._allowed.popitem(last=False)
        return statement

    def _check_tree(self, session: Session, sql: str, database: str, params: Mapping[str, str]) -> None:
        try:
            text = session.execute(f"SELECT parseQueryToJSON({quote(sql)})", "TabSeparatedRaw")
        except ClickHouseError as error:
            if "does not support JSON serialization" not in error.message:
                # A syntax error reads better for the statement itself.
                session.execute(f"EXPLAIN AST {sql}")
                raise
            self._check_lines(session.execute(f"EXPLAIN AST {sql}", "TabSeparatedRaw").decode(), database)
            return
        try:
            tree = json.loads(text)
        except RecursionError:
            raise ClickHouseError(167, "TOO_DEEP_AST", "the query is nested too deeply") from None
        if tree["type"] not in _QUERIES or (tree["type"] == "ExplainQuery" and _explained(tree) not in _SELECTS):
            raise access_denied(f"{ANALYST}: only SELECT, SHOW, DESCRIBE, EXISTS and EXPLAIN are allowed")
        for node in _nodes(tree):
            self._check_node(node, database, params)

    def _check_node(self, node: dict[str, Any], database: str, params: Mapping[str, str]) -> None:
        kind = str(node.get("type", ""))
        if node.get("out_file") is not None:
            raise access_denied(f"{ANALYST}: INTO OUTFILE is not allowed")
        if kind == "Function":
            self._check_function(str(node.get("name", "")))
        elif kind in ("Identifier", "TableIdentifier"):
            self._check_name(_full_name(node, params), kind == "TableIdentifier", database)
        elif kind == "SetQuery":
            for change in node.get("changes") or ():
                value = change.get("value")
                self._check_setting(
                    str(change.get("name")), str(value.get("value") if isinstance(value, dict) else value)
                )
            if set(node) - {"type", "changes", "is_standalone"}:
                raise access_denied(f"{ANALYST}: this form of SETTINGS is not allowed")
        elif "func_name" in node:
            self._check_function(str(node["func_name"]))

    def _check_lines(self, tree: str, database: str) -> None:
        """The same for statements that EXPLAIN AST alone can show; what it hides (SETTINGS, APPLY) is refused."""
        for number, line in enumerate(tree.splitlines()):
            found = _NODE.match(line)
            kind, name = (found.group(1), found.group(2) or "") if found else ("", "")
            if number == 0:
                if kind not in _STATEMENTS:
                    raise access_denied(f"{ANALYST}: only SELECT, SHOW, DESCRIBE, EXISTS and EXPLAIN are allowed")
            elif kind == "Function":
                self._check_function(name)
            elif kind in ("Identifier", "TableIdentifier"):
                self._check_name(name, kind == "TableIdentifier", database)
            elif kind in ("Set", "ColumnsApplyTransformer"):
                raise access_denied(f"{ANALYST}: SETTINGS and APPLY are allowed in SELECT only")

    def _check_function(self, name: str) -> None:
        if name.lower() in self._denied:
            raise access_denied(f"{ANALYST}: function {name[:60]} is not allowed")

    def _check_name(self, name: str, is_table: bool, database: str) -> None:
        """A name that a function may be passed by, or a metadata table."""
        parts = name.lower().split(".")
        if name.lower() in self._scalar_denied:
            raise access_denied(f"{ANALYST}: function {name[:60]} is not allowed")
        if is_table and len(parts) == 1 and database.lower() in _METADATA_DATABASES:
            parts = [database.lower(), *parts]
        if len(parts) > 1 and parts[0] == "system" and parts[1] not in SYSTEM_TABLES:
            raise access_denied(f"{ANALYST}: table {name[:60]} is not allowed")

    def _check_setting(self, name: str, value: str) -> None:
        if name in self._limits:
            limit = int(self._limits[name])
            if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= limit:
                raise ClickHouseError(
                    452, "SETTING_CONSTRAINT_VIOLATION", f"Setting {name} must be 1 to {limit} for user {ANALYST}"
                )
        elif not analyst_may_set(name):
            raise ClickHouseError(
                452, "SETTING_CONSTRAINT_VIOLATION", f"Setting {name[:60]} should not be changed by user {ANALYST}"
            )


def _explained(tree: dict[str, Any]) -> str:
    query = tree.get("query")
    return str(query.get("type")) if isinstance(query, dict) else ""


def _full_name(node: dict[str, Any], params: Mapping[str, str]) -> str:
    """A name with its `{parameter:Identifier}` filled in."""
    parts = [str(part) for part in node.get("name_parts") or (node.get("name", ""),)]
    for child in node.get("children") or ():
        if child.get("type") == "QueryParameter" and "" in parts:
            value = params.get(str(child.get("name")), "")
            if not re.fullmatch(r"\w{1,200}", value):
                raise access_denied(f"{ANALYST}: a parameter of type Identifier must be one plain name")
            parts[parts.index("")] = value
    return ".".join(parts)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of a syntax tree."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def _refuse_session_statement(session: Session, sql: str) -> None:
    root = session.execute(f"EXPLAIN AST {sql}", "TabSeparatedRaw").decode().partition("\n")[0].split(" ")[0]
    if root in _REFUSED_TO_ALL:
        raise ClickHouseError(
            NOT_IMPLEMENTED, "NOT_IMPLEMENTED", f"Not offered by the embedded engine: {_REFUSED_TO_ALL[root]}"
        )
    if root in _SELECTS or root == "InsertQuery":
        raise access_denied(
            "INTO OUTFILE and FROM INFILE would read or write files of the server; use the request's body"
        )


def default_database(user: str, session_database: str) -> str:
    """The current database of a request."""
    if session_database and session_database not in ("default", "__default__"):
        return session_database
    return DATABASE if user == ANALYST or not session_database else session_database
