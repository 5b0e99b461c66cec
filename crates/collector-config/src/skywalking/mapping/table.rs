//! Every setting of Apache `SkyWalking` that concerns access logs, with what becomes of it here. The keys, variables and
//! defaults are those of its `application.yml`.

use alscope_naming::kubernetes_name::BLANK_K8S_SERVICE_NAME_RULE;

use super::{Carried, Listener, Meaning};

const fn carried(
    key: &'static str,
    variable: &'static str,
    shipped: &'static str,
    meaning: Meaning,
) -> Carried {
    Carried {
        key,
        variable,
        shipped,
        meaning,
        listener: None,
    }
}

const fn of(listener: Listener, carried: Carried) -> Carried {
    Carried {
        listener: Some(listener),
        ..carried
    }
}

const NO_TLS: Meaning = Meaning::Only(
    "false",
    "TLS is not in this version; set it to false and let proxies connect in plain text",
);
const NO_TLS_FILES: Meaning = Meaning::Ignored("TLS is not in this version");
const NO_POOL: Meaning =
    Meaning::Ignored("it counts Java threads; `workers` counts threads that each take a whole core");
const OF_ALL_RECEIVERS: Meaning =
    Meaning::Ignored("it bounds all that agents send; `limits` bounds access logs alone");
const CUT_BY_SKYWALKING: Meaning = Meaning::Ignored("SkyWalking's back end cuts names itself");

/// Every setting of `SkyWalking` that concerns access logs.
pub const CARRIED: [Carried; 39] = [
    carried(
        "envoy-metric.selector",
        "SW_ENVOY_METRIC",
        "default",
        Meaning::Only(
            "default",
            "there is no other provider; set it to default, or run no collector to receive nothing",
        ),
    ),
    carried(
        "envoy-metric.default.acceptMetricsService",
        "SW_ENVOY_METRIC_SERVICE",
        "true",
        Meaning::Sets("acceptMetricsService"),
    ),
    carried(
        "envoy-metric.default.enabledEnvoyMetricsRules",
        "SW_ENVOY_METRIC_ENABLED_RULES",
        "envoy,envoy-svc-relation",
        Meaning::Ignored("there are no MAL rules here"),
    ),
    carried(
        "envoy-metric.default.alsHTTPAnalysis",
        "SW_ENVOY_METRIC_ALS_HTTP_ANALYSIS",
        "",
        Meaning::Sets("analysis.http"),
    ),
    carried(
        "envoy-metric.default.alsTCPAnalysis",
        "SW_ENVOY_METRIC_ALS_TCP_ANALYSIS",
        "",
        Meaning::Sets("analysis.tcp"),
    ),
    carried(
        "envoy-metric.default.k8sServiceNameRule",
        "K8S_SERVICE_NAME_RULE",
        "${pod.metadata.labels.(service.istio.io/canonical-name)}.${pod.metadata.namespace}",
        Meaning::Names(
            "analysis.naming.k8sServiceNameRule",
            Some(BLANK_K8S_SERVICE_NAME_RULE),
        ),
    ),
    carried(
        "envoy-metric.default.istioServiceNameRule",
        "ISTIO_SERVICE_NAME_RULE",
        "${serviceEntry.metadata.name}.${serviceEntry.metadata.namespace}",
        Meaning::Names("analysis.naming.istioServiceNameRule", None),
    ),
    carried(
        "envoy-metric.default.istioServiceEntryIgnoredNamespaces",
        "SW_ISTIO_SERVICE_ENTRY_IGNORED_NAMESPACES",
        "",
        Meaning::Sets("analysis.naming.istioServiceEntryIgnoredNamespaces"),
    ),
    of(
        Listener::AccessLogs,
        carried(
            "envoy-metric.default.gRPCHost",
            "SW_ALS_GRPC_HOST",
            "0.0.0.0",
            Meaning::Host,
        ),
    ),
    of(
        Listener::AccessLogs,
        carried(
            "envoy-metric.default.gRPCPort",
            "SW_ALS_GRPC_PORT",
            "0",
            Meaning::Port,
        ),
    ),
    of(
        Listener::AccessLogs,
        carried(
            "envoy-metric.default.maxConcurrentCallsPerConnection",
            "SW_ALS_GRPC_MAX_CONCURRENT_CALL",
            "0",
            Meaning::SetsUnlessZero("limits.streamsPerConnection"),
        ),
    ),
    of(
        Listener::AccessLogs,
        carried(
            "envoy-metric.default.maxMessageSize",
            "SW_ALS_GRPC_MAX_MESSAGE_SIZE",
            "0",
            Meaning::SetsUnlessZero("limits.messageBytes"),
        ),
    ),
    carried(
        "envoy-metric.default.gRPCThreadPoolSize",
        "SW_ALS_GRPC_THREAD_POOL_SIZE",
        "0",
        NO_POOL,
    ),
    of(
        Listener::AccessLogs,
        carried(
            "envoy-metric.default.gRPCSslEnabled",
            "SW_ALS_GRPC_SSL_ENABLED",
            "false",
            NO_TLS,
        ),
    ),
    carried(
        "envoy-metric.default.gRPCSslKeyPath",
        "SW_ALS_GRPC_SSL_KEY_PATH",
        "",
        NO_TLS_FILES,
    ),
    carried(
        "envoy-metric.default.gRPCSslCertChainPath",
        "SW_ALS_GRPC_SSL_CERT_CHAIN_PATH",
        "",
        NO_TLS_FILES,
    ),
    carried(
        "envoy-metric.default.gRPCSslTrustedCAsPath",
        "SW_ALS_GRPC_SSL_TRUSTED_CAS_PATH",
        "",
        NO_TLS_FILES,
    ),
    of(
        Listener::Shared,
        carried(
            "receiver-sharing-server.default.gRPCHost",
            "SW_RECEIVER_GRPC_HOST",
            "0.0.0.0",
            Meaning::Host,
        ),
    ),
    of(
        Listener::Shared,
        carried(
            "receiver-sharing-server.default.gRPCPort",
            "SW_RECEIVER_GRPC_PORT",
            "0",
            Meaning::Port,
        ),
    ),
    carried(
        "receiver-sharing-server.default.maxConcurrentCallsPerConnection",
        "SW_RECEIVER_GRPC_MAX_CONCURRENT_CALL",
        "0",
        OF_ALL_RECEIVERS,
    ),
    carried(
        "receiver-sharing-server.default.maxMessageSize",
        "SW_RECEIVER_GRPC_MAX_MESSAGE_SIZE",
        "52428800",
        OF_ALL_RECEIVERS,
    ),
    carried(
        "receiver-sharing-server.default.gRPCThreadPoolSize",
        "SW_RECEIVER_GRPC_THREAD_POOL_SIZE",
        "0",
        NO_POOL,
    ),
    of(
        Listener::Shared,
        carried(
            "receiver-sharing-server.default.gRPCSslEnabled",
            "SW_RECEIVER_GRPC_SSL_ENABLED",
            "false",
            NO_TLS,
        ),
    ),
    carried(
        "receiver-sharing-server.default.gRPCSslKeyPath",
        "SW_RECEIVER_GRPC_SSL_KEY_PATH",
        "",
        NO_TLS_FILES,
    ),
    carried(
        "receiver-sharing-server.default.gRPCSslCertChainPath",
        "SW_RECEIVER_GRPC_SSL_CERT_CHAIN_PATH",
        "",
        NO_TLS_FILES,
    ),
    carried(
        "receiver-sharing-server.default.gRPCSslTrustedCAsPath",
        "SW_RECEIVER_GRPC_SSL_TRUSTED_CAS_PATH",
        "",
        NO_TLS_FILES,
    ),
    carried(
        "receiver-sharing-server.default.authentication",
        "SW_AUTHENTICATION",
        "",
        Meaning::Only(
            "",
            "authentication is not in this version; bound who can reach the port, by a NetworkPolicy",
        ),
    ),
    of(
        Listener::Core,
        carried(
            "core.default.gRPCHost",
            "SW_CORE_GRPC_HOST",
            "0.0.0.0",
            Meaning::Host,
        ),
    ),
    of(
        Listener::Core,
        carried(
            "core.default.gRPCPort",
            "SW_CORE_GRPC_PORT",
            "11800",
            Meaning::Port,
        ),
    ),
    carried(
        "core.default.maxConcurrentCallsPerConnection",
        "SW_CORE_GRPC_MAX_CONCURRENT_CALL",
        "0",
        OF_ALL_RECEIVERS,
    ),
    carried(
        "core.default.maxMessageSize",
        "SW_CORE_GRPC_MAX_MESSAGE_SIZE",
        "52428800",
        OF_ALL_RECEIVERS,
    ),
    of(
        Listener::Core,
        carried(
            "core.default.gRPCSslEnabled",
            "SW_CORE_GRPC_SSL_ENABLED",
            "false",
            NO_TLS,
        ),
    ),
    carried(
        "core.default.serviceNameMaxLength",
        "SW_SERVICE_NAME_MAX_LENGTH",
        "70",
        CUT_BY_SKYWALKING,
    ),
    carried(
        "core.default.instanceNameMaxLength",
        "SW_INSTANCE_NAME_MAX_LENGTH",
        "70",
        CUT_BY_SKYWALKING,
    ),
    carried(
        "core.default.endpointNameMaxLength",
        "SW_ENDPOINT_NAME_MAX_LENGTH",
        "150",
        CUT_BY_SKYWALKING,
    ),
    carried(
        "core.default.maxHttpUrisNumberPerService",
        "SW_CORE_MAX_HTTP_URIS_NUMBER_PER_SVR",
        "3000",
        Meaning::Ignored(
            "it bounds what SkyWalking's back end tells apart; `analysis.endpoints.perService` bounds it here",
        ),
    ),
    carried(
        "core.default.searchableLogsTags",
        "SW_SEARCHABLE_LOGS_TAG_KEYS",
        "level,http.status_code,ai_route_type",
        Meaning::Ignored("it is a setting of SkyWalking's storage"),
    ),
    carried(
        "log-analyzer.default.lalFiles",
        "SW_LOG_LAL_FILES",
        "envoy-als,…",
        Meaning::Ignored("there are no LAL rules here; `analysis.persistence` says which entries are kept"),
    ),
    carried(
        "service-mesh.selector",
        "SW_SERVICE_MESH",
        "default",
        Meaning::Ignored("no other module is needed here"),
    ),
];
