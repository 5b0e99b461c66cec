//! From the file's texts to the configuration: every value is checked here, and every refusal says where it stands.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde_saphyr::Spanned;

use crate::error::Place;
use crate::file::{AnalysisBlock, DirectoryBlock, KubernetesBlock, LimitsBlock, ListenBlock, Text};
use crate::{Analysis, Analyzer, Config, ConfigError, Directory, Kubernetes, Limits, Listen};

/// More threads than any machine has cores; a larger number is a slip of the hand.
const MAX_WORKERS: usize = 1024;

/// The configuration in `text`, which stands in the file `origin`.
pub(crate) fn config(text: &str, origin: &Path) -> Result<Config, ConfigError> {
    let file = crate::file::read(text, origin)?;
    let values = Values { origin };
    Ok(Config {
        listen: values.listen(file.listen.unwrap_or_default())?,
        directory: values.directory(file.directory)?,
        analysis: values.analysis(file.analysis.unwrap_or_default())?,
        workers: values.workers(file.workers)?,
        limits: values.limits(file.limits.unwrap_or_default())?,
    })
}

/// Turns the texts of one file into values.
struct Values<'a> {
    origin: &'a Path,
}

impl Values<'_> {
    fn listen(&self, block: ListenBlock) -> Result<Listen, ConfigError> {
        let default = Listen::default();
        let listen = Listen {
            grpc: self.address("listen.grpc", block.grpc, default.grpc)?,
            web: self.address("listen.web", block.web, default.web)?,
            admin: self.address("listen.admin", block.admin, default.admin)?,
        };
        let named = [
            ("listen.grpc", listen.grpc),
            ("listen.web", listen.web),
            ("listen.admin", listen.admin),
        ];
        for (position, (first, one)) in named.iter().enumerate() {
            if let Some((second, _)) = named
                .iter()
                .skip(position + 1)
                .find(|(_, other)| collide(*one, *other))
            {
                return Err(ConfigError::SamePort {
                    place: self.file(),
                    first,
                    second,
                    port: one.port(),
                });
            }
        }
        Ok(listen)
    }

    fn address(
        &self,
        key: &'static str,
        text: Option<Text>,
        default: SocketAddr,
    ) -> Result<SocketAddr, ConfigError> {
        let Some(text) = text else { return Ok(default) };
        let remedy = "write an IP address and a port, as in 127.0.0.1:8080 or [::1]:8080";
        text.value.trim().parse().map_err(|_| self.bad(key, text, remedy))
    }

    fn directory(&self, block: Option<Spanned<DirectoryBlock>>) -> Result<Directory, ConfigError> {
        let Some(block) = block else {
            return Err(ConfigError::DirectorySource {
                place: self.file(),
                found: "no source",
            });
        };
        let place = self.line(&block);
        match block.value {
            DirectoryBlock {
                kubernetes: Some(kubernetes),
                file: None,
            } => self.kubernetes(kubernetes),
            DirectoryBlock {
                kubernetes: None,
                file: Some(file),
            } => Ok(Directory::File(self.path("directory.file", file)?)),
            DirectoryBlock {
                kubernetes: None,
                file: None,
            } => Err(ConfigError::DirectorySource {
                place,
                found: "no source",
            }),
            DirectoryBlock {
                kubernetes: Some(_),
                file: Some(_),
            } => Err(ConfigError::DirectorySource {
                place,
                found: "two sources",
            }),
        }
    }

    fn kubernetes(&self, block: KubernetesBlock) -> Result<Directory, ConfigError> {
        let path = |text| self.path("directory.kubernetes.kubeconfig", text);
        Ok(Directory::Kubernetes(Kubernetes {
            kubeconfig: block.kubeconfig.map(path).transpose()?,
        }))
    }

    fn path(&self, key: &'static str, text: Text) -> Result<PathBuf, ConfigError> {
        if text.value.trim().is_empty() {
            return Err(self.bad(key, text, "write the path of a file"));
        }
        Ok(self
            .origin
            .parent()
            .unwrap_or(Path::new(""))
            .join(text.value.trim()))
    }

    fn analysis(&self, block: AnalysisBlock) -> Result<Analysis, ConfigError> {
        Ok(Analysis {
            http: self.chain("analysis.http", block.http)?,
            tcp: self.chain("analysis.tcp", block.tcp)?,
        })
    }

    fn chain(&self, key: &'static str, text: Option<Text>) -> Result<Vec<Analyzer>, ConfigError> {
        let Some(text) = text else { return Ok(Vec::new()) };
        Analyzer::chain(&text.value).map_err(|problem| ConfigError::BadAnalyzers {
            place: self.line(&text),
            key,
            problem,
        })
    }

    fn workers(&self, text: Option<Text>) -> Result<Option<NonZeroUsize>, ConfigError> {
        let Some(text) = text else { return Ok(None) };
        match text.value.trim().parse::<NonZeroUsize>() {
            Ok(workers) if workers.get() <= MAX_WORKERS => Ok(Some(workers)),
            Ok(_) | Err(_) => {
                let remedy =
                    "write a number of threads from 1 to 1024, or leave the key out for one for each core";
                Err(self.bad("workers", text, remedy))
            }
        }
    }

    fn limits(&self, block: LimitsBlock) -> Result<Limits, ConfigError> {
        let default = Limits::default();
        let limits = Limits {
            message_bytes: self.limit("limits.messageBytes", block.message_bytes, default.message_bytes)?,
            entries_per_message: self.limit(
                "limits.entriesPerMessage",
                block.entries_per_message,
                default.entries_per_message,
            )?,
            string_bytes: self.limit("limits.stringBytes", block.string_bytes, default.string_bytes)?,
            streams_per_connection: self.limit(
                "limits.streamsPerConnection",
                block.streams_per_connection,
                default.streams_per_connection,
            )?,
            streams_per_peer: self.limit(
                "limits.streamsPerPeer",
                block.streams_per_peer,
                default.streams_per_peer,
            )?,
            buffered_bytes: self.limit(
                "limits.bufferedBytes",
                block.buffered_bytes,
                default.buffered_bytes,
            )?,
        };
        if limits.message_bytes > limits.buffered_bytes {
            return Err(ConfigError::MessageOverBuffer {
                place: self.file(),
                message_bytes: limits.message_bytes,
                buffered_bytes: limits.buffered_bytes,
            });
        }
        Ok(limits)
    }

    fn limit(&self, key: &'static str, text: Option<Text>, default: usize) -> Result<usize, ConfigError> {
        let Some(text) = text else { return Ok(default) };
        // HTTP/2 and gRPC count in 32 bits, so a larger limit would not be one.
        match text.value.trim().parse::<u32>() {
            Ok(limit) if limit > 0 => Ok(limit as usize),
            Ok(_) | Err(_) => Err(self.bad(
                key,
                text,
                "write a whole number from 1 to 4294967295, without a unit",
            )),
        }
    }

    fn bad(&self, key: &'static str, text: Text, remedy: &'static str) -> ConfigError {
        ConfigError::BadValue {
            place: self.line(&text),
            key,
            value: text.value,
            remedy,
        }
    }

    fn file(&self) -> Place {
        Place::file(self.origin)
    }

    fn line<T>(&self, value: &Spanned<T>) -> Place {
        Place::line(self.origin, value.referenced.line())
    }
}

/// Whether the system would refuse the second of two listeners; port 0 is a free port of the system's choice.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() != 0
        && one.port() == other.port()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}
