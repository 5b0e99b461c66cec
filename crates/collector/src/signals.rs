//! The signals that end the process in order: SIGTERM, Ctrl-C (SIGINT), and SIGHUP,
//! which a closing terminal sends.

use std::future::pending;

use procfs::process::Process;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The bit of SIGHUP in the set of ignored signals (`SigIgn` in `/proc/self/status`).
const HANGUP: u64 = 1;

/// Creates the runtime, and the token that the first signal cancels. The signals count from here on, so a
/// signal during the start ends the collector in order, too.
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
    /// SIGHUP. It is `None` under `nohup`, which has it ignored.
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

    /// Cancels `stop` at the first signal, and ends the process at the second.
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
