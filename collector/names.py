"""When two names mean one service: a README says "PostgreSQL Database", a compose file `postgres`.

A wrong match hides what drifted, a missed one only shows two lines, so words are dropped by lists and never by
likeness: `redis` is "Redis Cache", and never `redis-exporter`.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

REMEMBERED = 10_000  # names: a comparison meets each many times


def listed(words: str) -> frozenset[str]:
    """Return the words of a list that is written in one piece."""
    return frozenset(words.split())


# product -> what else it is called, in words without blanks
SYNONYMS = {
    alias: name
    for name, aliases in {
        "postgres": "postgresql pgsql psql pg postgressql",
        "mongo": "mongodb",
        "rabbitmq": "rabbit",
        "elasticsearch": "elastic",
        "mssql": "sqlserver mssqlserver",
        "zookeeper": "zk",
        "otelcollector": "opentelemetrycollector otelcol",
        "kubernetes": "k8s",
        "alertmanager": "prometheusalertmanager",
        "nodeexporter": "prometheusnodeexporter",
        "database": "db",
        "authentication": "auth authn",
        "gateway": "apigateway gw apigw",
        "management": "mgmt",
        "configuration": "config",
    }.items()
    for alias in [name, *aliases.split()]
}

PRODUCTS = listed("""
    airflow alertmanager alloy arangodb authentik caddy cadvisor cassandra celery chroma chromadb clickhouse
    cockroachdb consul couchdb debezium dragonfly elasticsearch envoy etcd eureka flink fluentbit fluentd gitea
    gitlab grafana graylog haproxy influxdb jaeger jenkins kafka keycloak keydb kibana kong localstack logstash loki
    mailcatcher mailhog mailpit mariadb meilisearch memcached milvus mimir minio mlflow mongo mosquitto mssql mysql
    n8n nacos nats neo4j nexus nginx nodeexporter ollama opensearch oracle otelcollector pgadmin pgbouncer
    phpmyadmin portainer postgres prefect prometheus promtail pulsar puppeteer qdrant questdb rabbitmq redis
    redisinsight redpanda scylla seq solr sonarqube spark superset tempo temporal timescaledb traefik typesense
    valkey vault vaultwarden victoriametrics weaviate zipkin zookeeper
""")

# said before a product, and not a part of its name
MAKERS = listed("apache bitnami confluent elastic grafana hashi hashicorp microsoft ms prom")

# what a product is, said behind its name
WHAT_IT_IS = listed("""
    aggregation aggregator ai alert alerting alerts analytics api apm authentication automation balancer bi broker
    browser bucket bus cache caching cluster collection configuration container coordination coordinator
    dashboard dashboards data database datastore discovery distributed embeddings engine event events
    file framework gateway graph iam identity image in inmemory instance key kv language llm load local log logger
    logging logs mail memory message messaging metric metrics ml model models monitor monitoring nosql object
    objects observability platform primary proxy pubsub queue queues relational reverse search secret secrets server
    service session sessions shipping smtp sql sso storage store stream streaming streams svc system task tcp
    time timeseries trace tracer traces tracing tracking value vector visualization web workflow
    workflows
""")

# said before a role: "React Frontend" is the frontend
TOOLKITS = listed("""
    angular asp aspnet django express expressjs fastapi flask gin go golang java js laravel nest nestjs net next
    nextjs node nodejs nuxt nuxtjs php python rails react reactjs rust spring springboot svelte sveltekit typescript
    vite vue vuejs
""")
ROLES = listed("api app backend database frontend gateway scheduler server ui web worker")

# behind a name they say only that it is one
ENDINGS = listed("container microservice ms server service services svc")

LONGEST = 200  # characters of a name that count
CLUSTER_NAME = re.compile(r"^([a-z0-9-]+)\.[a-z0-9-]+\.svc(\.[a-z0-9.-]*)?$")
ASIDE = re.compile(r"\([^()]*\)|\[[^][]*\]")
WORDS = re.compile(r"[^\W_]+")
INSTANCE = re.compile(r"[\s_-]#?\d{1,3}$")
HUMP = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")


def same(one: str, other: str, project: str = "") -> bool:
    """Say whether two names mean one service.

    >>> same("Celery Workers (2 instances)", "celery-worker"), same("redis", "redis-exporter")
    (True, False)
    """
    return key(one, project) == key(other, project)


def matches(name: str, among: Iterable[str], project: str = "") -> list[str]:
    """Return those of *among* that mean what *name* means; where some are spelled the same, only those.

    >>> matches("Redis", ["redis", "redis-cache"]), matches("Backend", ["backend-1", "backend-2", "frontend"])
    (['redis'], ['backend-1', 'backend-2'])
    """
    wanted = key(name, project)
    alike = [other for other in among if key(other, project) == wanted]
    spelled = plain(name)
    return [other for other in alike if plain(other) == spelled] or alike


@lru_cache(maxsize=REMEMBERED)
def plain(name: str) -> str:
    """Return *name* as it is spelled, without case, decoration and separators.

    >>> plain("**Redis Exporter**"), plain("redis_exporter")
    ('redisexporter', 'redisexporter')
    """
    return "".join(words_of(name)) or name[:LONGEST].strip().lower()


@lru_cache(maxsize=REMEMBERED)
def key(name: str, project: str = "") -> str:
    """Return what all names of one service have in common; *project* may stand before it, as Compose puts it.

    The number of an instance is left out: `backend-1` and `backend-2` are one service that runs twice.

    >>> key("PostgreSQL Database"), key("shop_auth-service_1", "shop"), key("Kong API Gateway")
    ('postgres', 'authentication', 'kong')
    """
    words = words_of(INSTANCE.sub("", trimmed(name, project)))
    return product_of(words) or role_of(words) or spelled(without_ending(words)) or plain(name)


def trimmed(name: str, project: str) -> str:
    """Take off what managers put around a name: `auth.shop.svc`, `auth.service`, `shop-auth-1`."""
    name = name.strip().strip("/")
    cluster = CLUSTER_NAME.match(name.lower())
    name = cluster[1] if cluster else name.removesuffix(".service")
    start = name[: len(project) + 1].lower()
    if project and start in (f"{project.lower()}_", f"{project.lower()}-"):
        rest = name[len(start) :]
        return rest if WORDS.search(rest) and not rest.isdigit() else name
    return name


def words_of(name: str) -> list[str]:
    """Return the words of *name* in lower case, without accents and asides in brackets.

    >>> words_of("API Gateway (nginx)"), words_of("PaymentService"), words_of("(legacy)")
    (['api', 'gateway'], ['payment', 'service'], ['legacy'])
    """
    name = name[:LONGEST].strip()
    bare = ASIDE.sub(" ", name)
    said = bare if WORDS.search(bare) else name
    said = HUMP.sub(" ", said) if " " not in said else said  # PaymentService, but not HashiCorp Vault
    folded = "".join(char for char in unicodedata.normalize("NFKD", said) if not unicodedata.combining(char))
    return [single(word) for word in WORDS.findall(folded.lower()) if word != "the"]


def single(word: str) -> str:
    """Return the singular of who does something: workers, exporters, processors."""
    return word[:-1] if len(word) > 4 and word.endswith(("ers", "ors")) else word


def spelled(words: Sequence[str]) -> str:
    """Put *words* together, each as it is mostly called."""
    whole = "".join(words)
    return SYNONYMS.get(whole) or "".join(SYNONYMS.get(word, word) for word in words)


def product_of(words: Sequence[str]) -> str:
    """Return the product that *words* begin with, when all that follows only says what it is; else nothing.

    An exporter is a product of its own, whatever it watches.
    """
    start = 1 if len(words) > 1 and words[0] in MAKERS and starts_product(words[1:]) else 0
    words = words[start:]
    if "exporter" in words:
        end = words.index("exporter") + 1
        return spelled(words[:end]) if all(map(tells_what, words[end:])) else ""
    size = starts_product(words)
    rest = words[size:]
    worker = words[:size] == ["celery"] and rest[:1] == ["worker"]
    return spelled(words[:size]) if size and all(map(tells_what, rest[worker:])) else ""


def starts_product(words: Sequence[str]) -> int:
    """Return how many of *words* name a product, at their beginning: the most that do; an exporter counts."""
    sizes = (size for size in (3, 2, 1) if len(words) >= size and spelled(words[:size]) in PRODUCTS)
    return next(sizes, 1 if "exporter" in words[:3] else 0)


def tells_what(word: str) -> bool:
    """Say whether *word* behind a product says only what it is, or which version."""
    return word in WHAT_IT_IS or SYNONYMS.get(word) in WHAT_IT_IS or word.isdigit()


def role_of(words: Sequence[str]) -> str:
    """Return the role that *words* name with a toolkit before it or "API" beside it; else nothing.

    >>> role_of(["react", "frontend"]), role_of(["backend", "api"]), role_of(["api", "gateway"]), role_of(["shop", "api"])
    ('frontend', 'backend', 'gateway', '')
    """
    words = list(without_ending(words))
    while len(words) > 1 and words[0] in TOOLKITS:
        words = words[1:]
    if len(words) == 2 and "api" in words:
        words = [word for word in words if word != "api"] or ["api"]
    whole = spelled(words)
    return whole if whole in ROLES else ""


def without_ending(words: Sequence[str]) -> Sequence[str]:
    """Leave out the last words that say only that it is a service."""
    end = len(words)
    while end > 1 and words[end - 1] in ENDINGS:
        end -= 1
    return words[:end]
