//! Free addresses and ports, held for as long as the demo runs, so that two demos can run at once.
//!
//! A claim is a socket in Linux's abstract namespace: it needs no file, and the kernel drops it with the process.

use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use anyhow::{Context as _, bail};

/// How far above the preferred port a free one is looked for.
const PORTS_TRIED: u16 = 100;

/// The claims of this process.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    held: Vec<UnixListener>,
}

/// 256 loopback addresses of one demo.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block(u8);

impl Block {
    /// The address with this last number.
    pub(crate) fn address(self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 64, self.0, host)
    }
}

impl Claims {
    /// Claims a block of addresses.
    pub(crate) fn block(&mut self) -> anyhow::Result<Block> {
        for number in 1..=u8::MAX {
            if self.claim(&format!("block-{number}"))? {
                return Ok(Block(number));
            }
        }
        bail!("255 demos are running; end one of them");
    }

    /// Claims the preferred port of an address, or the next one that nobody listens on.
    pub(crate) fn port(&mut self, address: Ipv4Addr, preferred: u16) -> anyhow::Result<u16> {
        for port in preferred..preferred.saturating_add(PORTS_TRIED) {
            let nobody_listens = TcpListener::bind((address, port)).is_ok();
            if nobody_listens && self.claim(&format!("port-{address}:{port}"))? {
                return Ok(port);
            }
        }
        let last = preferred.saturating_add(PORTS_TRIED - 1);
        bail!("every port from {preferred} to {last} on {address} is busy; end what listens there");
    }

    /// Whether nobody else has claimed this name.
    fn claim(&mut self, name: &str) -> anyhow::Result<bool> {
        let address = SocketAddr::from_abstract_name(format!("alscope-demo-{name}"))?;
        match UnixListener::bind_addr(&address) {
            Ok(listener) => {
                self.held.push(listener);
                Ok(true)
            }
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Ok(false),
            Err(error) => Err(error).context("cannot claim a Unix socket; check the limit of open files"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_demos_never_get_the_same_block_or_port() {
        let (mut one, mut other) = (Claims::default(), Claims::default());
        let block = one.block().unwrap();
        assert_ne!(other.block().unwrap().0, block.0);
        let port = one.port(block.address(1), 9080).unwrap();
        assert_ne!(other.port(block.address(1), 9080).unwrap(), port);
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_passed_over() {
        let mut claims = Claims::default();
        let address = claims.block().unwrap().address(1);
        let busy = TcpListener::bind((address, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        // The listener above is gone: bound and dropped in one expression. Hold one.
        let holder = TcpListener::bind((address, busy)).unwrap();
        assert!(claims.port(address, busy).unwrap() > busy);
        drop(holder);
    }
}
