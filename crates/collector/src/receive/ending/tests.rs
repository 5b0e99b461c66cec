use std::sync::atomic::{AtomicBool, Ordering};

use rstest::rstest;

use super::*;

#[tokio::test(start_paused = true)]
async fn connections_of_one_age_end_one_by_one_within_a_tenth() {
    let stopping = CancellationToken::new();
    let age = Duration::from_mins(30);
    let mut ends = Vec::new();
    for _ in 0..200 {
        let begin = Instant::now();
        let ending = Ending::new(&stopping);
        assert!(!ending.has_begun());
        ending.at(age).await;
        assert!(ending.has_begun());
        ends.push(begin.elapsed());
    }
    assert!(!stopping.is_cancelled());
    ends.sort();
    let (first, last) = (ends[0], ends[ends.len() - 1]);
    assert!(first >= age.mul_f64(0.9) && last <= age.mul_f64(1.1) + Duration::from_millis(1));
    // Two hundred uniformly random ages leave no half of the span empty.
    assert!(
        first < age.mul_f64(0.95) && last > age.mul_f64(1.05),
        "{first:?} {last:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_ends_when_the_collector_stops_however_young_it_is() {
    let stopping = CancellationToken::new();
    let ending = Ending::new(&stopping);
    stopping.cancel();
    let begin = Instant::now();
    ending.at(Duration::from_mins(30)).await;
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_stream_that_is_answered_is_read_on_and_awaited() {
    let ending = Ending::new(&CancellationToken::new());
    let (answerable, more) = (Notify::new(), Arc::new(Notify::new()));
    let read = Arc::new(AtomicBool::new(false));
    let (waits, reads) = (more.clone(), read.clone());
    let reading = async move {
        waits.notified().await;
        reads.store(true, Ordering::Relaxed);
        Err(Refusal::WithinMessage)
    };
    answerable.notify_one();
    assert_eq!(ending.answer(reading, &answerable).await, Ok(()));
    assert!(!read.load(Ordering::Relaxed));
    more.notify_one();
    ending.read_rest().await;
    assert!(read.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn a_rest_that_never_ends_is_given_up() {
    let ending = Ending::new(&CancellationToken::new());
    let answerable = Notify::new();
    answerable.notify_one();
    let answer = ending.answer(std::future::pending(), &answerable).await;
    assert_eq!(answer, Ok(()));
    let begin = Instant::now();
    ending.read_rest().await;
    assert_eq!(begin.elapsed(), REST_DEADLINE);
}

/// Returns after how many milliseconds the wait is over if connections come with these gaps.
async fn quiet_after(gaps: &[u64]) -> u64 {
    let bounds = Bounds {
        quiet: Duration::from_millis(50),
        accept: Duration::from_millis(150),
        ..Bounds::default()
    };
    let (comes, came) = watch::channel(());
    // A connection before the wait does not count.
    comes.send_replace(());
    let begin = Instant::now();
    let coming = async {
        for gap in gaps {
            sleep(Duration::from_millis(*gap)).await;
            comes.send_replace(());
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = until_quiet(came, bounds) => {}
        () = coming => {}
    }
    begin.elapsed().as_millis().try_into().unwrap()
}

#[rstest]
#[case::nobody(&[], 50)]
#[case::one(&[20], 70)]
#[case::two(&[20, 40], 110)]
#[case::one_too_late(&[60], 50)]
#[case::without_end(&[40; 10], 150)]
#[tokio::test(start_paused = true)]
async fn proxies_are_sent_elsewhere_when_no_new_one_comes(#[case] gaps: &[u64], #[case] milliseconds: u64) {
    assert_eq!(quiet_after(gaps).await, milliseconds);
}
