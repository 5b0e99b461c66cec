//! `listen`: the addresses of the three ports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use crate::ConfigError;
use crate::error::Place;
use crate::field::Field;
use crate::setting::{Setting, setting};

/// The three addresses that the collector listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Envoy's access-log streams.
    pub grpc: SocketAddr,
    /// The page and its API; on loopback unless the file says otherwise, because it shows who calls whom.
    pub web: SocketAddr,
    /// Liveness, readiness and the Prometheus metrics.
    pub admin: SocketAddr,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            grpc: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 11800),
            web: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            admin: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9090),
        }
    }
}

/// The keys of the block `listen`.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "listen.grpc",
        Field::Address(|config| &mut config.listen.grpc),
        "Where Envoy's access-log streams come in.",
    ),
    setting(
        "listen.web",
        Field::Address(|config| &mut config.listen.web),
        "The page and its API. They show who calls whom, so they are on loopback unless this says otherwise.",
    ),
    setting(
        "listen.admin",
        Field::Address(|config| &mut config.listen.admin),
        "Probes and the Prometheus metrics.",
    ),
];

impl Listen {
    /// Refuses two listeners with one address, of which the system would refuse the second.
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

/// Whether two listeners would have one address. Port 0 is a free port of the system's choice.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() != 0
        && one.port() == other.port()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}
