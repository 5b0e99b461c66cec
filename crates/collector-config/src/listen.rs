//! `listen`: the addresses of the collector's three ports.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use crate::ConfigError;
use crate::error::Place;
use crate::field::Field;
use crate::setting::{Setting, setting};

/// The three addresses that the collector listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The port that Envoys stream their access logs and metrics to.
    pub grpc: SocketAddr,
    /// The port of the page and its API. The default is loopback, because the page shows who calls whom.
    pub web: SocketAddr,
    /// The port of liveness, readiness and the Prometheus metrics.
    pub admin: SocketAddr,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            grpc: (Ipv6Addr::UNSPECIFIED, 11800).into(),
            web: (Ipv4Addr::LOCALHOST, 8080).into(),
            admin: (Ipv6Addr::UNSPECIFIED, 9090).into(),
        }
    }
}

/// The keys of the block `listen`, in the order of docs/configuration.md.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "listen.grpc",
        Field::Address(|config| &mut config.listen.grpc),
        "The address and port that Envoys stream their access logs to. `[::]` takes IPv6 and IPv4; where the system has no IPv6, `0.0.0.0` stands for it.",
    ),
    setting(
        "listen.web",
        Field::Address(|config| &mut config.listen.web),
        "The address and port of the page and its API. They show who calls whom, so the default is loopback.",
    ),
    setting(
        "listen.admin",
        Field::Address(|config| &mut config.listen.admin),
        "The address and port of the probes and the Prometheus metrics. `[::]` is read as in `listen.grpc`.",
    ),
];

impl Listen {
    /// Refuses two listeners with the same address, because the system would refuse the second.
    pub(crate) fn check(&self, origin: &Path) -> Result<(), ConfigError> {
        let pairs = [
            (("listen.grpc", self.grpc), ("listen.web", self.web)),
            (("listen.grpc", self.grpc), ("listen.admin", self.admin)),
            (("listen.web", self.web), ("listen.admin", self.admin)),
        ];
        match pairs
            .into_iter()
            .find(|((_, one), (_, other))| collide(*one, *other))
        {
            None => Ok(()),
            Some(((first, address), (second, _))) => Err(ConfigError::SamePort {
                place: Place::File(origin.to_owned()),
                first,
                second,
                port: address.port(),
            }),
        }
    }
}

/// Returns whether two listeners would have the same address. For port 0 the system chooses a free
/// port, so it never collides.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() != 0
        && one.port() == other.port()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}
