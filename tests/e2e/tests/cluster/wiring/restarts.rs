//! The collector's Deployment is restarted while the mesh is called: what was called is what proxies sent, and what they sent is
//! what the collectors received, to the last entry.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alscope_e2e::bookinfo::{deploy, entries};
use alscope_e2e::cluster::{Namespace, kubectl, now, relay, until};
use alscope_e2e::{collector, envoy, operator};
use anyhow::{Context, bail, ensure};
use serde_json::json;

use super::wired;

const RESTARTS: usize = 3;

/// One collector, as the operator deploys it by default: the next is there before the last one goes.
#[test]
fn a_collector_that_is_restarted_under_load_loses_nothing() -> anyhow::Result<()> {
    wired(&json!({}), || deploy("restarts"), restarted)
}

fn restarted(namespace: &Namespace) -> anyhow::Result<()> {
    let gateway = relay("bookinfo", &namespace.name, "bookinfo-gateway", 80)?;
    let begin = now();
    let stop = AtomicBool::new(false);
    let (ended, requests) = std::thread::scope(|scope| {
        let load = scope.spawn(|| requests(&gateway, &stop));
        let ended: anyhow::Result<Vec<u64>> = (0..RESTARTS).map(|_| restart()).collect();
        stop.store(true, Ordering::Relaxed);
        (ended, load.join())
    });
    let seconds = begin.elapsed().as_secs_f64();
    let (ended, Ok(requests)) = (ended?, requests) else {
        bail!("the caller panicked");
    };
    let made = entries(requests?);
    let last = only_collector()?;
    let received = |last: u64| last + ended.iter().sum::<u64>();
    let arrived = until("every entry to arrive", Duration::from_secs(15), || {
        let last = collector::received(&last)?;
        ensure!(
            received(last) >= made,
            "{last} of the last one's, before it {ended:?}"
        );
        Ok(Some(()))
    });
    let last = collector::received(&last)?;
    let envoys = envoy::all_access_logs(namespace)?;
    let flushed: u64 = envoys.values().map(|logs| logs.flushed).sum();
    println!(
        "  {RESTARTS} restarts in {seconds:.0} s: {made} entries made, {:.0} a second, {flushed} flushed by {} Envoys, {} lost; \
         received by each collector: {ended:?}, {last}",
        made as f64 / seconds,
        envoys.len(),
        i128::from(made) - i128::from(received(last)),
    );
    arrived?;
    ensure!(
        envoys.values().all(|logs| logs.dropped + logs.flush_failed == 0),
        "an Envoy lost entries: {envoys:?}"
    );
    ensure!(
        (flushed, received(last)) == (made, made),
        "{made} entries were made, the Envoys flushed {flushed}, the collectors received {}",
        received(last)
    );
    ensure!(
        last > 0 && ended.iter().all(|received| *received > 0),
        "a collector received nothing: {ended:?}, {last}"
    );
    Ok(())
}

/// Restarts the collector as a user does; what the old one had received when it was gone.
fn restart() -> anyhow::Result<u64> {
    let old = only_collector()?;
    // Who has scraped once is waited for at the end.
    let mut received = collector::received(&old)?;
    let begin = now();
    let of = ["deployment/alscope-collector", "--namespace", operator::NAMESPACE];
    kubectl(&[&["rollout", "restart"], &of[..]].concat())?;
    kubectl(&[&["rollout", "status", "--timeout=60s"], &of[..]].concat())?;
    let next = begin.elapsed();
    until("the old collector to end", Duration::from_mins(1), || {
        if let Ok(newer) = collector::received(&old) {
            received = newer;
            return Ok(None);
        }
        Ok((!collector::pods()?.contains(&old)).then_some(()))
    })?;
    println!(
        "  {old}: the next was there after {:.1} s, it was gone after {:.1} s with {received} entries",
        next.as_secs_f64(),
        begin.elapsed().as_secs_f64()
    );
    Ok(received)
}

fn only_collector() -> anyhow::Result<String> {
    let pods = collector::pods()?;
    let [pod] = pods.as_slice() else {
        bail!("one collector was to run: {pods:?}");
    };
    Ok(pod.clone())
}

/// Asks for product after product, one at a time, until it is told to stop; how many.
fn requests(gateway: &str, stop: &AtomicBool) -> anyhow::Result<u64> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .build()
        .into();
    let mut requests = 0;
    while !stop.load(Ordering::Relaxed) {
        requests += 1;
        let url = format!("{gateway}/productpage?id={requests}");
        let mut answer = agent.get(&url).call().with_context(|| format!("GET {url}"))?;
        answer.body_mut().read_to_vec()?;
    }
    Ok(requests)
}
