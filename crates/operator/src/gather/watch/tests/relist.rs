//! What a watch has lost comes from a list that is made anew.

use super::*;

fn other() -> Value {
    json!({"metadata": {"name": "other", "namespace": "istio-system", "uid": "o", "resourceVersion": "2"}, "data": {}})
}

/// When each list came after the first.
fn lists(watched: &Watched) -> Vec<u64> {
    let requests = watched.requests();
    let lists = requests.into_iter().filter(|(verb, _)| verb == LIST);
    lists.map(|(_, at)| at).skip(1).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lost_event_is_made_good_by_the_next_list() {
    let watched = watched(&[]);
    assert_eq!(watched.next().await, (Ok(istio()), 0));
    watched.stub.list(PATH, StubResponse::Items(vec![other()]));
    let (known, at) = watched.next().await;
    assert_eq!(known, Ok(vec!["other".to_owned()]));
    assert!((480..=730).contains(&at), "{at}");
    assert_eq!(watched.requests().last(), Some(&(WATCH.to_owned(), at)));
}

#[rstest]
#[case::forbidden(403)]
#[case::broken(500)]
#[case::silent(0)]
#[tokio::test(start_paused = true)]
async fn a_list_anew_that_fails_leaves_what_the_watch_says(#[case] code: u16) {
    let watched = watched(&[]);
    assert_eq!(watched.next().await, (Ok(istio()), 0));
    // Only lists fail: the API server ends each watch after some minutes, and a new one must be able to start.
    let mut is_known = Vec::new();
    watched.stub.each(PATH, move |verb| match verb {
        "LIST" => refusal(code),
        _ => there(),
    });
    for second in [400, 730, 1_000, 1_500] {
        watched.until(second).await;
        is_known.push(watched.known());
    }
    assert_eq!(is_known, vec![Ok(istio()); 4]);
    assert!(!lists(&watched).is_empty());
    watched
        .stub
        .list(PATH, StubResponse::Items(vec![config_map(&json!({})), other()]));
    watched.until(2_300).await;
    assert_eq!(watched.known(), Ok(vec!["istio".to_owned(), "other".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn watches_list_anew_at_different_times() {
    fastrand::seed(1);
    let all: Vec<Watched> = (0..5).map(|_| watched(&[])).collect();
    sleep(Duration::from_secs(740)).await;
    let times: Vec<Vec<u64>> = all.iter().map(lists).collect();
    assert!(times.iter().all(|times| times.len() == 1), "{times:?}");
    let different: BTreeSet<u64> = times.iter().flatten().copied().collect();
    assert_eq!(different.len(), 5, "{times:?}");
}
