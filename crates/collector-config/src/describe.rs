//! A configuration in words, for `alscope-collector check`.

use crate::setting::settings;
use crate::{Analyzer, Config, Directory};

impl Config {
    /// Describes what would run, one line for each setting: the key as in the file, and its value with
    /// defaults filled in. Settings that have no effect in this version are left out.
    pub fn describe(&self) -> String {
        let mut description = String::new();
        for setting in settings() {
            if let Some(value) = setting.value(self) {
                description.extend([setting.key, ": ", &value, "\n"]);
            }
        }
        description
    }

    /// Returns what is allowed but probably a mistake, one sentence each, for the log
    /// at start and for `check`.
    pub fn warnings(&self) -> Vec<String> {
        let chains = [
            ("analysis.http", "HTTP", &self.analysis.http),
            ("analysis.tcp", "TCP", &self.analysis.tcp),
        ];
        let mut warnings = self.ignored.clone();
        for (key, kind, chain) in chains {
            if chain.is_empty() {
                warnings.push(format!(
                    "`{key}` lists no analyzer, so {kind} entries are counted and skipped; write `k8s-mesh`"
                ));
            }
            if self.directory == Directory::None && chain.contains(&Analyzer::K8sMesh) {
                warnings.push(format!(
                    "`{key}` lists `k8s-mesh`, which can look no address up with `directory: {{ none: {{}} }}`; write `mx-mesh`"
                ));
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{Config, Directory};

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("/etc/alscope/collector.yaml")).expect("the text is a configuration")
    }

    #[test]
    fn defaults_are_described_key_by_key() {
        let expected = "\
listen.grpc: [::]:11800
listen.web: 127.0.0.1:8080
listen.admin: [::]:9090
directory: kubernetes
analysis.http: none
analysis.tcp: none
analysis.naming.k8sServiceNameRule: ${pod.metadata.labels.(service.istio.io/canonical-name)}.${pod.metadata.namespace}
analysis.naming.istioServiceNameRule: ${serviceEntry.metadata.name}.${serviceEntry.metadata.namespace}
analysis.naming.istioServiceEntryIgnoredNamespaces: none
analysis.endpoints.rules: none
analysis.endpoints.perService: 500
analysis.persistence.errors: true
analysis.persistence.slowMilliseconds: none
analysis.persistence.sampledShare: 0
analysis.persistence.entriesPerMinute: 6000
analysis.redaction.enabled: true
analysis.redaction.headers: none
analysis.trustForwardedAddress: false
acceptMetricsService: true
workers: one for each core
limits.messageBytes: 1048576
limits.entriesPerMessage: 65536
limits.stringBytes: 4096
limits.connections: 16384
limits.streamsPerConnection: 128
limits.streamsPerPeer: 1024
limits.samples: 500000
limits.idleSeries: 1h
limits.outsideHosts: 200
limits.bufferedBytes: 67108864
limits.connectionAge: 30m
web.hosts: none
ending.quiet: 5s
ending.accept: 15s
ending.scrape: 20s
";
        assert_eq!(config("directory: { kubernetes: {} }").describe(), expected);
    }

    #[test]
    fn values_of_the_file_are_described() {
        let naming = "naming: { k8sServiceNameRule: '${service.metadata.name}' }";
        let text = format!(
            "{{ directory: {{ file: cluster.yaml }}, analysis: {{ tcp: k8s-mesh, {naming} }}, workers: 3 }}"
        );
        let description = config(&text).describe();
        assert!(
            description.contains("directory: file /etc/alscope/cluster.yaml\n"),
            "{description}"
        );
        assert!(
            description.contains(
                "analysis.http: none\nanalysis.tcp: k8s-mesh\nanalysis.naming.k8sServiceNameRule: ${service.metadata.name}\n"
            ),
            "{description}"
        );
        assert!(
            description.contains("acceptMetricsService: true\nworkers: 3\n"),
            "{description}"
        );
        let kubeconfig = config("directory: { kubernetes: { kubeconfig: admin.conf } }").describe();
        assert!(
            kubeconfig.contains("directory: kubernetes by /etc/alscope/admin.conf\n"),
            "{kubeconfig}"
        );
    }

    #[test]
    fn addresses_that_nobody_looks_up_are_a_warning() {
        let none =
            config("{ directory: { none: {} }, analysis: { http: 'mx-mesh,k8s-mesh', tcp: mx-mesh } }");
        assert_eq!(none.directory, Directory::None);
        assert!(none.describe().contains("directory: none\n"));
        let http = "`analysis.http` lists `k8s-mesh`, which can look no address up with `directory: { none: {} }`; write `mx-mesh`";
        assert_eq!(none.warnings(), [http]);
        let file = config("{ directory: { file: a }, analysis: { http: 'mx-mesh,k8s-mesh', tcp: mx-mesh } }");
        assert_eq!(file.warnings(), Vec::<String>::new());
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

    #[test]
    fn what_is_ignored_is_a_warning() {
        let mut config =
            config("{ directory: { kubernetes: {} }, analysis: { http: k8s-mesh, tcp: k8s-mesh } }");
        config.ignored = vec!["ignored".to_owned()];
        assert_eq!(config.warnings(), ["ignored"]);
    }
}
