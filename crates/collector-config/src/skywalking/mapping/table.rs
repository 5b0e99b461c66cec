//! Every setting of Apache `SkyWalking` that concerns access logs, with its effect here. The keys,
//! variables and defaults are those of `SkyWalking`'s `application.yml`.

use alscope_naming::kubernetes_name::BLANK_K8S_SERVICE_NAME_RULE;

use super::{Listener, Mapping, Meaning};

const fn mapping(
    key: &'static str,
    variable: &'static str,
    shipped: &'static str,
    meaning: Meaning,
) -> Mapping {
    Mapping {
        key,
        variable,
        shipped,
        meaning,
        listener: None,
    }
}

const fn of(listener: Listener, mapping: Mapping) -> Mapping {
    Mapping {
        listener: Some(listener),
        ..mapping
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
    Meaning::Ignored("it limits everything that agents send; `limits` here limits access logs alone");
const CUT_BY_SKYWALKING: Meaning = Meaning::Ignored("SkyWalking's back end cuts names itself");

/// Every setting of `SkyWalking` that concerns access logs, in the order of its `application.yml`.
pub const MAPPINGS: [Mapping; 39] = [
    mapping(
        "envoy-metric.selector",
        "SW_ENVOY_METRIC",
        "default",
        Meaning::Only(
            "default",
            "there is no other provider; set it to default, or run no collector to receive nothing",
        ),
    ),
    mapping(
        "envoy-metric.default.acceptMetricsService",
        "SW_ENVOY_METRIC_SERVICE",
        "true",
        Meaning::Sets("acceptMetricsService"),
    ),
    mapping(
        "envoy-metric.default.enabledEnvoyMetricsRules",
        "SW_ENVOY_METRIC_ENABLED_RULES",
        "envoy,envoy-svc-relation",
        Meaning::Ignored("there are no MAL rules here"),
    ),
    mapping(
        "envoy-metric.default.alsHTTPAnalysis",
        "SW_ENVOY_METRIC_ALS_HTTP_ANALYSIS",
        "",
        Meaning::Sets("analysis.http"),
    ),
    mapping(
        "envoy-metric.default.alsTCPAnalysis",
        "SW_ENVOY_METRIC_ALS_TCP_ANALYSIS",
        "",
        Meaning::Sets("analysis.tcp"),
    ),
    mapping(
        "envoy-metric.default.k8sServiceNameRule",
        "K8S_SERVICE_NAME_RULE",
        "${pod.metadata.labels.(service.istio.io/canonical-name)}.${pod.metadata.namespace}",
        Meaning::Names(
            "analysis.naming.k8sServiceNameRule",
            Some(BLANK_K8S_SERVICE_NAME_RULE),
        ),
    ),
    mapping(
        "envoy-metric.default.istioServiceNameRule",
        "ISTIO_SERVICE_NAME_RULE",
        "${serviceEntry.metadata.name}.${serviceEntry.metadata.namespace}",
        Meaning::Names("analysis.naming.istioServiceNameRule", None),
    ),
    mapping(
        "envoy-metric.default.istioServiceEntryIgnoredNamespaces",
        "SW_ISTIO_SERVICE_ENTRY_IGNORED_NAMESPACES",
        "",
        Meaning::Sets("analysis.naming.istioServiceEntryIgnoredNamespaces"),
    ),
    of(
        Listener::AccessLogs,
        mapping(
            "envoy-metric.default.gRPCHost",
            "SW_ALS_GRPC_HOST",
            "0.0.0.0",
            Meaning::Host,
        ),
    ),
    of(
        Listener::AccessLogs,
        mapping(
            "envoy-metric.default.gRPCPort",
            "SW_ALS_GRPC_PORT",
            "0",
            Meaning::Port,
        ),
    ),
    of(
        Listener::AccessLogs,
        mapping(
            "envoy-metric.default.maxConcurrentCallsPerConnection",
            "SW_ALS_GRPC_MAX_CONCURRENT_CALL",
            "0",
            Meaning::SetsUnlessZero("limits.streamsPerConnection"),
        ),
    ),
    of(
        Listener::AccessLogs,
        mapping(
            "envoy-metric.default.maxMessageSize",
            "SW_ALS_GRPC_MAX_MESSAGE_SIZE",
            "0",
            Meaning::SetsUnlessZero("limits.messageBytes"),
        ),
    ),
    mapping(
        "envoy-metric.default.gRPCThreadPoolSize",
        "SW_ALS_GRPC_THREAD_POOL_SIZE",
        "0",
        NO_POOL,
    ),
    of(
        Listener::AccessLogs,
        mapping(
            "envoy-metric.default.gRPCSslEnabled",
            "SW_ALS_GRPC_SSL_ENABLED",
            "false",
            NO_TLS,
        ),
    ),
    mapping(
        "envoy-metric.default.gRPCSslKeyPath",
        "SW_ALS_GRPC_SSL_KEY_PATH",
        "",
        NO_TLS_FILES,
    ),
    mapping(
        "envoy-metric.default.gRPCSslCertChainPath",
        "SW_ALS_GRPC_SSL_CERT_CHAIN_PATH",
        "",
        NO_TLS_FILES,
    ),
    mapping(
        "envoy-metric.default.gRPCSslTrustedCAsPath",
        "SW_ALS_GRPC_SSL_TRUSTED_CAS_PATH",
        "",
        NO_TLS_FILES,
    ),
    of(
        Listener::Shared,
        mapping(
            "receiver-sharing-server.default.gRPCHost",
            "SW_RECEIVER_GRPC_HOST",
            "0.0.0.0",
            Meaning::Host,
        ),
    ),
    of(
        Listener::Shared,
        mapping(
            "receiver-sharing-server.default.gRPCPort",
            "SW_RECEIVER_GRPC_PORT",
            "0",
            Meaning::Port,
        ),
    ),
    mapping(
        "receiver-sharing-server.default.maxConcurrentCallsPerConnection",
        "SW_RECEIVER_GRPC_MAX_CONCURRENT_CALL",
        "0",
        OF_ALL_RECEIVERS,
    ),
    mapping(
        "receiver-sharing-server.default.maxMessageSize",
        "SW_RECEIVER_GRPC_MAX_MESSAGE_SIZE",
        "52428800",
        OF_ALL_RECEIVERS,
    ),
    mapping(
        "receiver-sharing-server.default.gRPCThreadPoolSize",
        "SW_RECEIVER_GRPC_THREAD_POOL_SIZE",
        "0",
        NO_POOL,
    ),
    of(
        Listener::Shared,
        mapping(
            "receiver-sharing-server.default.gRPCSslEnabled",
            "SW_RECEIVER_GRPC_SSL_ENABLED",
            "false",
            NO_TLS,
        ),
    ),
    mapping(
        "receiver-sharing-server.default.gRPCSslKeyPath",
        "SW_RECEIVER_GRPC_SSL_KEY_PATH",
        "",
        NO_TLS_FILES,
    ),
    mapping(
        "receiver-sharing-server.default.gRPCSslCertChainPath",
        "SW_RECEIVER_GRPC_SSL_CERT_CHAIN_PATH",
        "",
        NO_TLS_FILES,
    ),
    mapping(
        "receiver-sharing-server.default.gRPCSslTrustedCAsPath",
        "SW_RECEIVER_GRPC_SSL_TRUSTED_CAS_PATH",
        "",
        NO_TLS_FILES,
    ),
    mapping(
        "receiver-sharing-server.default.authentication",
        "SW_AUTHENTICATION",
        "",
        Meaning::Only(
            "",
            "authentication is not in this version; limit who can reach the port with a NetworkPolicy",
        ),
    ),
    of(
        Listener::Core,
        mapping(
            "core.default.gRPCHost",
            "SW_CORE_GRPC_HOST",
            "0.0.0.0",
            Meaning::Host,
        ),
    ),
    of(
        Listener::Core,
        mapping(
            "core.default.gRPCPort",
            "SW_CORE_GRPC_PORT",
            "11800",
            Meaning::Port,
        ),
    ),
    mapping(
        "core.default.maxConcurrentCallsPerConnection",
        "SW_CORE_GRPC_MAX_CONCURRENT_CALL",
        "0",
        OF_ALL_RECEIVERS,
    ),
    mapping(
        "core.default.maxMessageSize",
        "SW_CORE_GRPC_MAX_MESSAGE_SIZE",
        "52428800",
        OF_ALL_RECEIVERS,
    ),
    of(
        Listener::Core,
        mapping(
            "core.default.gRPCSslEnabled",
            "SW_CORE_GRPC_SSL_ENABLED",
            "false",
            NO_TLS,
        ),
    ),
    mapping(
        "core.default.serviceNameMaxLength",
        "SW_SERVICE_NAME_MAX_LENGTH",
        "70",
        CUT_BY_SKYWALKING,
    ),
    mapping(
        "core.default.instanceNameMaxLength",
        "SW_INSTANCE_NAME_MAX_LENGTH",
        "70",
        CUT_BY_SKYWALKING,
    ),
    mapping(
        "core.default.endpointNameMaxLength",
        "SW_ENDPOINT_NAME_MAX_LENGTH",
        "150",
        CUT_BY_SKYWALKING,
    ),
    mapping(
        "core.default.maxHttpUrisNumberPerService",
        "SW_CORE_MAX_HTTP_URIS_NUMBER_PER_SVR",
        "3000",
        Meaning::Ignored(
            "it limits the endpoints that SkyWalking's back end tells apart; `analysis.endpoints.perService` limits them here",
        ),
    ),
    mapping(
        "core.default.searchableLogsTags",
        "SW_SEARCHABLE_LOGS_TAG_KEYS",
        "level,http.status_code,ai_route_type",
        Meaning::Ignored("it is a setting of SkyWalking's storage"),
    ),
    mapping(
        "log-analyzer.default.lalFiles",
        "SW_LOG_LAL_FILES",
        "envoy-als,…",
        Meaning::Ignored("there are no LAL rules here; `analysis.persistence` says which entries are kept"),
    ),
    mapping(
        "service-mesh.selector",
        "SW_SERVICE_MESH",
        "default",
        Meaning::Ignored("no other module is needed here"),
    ),
];
