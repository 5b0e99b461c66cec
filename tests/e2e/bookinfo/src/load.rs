//! The generator: numbered requests to the product page, each sent once.

use std::time::Duration;

use anyhow::{Context as _, bail};
use http::{HeaderMap, HeaderValue, header};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior};

use crate::client::{self, Client, Endpoint};
use crate::failure::{self, Failure};
use crate::shutdown::Shutdown;
use crate::tally::Tally;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where to send the requests
    #[arg(long, env = "BOOKINFO_TARGET", value_name = "URL")]
    target: Endpoint,
    /// The Host of every request; by default that of the target
    #[arg(long, env = "BOOKINFO_HOST")]
    host: Option<HeaderValue>,
    /// How many requests to send, numbered from 1; by default until the process is asked to end
    #[arg(long, env = "BOOKINFO_REQUESTS")]
    requests: Option<u64>,
    /// Requests a second; by default as fast as they are answered. With a rate, requests without an answer are
    /// counted but do not fail the run
    #[arg(long, env = "BOOKINFO_RATE", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// How many requests may be on their way at once
    #[arg(long, env = "BOOKINFO_CONCURRENCY", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=1_000))]
    concurrency: u16,
    /// Every how many requests one asks for a failure; by default none does
    #[arg(long, env = "BOOKINFO_FAIL_EVERY", value_parser = clap::value_parser!(u64).range(1..))]
    fail_every: Option<u64>,
    /// The failure that those ask for
    #[arg(
        long,
        env = "BOOKINFO_FAIL",
        default_value = "ratings=503",
        value_name = "SERVICE=STATUS"
    )]
    fail: Failure,
    #[command(flatten)]
    origin: client::Origin,
}

/// Sends the requests, then prints what was sent and what came back.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let mut shutdown = Shutdown::listen()?;
    let mut generator = Generator::new(&options)?;
    let interrupted = tokio::select! {
        () = generator.send_all(&options) => false,
        () = shutdown.asked() => true,
    };
    generator.finish().await;
    println!("{}", serde_json::to_string(&generator.tally)?);
    if options.rate.is_some() {
        return Ok(());
    }
    if let Some(error) = generator.first_error {
        return Err(error.context("requests got no answer; look for the cause at the target"));
    }
    if interrupted && options.requests.is_some() {
        bail!("the run was ended before all requests were sent; start it again");
    }
    Ok(())
}

struct Generator {
    client: Client,
    target: Endpoint,
    plain: HeaderMap,
    failing: HeaderMap,
    on_their_way: JoinSet<anyhow::Result<u16>>,
    tally: Tally,
    first_error: Option<anyhow::Error>,
}

impl Generator {
    fn new(options: &Options) -> anyhow::Result<Self> {
        let mut plain = HeaderMap::new();
        plain.insert(header::USER_AGENT, HeaderValue::from_static("bookinfo-load"));
        if let Some(host) = &options.host {
            plain.insert(header::HOST, host.clone());
        }
        let mut failing = plain.clone();
        let failure = HeaderValue::try_from(options.fail.to_string())
            .context("the failure is not a header value; correct --fail")?;
        failing.insert(failure::HEADER, failure);
        Ok(Self {
            client: Client::new(&options.origin),
            target: options.target.clone(),
            plain,
            failing,
            on_their_way: JoinSet::new(),
            tally: Tally::default(),
            first_error: None,
        })
    }

    async fn send_all(&mut self, options: &Options) {
        let mut pace = options.rate.map(pace);
        for number in 1..=options.requests.unwrap_or(u64::MAX) {
            if let Some(pace) = &mut pace {
                pace.tick().await;
            }
            while self.on_their_way.len() >= usize::from(options.concurrency) {
                self.one_answer().await;
            }
            let fails = options
                .fail_every
                .is_some_and(|every| number.is_multiple_of(every));
            self.send(number, fails);
        }
    }

    fn send(&mut self, number: u64, fails: bool) {
        self.tally.count_request(fails);
        let headers = if fails { &self.failing } else { &self.plain }.clone();
        let (client, target) = (self.client.clone(), self.target.clone());
        self.on_their_way.spawn(async move {
            let answer = client
                .get(&target, &format!("/productpage?id={number}"), headers)
                .await?;
            Ok(answer.status.as_u16())
        });
    }

    /// Waits for the answers still on their way.
    async fn finish(&mut self) {
        while !self.on_their_way.is_empty() {
            self.one_answer().await;
        }
    }

    async fn one_answer(&mut self) {
        let Some(ended) = self.on_their_way.join_next().await else {
            return;
        };
        match ended.map_err(anyhow::Error::from).flatten() {
            Ok(status) => self.tally.count_answer(status),
            Err(error) => {
                self.tally.transport_errors += 1;
                self.first_error.get_or_insert(error);
            }
        }
    }
}

fn pace(rate: u32) -> Interval {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / rate);
    // A slow moment is not made up for by a burst.
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}
