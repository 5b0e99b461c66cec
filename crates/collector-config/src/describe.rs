//! What a configuration would run, in words, for `alscope-collector check`.

use crate::{Analyzer, Config, Directory};

impl Config {
    /// What would run, one line each: the key as in the file, and its value with defaults filled in.
    pub fn describe(&self) -> String {
        let workers = self
            .workers
            .map_or("one for each core".to_owned(), |workers| workers.to_string());
        let lines = [
            ("listen.grpc", self.listen.grpc.to_string()),
            ("listen.web", self.listen.web.to_string()),
            ("listen.admin", self.listen.admin.to_string()),
            ("directory", self.directory.describe()),
            ("analysis.http", chain(&self.analysis.http)),
            ("analysis.tcp", chain(&self.analysis.tcp)),
            ("workers", workers),
            ("limits.messageBytes", self.limits.message_bytes.to_string()),
            (
                "limits.entriesPerMessage",
                self.limits.entries_per_message.to_string(),
            ),
            ("limits.stringBytes", self.limits.string_bytes.to_string()),
            (
                "limits.streamsPerConnection",
                self.limits.streams_per_connection.to_string(),
            ),
            ("limits.streamsPerPeer", self.limits.streams_per_peer.to_string()),
            ("limits.bufferedBytes", self.limits.buffered_bytes.to_string()),
        ];
        let mut description = lines.map(|(key, value)| format!("{key}: {value}")).join("\n");
        description.push('\n');
        description
    }

    /// What is allowed but probably not meant, one sentence each, for the log at start and for `check`.
    pub fn warnings(&self) -> Vec<String> {
        let chains = [
            ("analysis.http", "HTTP", &self.analysis.http),
            ("analysis.tcp", "TCP", &self.analysis.tcp),
        ];
        chains
            .into_iter()
            .filter(|(_, _, chain)| chain.is_empty())
            .map(|(key, kind, _)| {
                format!(
                    "`{key}` lists no analyzer, so {kind} entries are counted and skipped; write `k8s-mesh`"
                )
            })
            .collect()
    }
}

impl Directory {
    fn describe(&self) -> String {
        match self {
            Self::File(path) => format!("file {}", path.display()),
            Self::Kubernetes(kubernetes) => match &kubernetes.kubeconfig {
                Some(path) => format!("kubernetes by {}", path.display()),
                None => "kubernetes".to_owned(),
            },
        }
    }
}

fn chain(analyzers: &[Analyzer]) -> String {
    if analyzers.is_empty() {
        return "none".to_owned();
    }
    analyzers
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::Config;

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("/etc/alscope/collector.yaml")).expect("the text is a configuration")
    }

    #[test]
    fn defaults_are_described_key_by_key() {
        let expected = "\
listen.grpc: 0.0.0.0:11800
listen.web: 127.0.0.1:8080
listen.admin: 0.0.0.0:9090
directory: kubernetes
analysis.http: none
analysis.tcp: none
workers: one for each core
limits.messageBytes: 1048576
limits.entriesPerMessage: 65536
limits.stringBytes: 4096
limits.streamsPerConnection: 128
limits.streamsPerPeer: 1024
limits.bufferedBytes: 268435456
";
        assert_eq!(config("directory: { kubernetes: {} }").describe(), expected);
    }

    #[test]
    fn values_of_the_file_are_described() {
        let text = "{ directory: { file: cluster.yaml }, analysis: { tcp: k8s-mesh }, workers: 3 }";
        let description = config(text).describe();
        assert!(
            description.contains("directory: file /etc/alscope/cluster.yaml\n"),
            "{description}"
        );
        assert!(
            description.contains("analysis.http: none\nanalysis.tcp: k8s-mesh\nworkers: 3\n"),
            "{description}"
        );
        let kubeconfig = config("directory: { kubernetes: { kubeconfig: admin.conf } }").describe();
        assert!(
            kubeconfig.contains("directory: kubernetes by /etc/alscope/admin.conf\n"),
            "{kubeconfig}"
        );
    }

    #[test]
    fn each_empty_chain_is_a_warning() {
        let http =
            "`analysis.http` lists no analyzer, so HTTP entries are counted and skipped; write `k8s-mesh`";
        let tcp =
            "`analysis.tcp` lists no analyzer, so TCP entries are counted and skipped; write `k8s-mesh`";
        assert_eq!(config("directory: { kubernetes: {} }").warnings(), [http, tcp]);
        let half = config("{ directory: { kubernetes: {} }, analysis: { http: k8s-mesh } }");
        assert_eq!(half.warnings(), [tcp]);
    }
}
