//! Claims to addresses without a pod, by `EndpointSlices` to outside addresses and by Istio's `ServiceEntries`.
//!
//! Several objects may claim one address. The order of precedence is fixed: the longest prefix, then a claim to the port, then the
//! rank of the owner, then the oldest object, then namespace and name. (SkyWalking takes any.)

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::cidr_block::CidrBlock;
use super::ownership::OwnerAt;
use super::parties::Port;
use super::validity::{CLOCK_SKEW, Validity};
use crate::accounting::Unattributed;
use crate::moment::Moment;

/// One object's claim to a block of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressClaim<T> {
    /// The namespace and name of the object.
    pub object: Arc<str>,
    /// `metadata.creationTimestamp`.
    pub created: Moment,
    /// The ports that the object declares.
    pub ports: Arc<[Port]>,
    /// The party that the object stands for.
    pub owner: Arc<T>,
    /// The span of time in which the object claims the block.
    pub span: Validity,
}

impl<T> AddressClaim<T> {
    /// The claim of an object with these ports, from `since` on.
    pub fn new(object: &str, ports: &[Port], created: Moment, since: Moment, owner: Arc<T>) -> Self {
        AddressClaim {
            object: object.into(),
            created,
            ports: ports.into(),
            owner,
            span: Validity {
                since,
                until: Moment::MAX,
            },
        }
    }
}

/// All claims to one block of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressClaims<T>(Vec<AddressClaim<T>>);

impl<T> Default for AddressClaims<T> {
    fn default() -> Self {
        AddressClaims(Vec::new())
    }
}

impl<T> AddressClaims<T> {
    /// Sets the claim of an object, in place of its earlier one. A claim that has not ended keeps its start.
    pub fn set(&mut self, mut claim: AddressClaim<T>) {
        match self.0.iter_mut().find(|known| known.object == claim.object) {
            Some(known) => {
                if known.span.until == Moment::MAX {
                    claim.span.since = known.span.since;
                }
                *known = claim;
            }
            None => self.0.push(claim),
        }
    }

    /// Ends the claim of `object`.
    pub fn end(&mut self, object: &str, now: Moment) {
        for claim in self.0.iter_mut().filter(|claim| *claim.object == *object) {
            claim.span.until = claim.span.until.min(now);
        }
    }

    /// Whether any claim ended before `limit`.
    pub fn ended_before(&self, limit: Moment) -> bool {
        self.0.iter().any(|claim| claim.span.until < limit)
    }

    /// Forgets claims that ended before `limit`.
    pub fn forget_ended_before(&mut self, limit: Moment) {
        self.0.retain(|claim| claim.span.until >= limit);
    }

    /// The owner whose claim counted at `start`. `port` is the port of a listening side.
    pub fn owner(&self, port: Option<u16>, start: Moment) -> OwnerAt<'_, T> {
        self.owner_by(port, start, |_| Some(()))
    }

    /// The owner whose claim counted at `start`, of those with a rank. A lower rank counts before an older claim.
    pub fn owner_by<R: Ord + Copy>(
        &self,
        port: Option<u16>,
        start: Moment,
        rank: impl Fn(&T) -> Option<R>,
    ) -> OwnerAt<'_, T> {
        let mut validity = Validity::ALWAYS;
        for claim in &self.0 {
            let held = within(claim);
            for edge in [held.since, held.until] {
                validity = validity.split_at(edge, start);
            }
        }
        let held = self.0.iter().filter(|claim| within(claim).contains(start));
        let ranked = held.filter_map(|claim| Some((rank(&claim.owner)?, claim)));
        let first = ranked.min_by_key(|(rank, claim)| {
            let is_its_port = port.is_some_and(|port| claim.ports.iter().any(|own| own.number == port));
            (!is_its_port, *rank, claim.created, &claim.object)
        });
        let owner = first.map(|(_, claim)| &*claim.owner);
        OwnerAt::new(owner.ok_or(Unattributed::NotFound), validity)
    }
}

/// Claims to blocks of any size, by the length of their prefix.
#[derive(Clone, Debug)]
pub struct BlockClaims<T>(BTreeMap<Reverse<u8>, HashMap<CidrBlock, AddressClaims<T>>>);

impl<T> Default for BlockClaims<T> {
    fn default() -> Self {
        BlockClaims(BTreeMap::new())
    }
}

impl<T> BlockClaims<T> {
    /// The claims to `block`, for changes.
    pub fn claims(&mut self, block: CidrBlock) -> &mut AddressClaims<T> {
        let blocks = self.0.entry(Reverse(block.length())).or_default();
        blocks.entry(block).or_default()
    }

    /// Whether any claim ended before `limit`.
    pub fn ended_before(&self, limit: Moment) -> bool {
        let mut claims = self.0.values().flat_map(HashMap::values);
        claims.any(|claims| claims.ended_before(limit))
    }

    /// Forgets claims that ended before `limit`.
    pub fn forget_ended_before(&mut self, limit: Moment) {
        self.0.retain(|_, blocks| {
            blocks.retain(|_, claims| {
                claims.forget_ended_before(limit);
                !claims.0.is_empty()
            });
            !blocks.is_empty()
        });
    }

    /// The owner whose claim to `address` counted at `start`, of those with a rank, and the length of the claimed prefix. `port` is
    /// the port of a listening side.
    pub fn owner_by<R: Ord + Copy>(
        &self,
        address: IpAddr,
        port: Option<u16>,
        start: Moment,
        rank: impl Fn(&T) -> Option<R>,
    ) -> (OwnerAt<'_, T>, Option<u8>) {
        let mut validity = Validity::ALWAYS;
        for (Reverse(length), blocks) in &self.0 {
            let claims = CidrBlock::around(address, *length).and_then(|block| blocks.get(&block));
            let Some(claims) = claims else { continue };
            let held = claims.owner_by(port, start, &rank);
            validity = validity.and(held.validity);
            if held.owner.is_ok() {
                return (OwnerAt { validity, ..held }, Some(*length));
            }
        }
        (OwnerAt::new(Err(Unattributed::NotFound), validity), None)
    }
}

/// The span of a claim, from [`CLOCK_SKEW`] earlier on: the clocks of the API server and of a node differ.
fn within<T>(claim: &AddressClaim<T>) -> Validity {
    Validity {
        since: claim.span.since.minus(CLOCK_SKEW),
        until: claim.span.until,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::port_protocol::PortProtocol;

    fn at(seconds: i64) -> Moment {
        Moment(seconds * 1_000_000_000)
    }

    fn claim(object: &str, created: i64, port: u16) -> AddressClaim<String> {
        let port = Port {
            number: port,
            protocol: PortProtocol::Undeclared,
        };
        AddressClaim {
            object: object.into(),
            created: at(created),
            ports: [port].into(),
            owner: Arc::new(object.to_owned()),
            span: Validity {
                since: at(created),
                until: Moment::MAX,
            },
        }
    }

    fn owner_of(
        claims: &BlockClaims<String>,
        address: &str,
        port: Option<u16>,
        start: i64,
    ) -> Option<String> {
        let (held, _) = claims.owner_by(address.parse().unwrap(), port, at(start), |_| Some(()));
        assert!(held.validity.contains(at(start)));
        held.owner.ok().cloned()
    }

    fn claims(of: &[(&str, AddressClaim<String>)]) -> BlockClaims<String> {
        let mut claims = BlockClaims::default();
        for (block, claim) in of {
            claims.claims(block.parse().unwrap()).set(claim.clone());
        }
        claims
    }

    #[rstest]
    // proves: directory/claim-longest-prefix
    #[case::longest_prefix("10.1.2.3", None, Some("host"))]
    #[case::block("10.1.2.4", None, Some("block"))]
    #[case::net("10.1.9.9", None, Some("net"))]
    #[case::nobody("10.2.0.0", None, None)]
    // proves: directory/claim-port
    #[case::port("10.3.0.1", Some(3306), Some("young"))]
    // proves: directory/claim-oldest
    #[case::no_such_port("10.3.0.1", Some(1), Some("old"))]
    #[case::no_port("10.3.0.1", None, Some("old"))]
    // proves: directory/claim-name
    #[case::name("10.4.0.1", None, Some("a"))]
    fn of_several_claims_one_counts(
        #[case] address: &str,
        #[case] port: Option<u16>,
        #[case] expected: Option<&str>,
    ) {
        let claims = claims(&[
            ("10.1.0.0/16", claim("net", 1, 80)),
            ("10.1.2.3/32", claim("host", 9, 80)),
            ("10.1.2.0/24", claim("block", 1, 80)),
            ("10.3.0.1", claim("young", 20, 3306)),
            ("10.3.0.1", claim("old", 10, 5432)),
            ("10.4.0.1", claim("b", 10, 80)),
            ("10.4.0.1", claim("a", 10, 80)),
        ]);
        assert_eq!(owner_of(&claims, address, port, 100).as_deref(), expected);
    }

    #[rstest]
    // proves: directory/claim-history
    #[case::before_it_ended(199, Some("old"))]
    // proves: directory/claim-history
    #[case::after_it_ended(200, Some("new"))]
    #[case::before_all(94, None)]
    #[case::clock_skew(95, Some("old"))]
    fn a_claim_counts_from_its_beginning_to_its_end(#[case] start: i64, #[case] expected: Option<&str>) {
        let mut claims = claims(&[
            ("10.1.2.3", claim("old", 100, 80)),
            ("10.1.0.0/16", claim("new", 150, 80)),
        ]);
        claims.claims("10.1.2.3".parse().unwrap()).end("old", at(200));
        assert_eq!(owner_of(&claims, "10.1.2.3", None, start).as_deref(), expected);
    }

    #[test]
    fn an_ended_claim_is_forgotten() {
        let mut claims = claims(&[("10.1.2.3", claim("old", 100, 80))]);
        claims.claims("10.1.2.3".parse().unwrap()).end("old", at(200));
        assert!(!claims.ended_before(at(200)));
        claims.forget_ended_before(at(200));
        assert_eq!(owner_of(&claims, "10.1.2.3", None, 150).as_deref(), Some("old"));
        assert!(claims.ended_before(at(201)));
        claims.forget_ended_before(at(201));
        assert_eq!(owner_of(&claims, "10.1.2.3", None, 150), None);
    }
}
