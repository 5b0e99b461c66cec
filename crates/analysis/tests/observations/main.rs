//! What entries of a small mesh come to, from the bytes that Envoy sends to the counted series.

mod conservation;
mod entry;
mod gateways;
mod mesh;
mod refused;
mod sidecars;
mod times;
