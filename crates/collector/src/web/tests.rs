use rstest::rstest;

use super::*;

#[rstest]
#[case("60s", Some(60))]
#[case("5m", Some(300))]
#[case("1h", Some(3600))]
#[case("61m", None)]
#[case("0s", None)]
#[case("-5s", None)]
#[case("soon", None)]
fn a_window_is_a_time_up_to_an_hour(#[case] text: &str, #[case] seconds: Option<u64>) {
    assert_eq!(window(text).map(|window| window.as_secs()), seconds);
}

#[test]
fn an_unknown_party_has_one_id_whatever_its_namespace() {
    let unknown = Node {
        namespace: "demo".into(),
        workload: "unknown".into(),
    };
    assert_eq!(id(&unknown), "unknown");
    assert_eq!(
        id(&Node {
            namespace: "demo".into(),
            workload: "web".into()
        }),
        "demo/web"
    );
}
