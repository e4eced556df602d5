"""What findings of each kind are called, where they are shown."""

# what stands above the findings of a kind, in this order; one that is not here stands between, as it is called
TITLES = {
    "file_broken": "Files that do not parse",
    "file_refused": "Files that their tool refuses",
    "dockerfile_missing": "Dockerfiles that are not there",
    "claimed_not_declared": "Claimed, but not declared",
    "declared_not_claimed": "Declared, but not claimed",
    "configured_not_declared": "Configured, but not declared",
    "declared_not_running": "Declared, but not running",
    "running_not_declared": "Running, but not declared",
    "declared_elsewhere": "Declared in one set of files, and not in the other",
    "declared_twice": "Declared twice",
    "count_mismatch": "Counts that do not fit the list",
    "port_wrong": "Ports that a document gives otherwise",
    "port_not_free": "Ports that are said to be free, and are not",
    "port_taken_twice": "Host ports that are taken twice",
    "port_taken_by_other": "Ports that something else has now",
    "never_starts": "Blocked behind what cannot become healthy",
    "dependency_unchecked": "Waiting for a health check that does not exist",
    "probe_not_served": "Health checks at a path that no route serves",
    "healthcheck_always_passes": "Health checks that cannot fail",
    "healthcheck_tool_missing": "Health checks whose tool is not installed",
    "gateway_fixed_health": "Health that a gateway answers itself",
    "entry_unknown": "Gateway entries without a service",
    "entry_port_wrong": "Gateway entries that lead to another port",
    "gateway_localhost": "Gateway entries that lead to the gateway itself",
    "service_not_listed": "Services that their gateway's list does not have",
    "scraped_unknown": "Scraped, but not declared",
    "url_unknown": "Hosts in code that nothing declares",
    "stack_name_differs": "Stacks with another name than their siblings",
    "network_nobody_creates": "External networks that nobody creates",
    "dockerfile_unused": "Dockerfiles that nothing runs",
    "healthcheck_missing": "Without a health check",
}


def title(kind: str) -> str:
    """Return what stands above the findings of a kind.

    >>> title("port_wrong"), title("odd_kind")
    ('Ports that a document gives otherwise', 'Odd kind')
    """
    return TITLES.get(kind, kind.replace("_", " ").capitalize())


def place(kind: str) -> tuple[int, str]:
    """Return where the findings of a kind stand among others; the last of those known are the most common."""
    kinds = list(TITLES)
    return kinds.index(kind if kind in TITLES else kinds[-2]), kind
