//! The messages of `envoy.service.accesslog.v3` and `envoy.service.metrics.v3` as owned prost types, and the
//! clients and servers of `AccessLogService` and `MetricsService`.
//!
//! For what is off the hot path: load generators and tests. The modules are those of the proto packages. The
//! code is generated from Envoy's .proto files, which document it, and is checked in; `make gen` writes it
//! anew.

#![expect(
    missing_docs,
    clippy::large_enum_variant,
    clippy::pedantic,
    reason = "generated code, documented by the .proto files"
)]
#![cfg_attr(
    feature = "service",
    expect(
        clippy::allow_attributes_without_reason,
        reason = "the generated modules of the service have them"
    )
)]

/// Packages `envoy.*`.
pub mod envoy {
    pub mod config {
        pub mod core {
            pub mod v3 {
                include!("gen/envoy.config.core.v3.rs");
            }
        }
    }
    pub mod data {
        pub mod accesslog {
            pub mod v3 {
                include!("gen/envoy.data.accesslog.v3.rs");
            }
        }
    }
    pub mod service {
        pub mod accesslog {
            pub mod v3 {
                include!("gen/envoy.service.accesslog.v3.rs");
            }
        }
        pub mod metrics {
            pub mod v3 {
                include!("gen/envoy.service.metrics.v3.rs");
            }
        }
    }
    pub mod r#type {
        pub mod v3 {
            include!("gen/envoy.r#type.v3.rs");
        }
    }
}

/// Packages `io.prometheus.*`.
pub mod io {
    pub mod prometheus {
        pub mod client {
            include!("gen/io.prometheus.client.rs");
        }
    }
}

/// Packages `xds.*`.
pub mod xds {
    pub mod core {
        pub mod v3 {
            include!("gen/xds.core.v3.rs");
        }
    }
}
