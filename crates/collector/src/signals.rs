//! The signals that end the process in order: SIGTERM, Ctrl-C, and SIGHUP, which a terminal sends that goes away.

use std::future::pending;

use procfs::process::Process;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// SIGHUP's bit in the set of signals that are ignored (`SigIgn` in its status under `/proc`).
const HANGUP: u64 = 1;

/// A runtime, and what the first signal cancels. From here on: a signal that comes while the collector starts ends it in order too.
pub fn until_signals() -> std::io::Result<(Runtime, CancellationToken)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let stop = CancellationToken::new();
    let signals = {
        let _context = runtime.enter();
        Signals::listen()?
    };
    runtime.spawn(signals.end(stop.clone()));
    Ok((runtime, stop))
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// None under `nohup`, which has it ignored.
    hangup: Option<Signal>,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: (!is_hangup_ignored())
                .then(|| signal(SignalKind::hangup()))
                .transpose()?,
        })
    }

    /// The first signal ends the collector in order, the second at once.
    async fn end(mut self, stop: CancellationToken) {
        self.one().await;
        stop.cancel();
        self.one().await;
        std::process::exit(1);
    }

    async fn one(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hangup => {}
        }
    }
}

fn is_hangup_ignored() -> bool {
    let status = Process::myself().and_then(|process| process.status());
    status.is_ok_and(|status| status.sigign & HANGUP != 0)
}
