"""The engine's configuration files: memory caps, small caches and pools, and the two roles with what they may do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

MIB = 1 << 20


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


# The names that analysts use, all in database `yangguang`.
PUBLIC_NAMES = (
    "rates_now",
    "rates_history",
    "rate_between",
    "why",
    "operators",
    "villages",
    "measures",
    "kitchens",
    "cameras",
    "findings",
    "banquets",
    "orders",
    "order_conflicts",
    "events",
    "rejected",
    "rejected_summary",
    "acknowledgements",
    "alerts",
    "alert_transitions",
    "alert_deliveries",
    "indicators",
    "towns",
)

# Everything a database's owner does, and nothing that reaches out of it: without the privilege on SOURCES the engine
# refuses file(), url(), s3(), remote() and the like, and tables of the engines Kafka, S3, URL, File, MySQL. (A Kafka
# table would even make the data directory unopenable.)
_WRITER_GRANTS = (
    "GRANT SHOW, SELECT, INSERT, ALTER, CREATE, DROP, UNDROP TABLE, TRUNCATE, OPTIMIZE, CHECK, KILL QUERY, dictGet"
    " ON *.*",
    "GRANT SYSTEM MERGES, SYSTEM TTL MERGES, SYSTEM MOVES, SYSTEM CLEANUP, SYSTEM VIEWS, SYSTEM FLUSH, SYSTEM JEMALLOC,"
    " SYSTEM DROP CACHE ON *.*",
    "GRANT SET DEFINER ON *",
)
_ANALYST_GRANTS = tuple(f"GRANT SELECT ON yangguang.{name}" for name in PUBLIC_NAMES)

# Settings of the two users. Views run with the rights of their definer unless they say otherwise, so that an analyst
# reads through a view what he may not read himself.
_COMMON = {
    "allow_introspection_functions": "0",
    "implicit_select": "0",
    "default_normal_view_sql_security": "DEFINER",
    "storage_file_read_method": "pread",
    # Of two queries that run, the one with the greater number pauses: analysts wait for the writer's inserts, but not
    # for ever for his long queries. With 4 long queries of analysts on 2 cores an insert took 75-120 ms instead of 280.
    "priority": "1",
    "low_priority_query_wait_time_ms": "200",
}
ANALYST_PRIORITY = "2"

# What an analyst may set in a query or a request; every other setting is constant for him. Names, and stems of names.
_ANALYST_SETTINGS = words(
    """
    aggregate_functions_null_for_empty async_insert cancel_http_readonly_queries_on_client_close cast_keep_nullable
    cast_string_to_dynamic_use_inference date_time_input_format date_time_output_format date_time_overflow_behavior
    distinct_overflow_mode empty_result_for_aggregation_by_empty_set enable_http_compression
    enable_named_columns_in_function_tuple extremes final format_regexp_escaping_rule group_by_overflow_mode
    group_by_use_nulls http_headers_progress_interval_ms http_zlib_compression_level join_default_strictness
    join_use_nulls limit max_bytes_to_read max_columns_to_read max_result_bytes max_result_rows max_rows_to_group_by
    max_rows_to_read max_rows_to_sort offset prefer_column_name_to_alias read_overflow_mode
    result_overflow_mode send_progress_in_http_headers session_timezone sort_overflow_mode timeout_overflow_mode
    transform_null_in union_default_mode wait_end_of_query compile_expressions
    optimize_read_in_order short_circuit_function_evaluation use_client_time_zone use_uncompressed_cache
    """
)
_ANALYST_SETTING_STEMS = ("output_format_", "format_csv_", "format_tsv_", "format_custom_", "format_pretty_")

_ENGINE_XML = """<clickhouse>
  <users_config>{users}</users_config>
  <timezone>UTC</timezone>
  <merge_tree><fsync_after_insert>1</fsync_after_insert><fsync_part_directory>1</fsync_part_directory></merge_tree>
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <mark_cache_size>{cache}</mark_cache_size>
  <index_mark_cache_size>{cache}</index_mark_cache_size>
  <primary_index_cache_size>{cache}</primary_index_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <ignore_empty_sql_security_in_create_view_query>0</ignore_empty_sql_security_in_create_view_query>
  <mmap_cache_size>64</mmap_cache_size>
  <compiled_expression_cache_size>{small}</compiled_expression_cache_size>
  <query_condition_cache_size>{small}</query_condition_cache_size>
  <asynchronous_metrics_update_period_s>60</asynchronous_metrics_update_period_s>
  <background_pool_size>2</background_pool_size>
  <background_schedule_pool_size>4</background_schedule_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <background_move_pool_size>1</background_move_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_buffer_flush_schedule_pool_size>1</background_buffer_flush_schedule_pool_size>
  <background_message_broker_schedule_pool_size>1</background_message_broker_schedule_pool_size>
  <background_distributed_schedule_pool_size>1</background_distributed_schedule_pool_size>
</clickhouse>
"""

_USERS_XML = """<clickhouse>
  <profiles>
    <default>{common}</default>
    <analyst>{common}<constraints>{constraints}</constraints></analyst>
  </profiles>
  <quotas><default/></quotas>
  <roles>
    <writer><grants>{writer}</grants></writer>
    <analyst><grants>{analyst}</grants></analyst>
  </roles>
  <users>
    <default>
      <password></password>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants><query>GRANT writer</query><query>GRANT analyst</query></grants>
    </default>
  </users>
</clickhouse>
"""


def _tags(values: dict[str, str]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())


def _queries(grants: tuple[str, ...]) -> str:
    return "".join(f"<query>{escape(grant)}</query>" for grant in grants)


def analyst_limits(memory_bytes: int, processors: int) -> dict[str, str]:
    """What an analyst's query may use: a quarter of the engine's memory, all processors but one, five minutes."""
    return {
        "max_memory_usage": str(memory_bytes // 4),
        "max_threads": str(max(1, processors - 1)),
        "max_execution_time": "300",
        "max_block_size": "65409",
    }


def _constraints(setting_names: Iterable[str], limits: dict[str, str]) -> str:
    """Upper bounds for the limits (0 would mean none, so it is excluded); all but the listed settings are constant."""
    bounded = "".join(f"<{name}><min>1</min><max>{value}</max></{name}>" for name, value in limits.items())
    constant = "".join(
        f"<{name}><readonly/></{name}>" for name in setting_names if name not in limits and not analyst_may_set(name)
    )
    return bounded + constant


def write_config(data: Path, memory_bytes: int, processors: int, setting_names: Iterable[str]) -> Path:
    """Write the engine's two files into `data` and return the first.

    `memory_bytes` caps the whole engine; `setting_names` are all settings that this engine knows.
    """
    users = data / "users.xml"
    users.write_text(
        _USERS_XML.format(
            common=_tags(_COMMON),
            constraints=_constraints(setting_names, analyst_limits(memory_bytes, processors)),
            writer=_queries(_WRITER_GRANTS),
            analyst=_queries(_ANALYST_GRANTS),
        )
    )
    engine = data / "engine.xml"
    engine.write_text(
        _ENGINE_XML.format(users=escape(str(users)), memory=memory_bytes, cache=256 * MIB, small=16 * MIB)
    )
    return engine


def analyst_may_set(name: str) -> bool:
    """Whether an analyst may give this setting any value."""
    return name in _ANALYST_SETTINGS or name.startswith(_ANALYST_SETTING_STEMS)
