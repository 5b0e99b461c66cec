//! The names and labels under which an Envoy's metrics are shown: SkyWalking's names, in
//! the characters that Prometheus allows.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The name of all metrics of a proxy's clusters. The label `metrics_name` tells them apart.
pub const CLUSTER_METRICS: &str = "envoy_cluster_metrics";
/// The name of all metrics of a proxy's listeners. The label `metrics_name` tells them apart.
pub const LISTENER_METRICS: &str = "envoy_listener_metrics";

/// Envoy's tag for the name of a cluster. It is a label if Envoy is configured to emit tags as labels.
const CLUSTER_TAG: &[u8] = b"envoy.cluster_name";
/// The collector's own labels. A proxy's label with one of these names is shown as `exported_…`, as
/// Prometheus does with the labels of a target.
const RESERVED_LABELS: [&str; 5] = ["cluster", "proxy", "app", "instance", "le"];

/// Writes `name{label="value",…` without the closing brace, and returns the length of the name. A name is
/// for scalars or for histograms, which can't share one in Prometheus' format. The time grows with the
/// square of the number of labels.
pub fn write_series<'a>(
    text: &mut String,
    family: &str,
    labels: &[(&'a [u8], &'a [u8])],
    is_histogram: bool,
) -> usize {
    text.clear();
    let grouped = match family.split('.').next() {
        Some("cluster") => Some(CLUSTER_METRICS),
        Some("listener") => Some(LISTENER_METRICS),
        _ => None,
    };
    text.push_str(grouped.unwrap_or("envoy_"));
    if grouped.is_none() {
        push_name(text, family);
    }
    if grouped.is_some() && is_histogram {
        text.push_str("_histogram");
    }
    let name = text.len();
    text.push('{');
    let mut used: Vec<String> = Vec::new();
    for (label, value) in labels {
        let label = label_name(&String::from_utf8_lossy(label));
        if !used.contains(&label) {
            push_label(text, &label, &String::from_utf8_lossy(value));
            used.push(label);
        }
    }
    let mut push_absent = |label: &str, value: &str| {
        if !used.iter().any(|used| used == label) {
            push_label(text, label, value);
        }
    };
    if grouped.is_some() {
        push_absent("metrics_name", family);
    }
    if grouped == Some(CLUSTER_METRICS) {
        let tag = labels.iter().find(|(label, _)| *label == CLUSTER_TAG);
        let tag = tag.map(|(_, value)| String::from_utf8_lossy(value));
        push_absent("cluster_name", &cluster_name(family, tag.as_deref()));
    }
    name
}

/// Appends `name="value"`, with a comma before it unless it is the first.
pub fn push_label(text: &mut String, name: &str, value: &str) {
    let separator = if text.is_empty() || text.ends_with('{') {
        ""
    } else {
        ","
    };
    // Writing to a string can't fail.
    if write!(text, "{separator}{name}=\"{}\"", escape(value)).is_err() {
        debug_assert!(false, "writing to a string failed");
    }
}

/// Escapes a label's value as Prometheus' text format demands.
pub fn escape(value: &str) -> Cow<'_, str> {
    if value.contains(['\\', '"', '\n']) {
        value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
            .into()
    } else {
        value.into()
    }
}

/// Appends letters, digits and underscores only, as Envoy's own exposition does.
fn push_name(text: &mut String, name: &str) {
    text.extend(name.chars().map(|letter| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '_'
        }
    }));
}

/// Returns the name of a label. It is made of a metric's characters, begins with no digit, is none of the
/// collector's own labels, and does not begin with the two underscores of Prometheus' internal labels.
fn label_name(label: &str) -> String {
    let mut name = String::new();
    if label.is_empty() || label.starts_with(|letter: char| letter.is_ascii_digit()) {
        name.push_str("label_");
    }
    push_name(&mut name, label);
    if RESERVED_LABELS.contains(&name.as_str()) || name.starts_with("__") {
        name.insert_str(0, "exported_");
    }
    name
}

/// Returns the service and namespace behind a cluster, as SkyWalking names them: `reviews.demo` for
/// `cluster.outbound|9080|v1|reviews.demo.svc.cluster.local.upstream_rq_total`, `inbound:9080.-` for
/// `cluster.inbound|9080||.upstream_rq_total`, `sds-grpc.-` for `cluster.sds-grpc.upstream_rq_total`, else
/// `-.-`. The `tag` holds the cluster's name if the family's name does not contain it any more.
fn cluster_name(family: &str, tag: Option<&str>) -> String {
    let tagged = tag.map(|tag| format!("cluster.{tag}."));
    let family = tagged.as_deref().unwrap_or(family);
    let name = family.strip_prefix("cluster.").unwrap_or(family);
    let parts: Vec<&str> = name.split('|').collect();
    let segments: Vec<&str> = name.split('.').collect();
    match (&parts[..], &segments[..]) {
        (["outbound", _, _, host, ..], _) => {
            let mut host = host.split('.');
            let mut next = || host.next().filter(|part| !part.is_empty()).unwrap_or("-");
            format!("{}.{}", next(), next())
        }
        (["inbound", port, ..], _) => format!("inbound:{port}.-"),
        ([_], [cluster, _]) if !cluster.is_empty() => format!("{cluster}.-"),
        _ => "-.-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::outbound(
        "cluster.outbound|9080||reviews.demo.svc.cluster.local.upstream_cx_active",
        None,
        "reviews.demo"
    )]
    #[case::subset(
        "cluster.outbound|9080|v1|reviews.demo.svc.cluster.local.upstream_cx_active",
        None,
        "reviews.demo"
    )]
    #[case::host_of_one_part("cluster.outbound|80||vm", None, "vm.-")]
    #[case::too_few_parts("cluster.outbound|9080.upstream_cx_active", None, "-.-")]
    #[case::inbound("cluster.inbound|9080||.upstream_cx_active", None, "inbound:9080.-")]
    #[case::three_segments("cluster.sds-grpc.upstream_cx_active", None, "sds-grpc.-")]
    #[case::four_segments("cluster.xds-grpc.circuit_breakers.cx_open", None, "-.-")]
    #[case::two_segments("cluster.upstream_cx_active", None, "-.-")]
    #[case::tag(
        "cluster.upstream_cx_active",
        Some("outbound|9080||reviews.demo.svc.cluster.local"),
        "reviews.demo"
    )]
    #[case::plain_tag("cluster.circuit_breakers.cx_open", Some("sds-grpc"), "sds-grpc.-")]
    fn clusters_are_named_by_their_service(
        #[case] family: &str,
        #[case] tag: Option<&str>,
        #[case] expected: &str,
    ) {
        assert_eq!(cluster_name(family, tag), expected);
    }

    fn series(family: &str, labels: &[(&str, &str)], is_histogram: bool) -> (String, String) {
        let labels: Vec<(&[u8], &[u8])> = labels
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let mut text = "what was here".to_owned();
        let name = write_series(&mut text, family, &labels, is_histogram);
        let (name, labels) = text.split_at(name);
        (name.to_owned(), labels.to_owned())
    }

    #[rstest]
    #[case::plain("server.memory_allocated", false, "envoy_server_memory_allocated", "{")]
    #[case::other_letters("http.0.0.0.0_80;.a/b-c", true, "envoy_http_0_0_0_0_80__a_b_c", "{")]
    #[case::never_one_of_ours("alscope_requests_total", false, "envoy_alscope_requests_total", "{")]
    #[case::no_cluster(
        "cluster_manager.active_clusters",
        false,
        "envoy_cluster_manager_active_clusters",
        "{"
    )]
    #[case::cluster(
        "cluster.sds-grpc.upstream_cx_active",
        false,
        "envoy_cluster_metrics",
        "{metrics_name=\"cluster.sds-grpc.upstream_cx_active\",cluster_name=\"sds-grpc.-\""
    )]
    #[case::histogram_of_a_cluster(
        "cluster.sds-grpc.upstream_cx_connect_ms",
        true,
        "envoy_cluster_metrics_histogram",
        "{metrics_name=\"cluster.sds-grpc.upstream_cx_connect_ms\",cluster_name=\"sds-grpc.-\""
    )]
    #[case::listener(
        "listener.0.0.0.0_80.downstream_cx_total",
        false,
        "envoy_listener_metrics",
        "{metrics_name=\"listener.0.0.0.0_80.downstream_cx_total\""
    )]
    fn families_have_skywalkings_names(
        #[case] family: &str,
        #[case] is_histogram: bool,
        #[case] name: &str,
        #[case] labels: &str,
    ) {
        assert_eq!(
            series(family, &[], is_histogram),
            (name.to_owned(), labels.to_owned())
        );
    }

    #[rstest]
    #[case::kept(&[("zone", "a")], "{zone=\"a\"")]
    #[case::other_letters(&[("envoy.response-code", "200")], "{envoy_response_code=\"200\"")]
    #[case::the_same_again(&[("a.b", "1"), ("a_b", "2"), ("c", "3")], "{a_b=\"1\",c=\"3\"")]
    #[case::of_the_collector(&[("proxy", "x"), ("app", "y"), ("le", "z")], "{exported_proxy=\"x\",exported_app=\"y\",exported_le=\"z\"")]
    #[case::internal(&[("__name__", "x")], "{exported___name__=\"x\"")]
    #[case::digit(&[("0a", "x"), ("", "y")], "{label_0a=\"x\",label_=\"y\"")]
    #[case::escaped(&[("a", "x\"\\\n")], "{a=\"x\\\"\\\\\\n\"")]
    fn labels_of_a_proxy_are_valid_and_never_ours(#[case] labels: &[(&str, &str)], #[case] expected: &str) {
        assert_eq!(series("server.live", labels, false).1, expected);
    }

    #[test]
    fn names_that_a_proxy_gives_itself_win() {
        let labels = [("metrics_name", "m"), ("cluster_name", "c")];
        assert_eq!(
            series("cluster.a.b", &labels, false).1,
            "{metrics_name=\"m\",cluster_name=\"c\""
        );
    }

    #[test]
    fn a_clusters_tag_names_it() {
        let labels = [(
            "envoy.cluster_name",
            "outbound|80||reviews.demo.svc.cluster.local",
        )];
        let (_, text) = series("cluster.upstream_cx_active", &labels, false);
        assert!(text.ends_with(",cluster_name=\"reviews.demo\""), "{text}");
    }
}
