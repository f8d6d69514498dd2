"""Questions that are made up mostly contradict themselves: one that begins after its end, or lies ahead, asks nothing. Most of them are
put right here, so that store and log get to see them."""

import zlib
from datetime import datetime, timedelta, timezone

import schemathesis


def moment(value):
    """The time that a parameter names, if it names one."""
    try:
        parsed = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)


def number(value):
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def in_order(query, least, most, read):
    """Swaps two parameters if they are the wrong way round."""
    low, high = read(query.get(least)), read(query.get(most))
    if low is not None and high is not None and low > high:
        query[least], query[most] = query[most], query[least]


@schemathesis.hook
def map_query(context, query):
    if not query or zlib.crc32(str(query).encode("utf-8", "surrogatepass")) % 4 == 0:
        return query
    query = dict(query)
    in_order(query, "from", "to", moment)
    in_order(query, "min_latency_ms", "max_latency_ms", number)
    as_of = moment(query.get("as_of"))
    now = datetime.now(timezone.utc)
    if as_of is not None and as_of > now:
        query["as_of"] = (now - timedelta(seconds=as_of.microsecond % 600)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return query
