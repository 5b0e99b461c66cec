//! Naming rules of Apache `SkyWalking`: in goes a template of its settings, out comes a program that makes the name of a service
//! out of metadata.
//!
//! The configuration parses a rule, so that a bad one is refused where it stands, and the directory renders it: both use this
//! crate, which knows neither.
//!
//! ```
//! use alscope_naming::kubernetes_name::{KubernetesPath, MetadataObject, k8s_service_name};
//!
//! let rule = k8s_service_name("mesh::${service.metadata.name,pod.metadata.name}")?;
//! let mut name = String::new();
//! rule.render(&mut name, |path| match path {
//!     KubernetesPath::Name(MetadataObject::Pod) => Some("reviews-v1-5d4f-abcde"),
//!     _ => None,
//! });
//! assert_eq!(name, "mesh::reviews-v1-5d4f-abcde");
//! # Ok::<(), alscope_naming::template::TemplateError>(())
//! ```

pub mod kubernetes_name;
pub mod metadata_name;
pub mod template;
