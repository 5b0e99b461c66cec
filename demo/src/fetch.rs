//! HTTP requests of the demo itself, to addresses of its own.

use std::time::Duration;

use anyhow::Context as _;

const DEADLINE: Duration = Duration::from_secs(2);

/// The body of `GET url` if it answers 2xx.
pub(crate) async fn fetch(url: String) -> anyhow::Result<String> {
    // ureq blocks; the demo's only thread must stay free for signals.
    tokio::task::spawn_blocking(move || {
        // No proxy: these are loopback addresses, whatever HTTP_PROXY says.
        let agent = ureq::Agent::config_builder()
            .proxy(None)
            .timeout_global(Some(DEADLINE))
            .build()
            .new_agent();
        let mut response = agent
            .get(&url)
            .call()
            .with_context(|| format!("{url} does not answer; start the demo again"))?;
        response
            .body_mut()
            .read_to_string()
            .with_context(|| format!("{url} broke off; start the demo again"))
    })
    .await?
}
