use super::*;

#[tokio::test]
async fn a_directory_that_nobody_follows_any_more_is_an_error() {
    let (synced, is_synced) = watch::channel(false);
    drop(synced);
    let ended = until_synced(is_synced, &CancellationToken::new()).await;
    let message = ended.unwrap_err().to_string();
    assert!(message.starts_with("directory.kubernetes: "), "{message}");
}

#[tokio::test]
async fn a_collector_that_is_stopped_before_it_was_ready_has_not_failed() {
    let (_synced, is_synced) = watch::channel(false);
    let stop = CancellationToken::new();
    stop.cancel();
    assert_eq!(
        until_synced(is_synced, &stop).await.unwrap(),
        DirectoryWait::Unfinished
    );
    let (_synced, is_synced) = watch::channel(true);
    assert_eq!(
        until_synced(is_synced, &CancellationToken::new()).await.unwrap(),
        DirectoryWait::Complete
    );
}
