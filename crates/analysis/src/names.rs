//! What services and endpoints are called.
//!
//! [`template`] turns a naming rule of `SkyWalking`'s into a program, once, and a party's metadata into a service name.

pub mod kubernetes_name;
pub mod metadata_name;
pub mod template;
