//! The server of this crate passes the contract's suite.

use alscope_test_api_server::{ApiServer, contract};

#[tokio::test(start_paused = true)]
async fn every_case_passes() {
    let (server, _deaths) = ApiServer::new();
    let collector = server.clone();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let mut version = 0;
        loop {
            version = collector.newer_than(version).await;
            collector.collect_garbage();
        }
    });
    let client = server.client();
    contract::prepare(&client).await.unwrap();
    let cases = contract::cases();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let mut failed = Vec::new();
    for case in &cases {
        if let Err(error) = case.run(&client, "contract-").await {
            failed.push(format!("{}: {error:#}", case.name));
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {} cases:\n{}",
        failed.len(),
        cases.len(),
        failed.join("\n")
    );
    contract::clean_up(&client).await.unwrap();
}
